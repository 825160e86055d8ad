#![allow(clippy::print_stderr)] // The progress of a command.

use sea_orm::DbErr;
use sea_orm_audit::{Actor, AuditContext, AuditedConnection, backfill};

use crate::product;

/// Records the products that existed before auditing began.
pub async fn record_baseline(db: &AuditedConnection) -> Result<u64, DbErr> {
    let work = backfill::<product::Entity>(db)
        .batch(5_000)
        .progress(|rows| eprintln!("{rows} products"));
    let context = AuditContext::new()
        .actor(Actor::service("deployment"))
        .reason("baseline");
    let done = context.scope(work.run()).await?;
    Ok(done.recorded)
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;
    use sea_orm_audit::test::TestDatabase;

    use super::*;

    #[tokio::test]
    async fn old_rows_get_snapshots() -> Result<(), DbErr> {
        let test = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let sql = "INSERT INTO product (name, price) VALUES ('Tea', 300), ('Mug', 500)";
        test.execute_unprepared(sql).await?;
        let db = AuditedConnection::new((*test).clone());
        assert_eq!(record_baseline(&db).await?, 2);
        assert_eq!(record_baseline(&db).await?, 0);
        Ok(())
    }
}
