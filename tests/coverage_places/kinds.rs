//! Tables of every kind that a database has.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::Finding;

use crate::support::{TestDb, TestResult};
use crate::{build, found, not_captured};

mod sqlite {
    crate::support::tests_on! { sqlite: a_virtual_table_is_one_table }
}
mod postgres {
    crate::support::tests_on! { postgres:
        keys_of_single_partitions_are_judged,
        a_table_that_inherits_is_a_table_of_its_own,
    }
}
mod mariadb {
    crate::support::tests_on! { mariadb:
        versioned_tables_are_tables,
        engines_that_undo_nothing_are_found,
    }
}

async fn a_virtual_table_is_one_table(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE VIRTUAL TABLE words USING fts5(word)")
        .await?;
    assert_eq!(found(db).await?, [not_captured("words")]);
    Ok(())
}

async fn keys_of_single_partitions_are_judged(db: &TestDb) -> TestResult {
    build(db).await?;
    for table in ["measure", "metered"] {
        db.execute_unprepared(&format!(
            "ALTER TABLE {table}_low ADD CONSTRAINT one_part FOREIGN KEY (person_id) \
             REFERENCES person (id) ON DELETE CASCADE"
        ))
        .await?;
    }
    let cascade = |table: &str, why: &'static str| Finding::CascadeNotCaptured {
        table: table.into(),
        key: "one_part".into(),
        parent: "person".into(),
        on: "ON DELETE",
        why,
    };
    assert_eq!(
        found(db).await?,
        [
            cascade(
                "measure",
                "no `belongs_to` relation of its entity declares this foreign key with its `on_delete`"
            ),
            cascade(
                "metered",
                "it is the key of one partition, and triggers of the whole table see nothing of what it does: \
                 give the key to the table"
            ),
        ]
    );
    // That is so: the row goes, and leaves no record.
    for sql in [
        "INSERT INTO person VALUES (1, 'a', 'b')",
        "INSERT INTO metered VALUES (-1, 1), (1, NULL)",
        "DELETE FROM person",
        "DELETE FROM metered",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let log = db.log().await?;
    let deleted: Vec<_> = log
        .iter()
        .filter(|line| line.starts_with("DELETE"))
        .collect();
    assert!(
        deleted.len() == 1 && deleted[0].starts_with("DELETE metered 1 "),
        "{log:#?}"
    );
    // The key of the whole table is recorded.
    for sql in [
        "ALTER TABLE metered_low DROP CONSTRAINT one_part",
        "ALTER TABLE measure_low DROP CONSTRAINT one_part",
        "ALTER TABLE metered ADD CONSTRAINT whole FOREIGN KEY (person_id) REFERENCES person (id) \
         ON DELETE CASCADE",
    ] {
        db.execute_unprepared(sql).await?;
    }
    assert_eq!(found(db).await?, []);
    db.forget().await?;
    for sql in [
        "INSERT INTO person VALUES (1, 'a', 'b')",
        "INSERT INTO metered VALUES (-1, 1)",
        "DELETE FROM person",
    ] {
        db.execute_unprepared(sql).await?;
    }
    assert_eq!(db.log().await?.len(), 2);
    Ok(())
}

async fn a_table_that_inherits_is_a_table_of_its_own(db: &TestDb) -> TestResult {
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
        // Nobody's.
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
