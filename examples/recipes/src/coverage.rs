#![allow(clippy::print_stdout)]

use sea_orm::DatabaseConnection;
use sea_orm_audit::migration::coverage;

pub async fn everything_is_captured(
    db: &DatabaseConnection,
) -> Result<(), Box<dyn std::error::Error>> {
    let report = coverage(db).await?;
    println!("{report}"); // a table
    report.except(["session"]).assert_complete()?; // fails with a list of gaps, and what to do
    Ok(())
}

#[cfg(test)]
mod tests {
    use sea_orm::ConnectionTrait;
    use sea_orm_audit::test::TestDatabase;

    use crate::{own_hooks, product, sea_orm_model, triggers};

    use super::*;

    #[tokio::test]
    async fn uncaptured_table_fails_the_check() -> Result<(), Box<dyn std::error::Error>> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let db = db
            .with_table(own_hooks::Entity)
            .await?
            .with_table(triggers::ledger::Entity)
            .await?;
        let db = sea_orm_model::with_tables(db).await?;
        sea_orm_audit::migration::AuditTriggers::of::<triggers::ledger::Entity>()
            .create(&*db)
            .await?;
        db.execute_unprepared("PRAGMA recursive_triggers = ON")
            .await?;
        db.execute_unprepared("CREATE TABLE session (id INTEGER PRIMARY KEY)")
            .await?;
        everything_is_captured(&db).await?;
        db.execute_unprepared("CREATE TABLE parcel (id INTEGER PRIMARY KEY)")
            .await?;
        let gap = everything_is_captured(&db).await.unwrap_err();
        assert!(gap.to_string().contains("parcel"), "{gap}");
        Ok(())
    }
}
