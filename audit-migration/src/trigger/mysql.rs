//! Triggers on MySQL and MariaDB.

use sea_orm_audit_core::trigger::TriggerPlan;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};

use super::{Installed, Piece};

pub(super) fn pieces(_plan: &TriggerPlan) -> Vec<Piece> {
    Vec::new()
}

pub(super) async fn installed<C: ConnectionTrait>(
    _db: &C,
    _plan: &TriggerPlan,
) -> Result<Vec<Installed>, DbErr> {
    Ok(Vec::new())
}
