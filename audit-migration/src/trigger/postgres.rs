//! Triggers on PostgreSQL.

use sea_orm_audit_core::trigger::TriggerPlan;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};

use super::{Installed, Piece};

pub(super) async fn pieces<C: ConnectionTrait>(
    _db: &C,
    _plan: &TriggerPlan,
) -> Result<Vec<Piece>, DbErr> {
    Ok(Vec::new())
}

pub(super) async fn installed<C: ConnectionTrait>(
    _db: &C,
    _plan: &TriggerPlan,
) -> Result<Vec<Installed>, DbErr> {
    Ok(Vec::new())
}
