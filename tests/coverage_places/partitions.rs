//! Tables with partitions. Their keys are checked as keys of the whole table.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::Finding;

use crate::support::{TestDb, TestResult};
use crate::{build, found};

mod postgres {
    crate::support::tests_on! { postgres:
        keys_of_single_partitions_are_judged,
        keys_to_single_partitions_are_judged,
    }
}

fn cascade(table: &str, key: &str, parent: &str, why: &'static str) -> Finding {
    Finding::CascadeNotCaptured {
        table: table.into(),
        key: key.into(),
        parent: parent.into(),
        on: "ON DELETE",
        why,
    }
}

const NOT_DECLARED: &str =
    "no `belongs_to` relation of its entity declares this foreign key with its `on_delete`";

async fn keys_to_single_partitions_are_judged(db: &TestDb) -> TestResult {
    build(db).await?;
    for table in ["ware", "person"] {
        db.execute_unprepared(&format!(
            "ALTER TABLE {table} ADD CONSTRAINT to_part FOREIGN KEY (id) REFERENCES measure_low (id) \
             ON DELETE CASCADE"
        ))
        .await?;
    }
    // The triggers of `ware` record what happens to its rows.
    let of_person = cascade("person", "to_part", "measure", NOT_DECLARED);
    assert_eq!(found(db).await?, [of_person]);
    for sql in [
        "INSERT INTO measure VALUES (-1, NULL)",
        "INSERT INTO ware VALUES (-1, 'a', 1)",
        "DELETE FROM measure",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let log = db.log().await?;
    assert!(
        log.len() == 2 && log[1].starts_with("DELETE ware -1 "),
        "{log:#?}"
    );
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
    assert_eq!(
        found(db).await?,
        [
            cascade("measure", "one_part", "person", NOT_DECLARED),
            cascade(
                "metered",
                "one_part",
                "person",
                "it is the key of one partition, and triggers of the whole table see nothing of what it does: \
                 give the key to the table"
            ),
        ]
    );
    // The finding is right: the row is deleted without a record.
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
