//! Every kind of table that a database has.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::Finding;

use crate::support::{TestDb, TestResult};
use crate::{build, found, not_captured};

mod sqlite {
    crate::support::tests_on! { sqlite: virtual_table_is_one_table }
}
mod postgres {
    crate::support::tests_on! { postgres:
        table_that_inherits_is_a_table_of_its_own,
    }
}
mod mariadb {
    crate::support::tests_on! { mariadb:
        versioned_tables_are_tables,
        engines_that_undo_nothing_are_found,
    }
}

async fn virtual_table_is_one_table(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE VIRTUAL TABLE phrases USING fts5(phrase)")
        .await?;
    assert_eq!(found(db).await?, [not_captured("phrases")]);
    Ok(())
}

async fn table_that_inherits_is_a_table_of_its_own(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE TABLE heir (more INT) INHERITS (person)")
        .await?;
    assert_eq!(found(db).await?, [not_captured("heir")]);
    Ok(())
}

async fn versioned_tables_are_tables(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE TABLE dated (id INT PRIMARY KEY) WITH SYSTEM VERSIONING")
        .await?;
    db.execute_unprepared("ALTER TABLE person ADD SYSTEM VERSIONING")
        .await?;
    assert_eq!(found(db).await?, [not_captured("dated")]);
    Ok(())
}

async fn engines_that_undo_nothing_are_found(db: &TestDb) -> TestResult {
    build(db).await?;
    for sql in [
        "ALTER TABLE person ENGINE = MyISAM",
        "ALTER TABLE audit_trigger_context ENGINE = Aria",
        // SeaORM's own table, which records no changes.
        "CREATE TABLE seaql_migrations (version VARCHAR(20) PRIMARY KEY) ENGINE = MyISAM",
        // A table without an entity.
        "CREATE TABLE loose (id INT PRIMARY KEY) ENGINE = MyISAM",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let unsafe_engine = |table: &str, engine: &str| Finding::NotTransactional {
        table: table.into(),
        engine: engine.into(),
    };
    assert_eq!(
        found(db).await?,
        [
            unsafe_engine("audit_trigger_context", "Aria"),
            not_captured("loose"),
            unsafe_engine("person", "MyISAM"),
        ]
    );
    Ok(())
}
