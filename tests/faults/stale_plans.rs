//! PostgreSQL: statements of the log whose prepared forms are invalid.

use crate::entities::items;
use crate::log_check::Table;
use crate::played::{On, Step, play, play_both};
use crate::support::{TestDb, TestResult};

mod only_postgres {
    crate::support::tests_on! { postgres:
        column_of_another_type_elsewhere,
        column_of_another_type,
        column_of_another_length,
        column_of_another_type_in_another_schema,
        prepared_statements_that_are_dropped,
        prepared_statements_that_are_dropped_in_a_transaction,
        prepared_statements_that_are_dropped_before_a_report,
    }
}

const ITEM: Table = Table::of("item");

async fn column_of_another_type_elsewhere(db: &TestDb) -> TestResult {
    let write = |code: &'static str, id: &'static str| {
        [
            Step::Executed("UPDATE item SET p = p + 50 WHERE id = 1"),
            Step::Executed("UPDATE item SET p = p + 1 WHERE p > 50"),
            Step::Executed(code),
            Step::Executed(id),
            Step::Unprepared(
                "INSERT INTO item (id, code, p) VALUES (1, 'u', 5) ON CONFLICT (id) DO UPDATE SET p = item.p + 1",
            ),
        ]
    };
    let mut steps = Vec::new();
    steps.extend(write(
        "INSERT INTO item (code, p) VALUES ('n1', 1)",
        "DELETE FROM item WHERE id = 2",
    ));
    steps.push(Step::Elsewhere(
        "ALTER TABLE item ALTER COLUMN code TYPE TEXT",
    ));
    steps.extend(write(
        "INSERT INTO item (code, p) VALUES ('n2', 1)",
        "DELETE FROM item WHERE id = 3",
    ));
    steps.push(Step::Elsewhere(
        "ALTER TABLE item ALTER COLUMN p TYPE BIGINT",
    ));
    steps.extend(write(
        "INSERT INTO item (code, p) VALUES ('n3', 1)",
        "DELETE FROM item WHERE id = 4",
    ));
    let setup = items(db.backend(), 5);
    let reports = play(db, On::Connection, &[ITEM], setup, &steps).await?;
    assert!(reports.is_empty(), "{reports:?}");
    Ok(())
}

async fn column_of_another_type(db: &TestDb) -> TestResult {
    let steps = [
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("UPDATE item SET p = 51 WHERE id = 3"),
        Step::Unprepared("ALTER TABLE item ALTER COLUMN p TYPE BIGINT"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Executed("UPDATE item SET p = 52 WHERE id = 2"),
        Step::Unprepared("UPDATE item SET p = 53 WHERE id = 3"),
        Step::Executed("DELETE FROM item WHERE id = 4"),
    ];
    play_both(db, &[ITEM], &items(db.backend(), 4), &steps).await?;
    Ok(())
}

async fn column_of_another_length(db: &TestDb) -> TestResult {
    let steps = [
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("ALTER TABLE item ALTER COLUMN code TYPE VARCHAR(90)"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("ALTER TABLE item ALTER COLUMN code TYPE VARCHAR(99)"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
    ];
    play_both(db, &[ITEM], &items(db.backend(), 4), &steps).await?;
    Ok(())
}

async fn column_of_another_type_in_another_schema(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 4);
    setup.extend([
        "CREATE SCHEMA other".to_owned(),
        "CREATE TABLE other.item (id INT PRIMARY KEY, code TEXT, p BIGINT)".to_owned(),
        "INSERT INTO other.item VALUES (1, 'o1', 100)".to_owned(),
    ]);
    let steps = [
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Unprepared("SET search_path TO other, public"),
        Step::Executed("UPDATE item SET p = 50 WHERE id = 1"),
        Step::Executed("UPDATE public.item SET p = 52 WHERE id = 1"),
    ];
    // The table of the other schema has the entity's name, and is recorded as the entity's.
    let oracle = crate::oracle::Oracle::new(db, &[], &setup).await?;
    let (bare, one) = (oracle.bare.another().await?, db.another().await?);
    let audited = sea_orm_audit::AuditedConnection::new(one.clone());
    for step in steps {
        let (call, sql) = match step {
            Step::Executed(sql) => (crate::outcome::Call::Execute, sql),
            Step::Unprepared(sql) | Step::Queried(sql) | Step::Elsewhere(sql) => {
                (crate::outcome::Call::Unprepared, sql)
            }
        };
        crate::outcome::same_on(&bare, &audited, call, sql).await;
    }
    bare.close().await?;
    one.close().await?;
    let (expected, found) = (
        ITEM.read(&oracle.bare.conn).await?,
        ITEM.read(&db.conn).await?,
    );
    assert_eq!(found, expected);
    oracle.bare.remove().await
}

const WRITES: [&str; 4] = [
    "UPDATE item SET p = p + 50 WHERE id = 1",
    "INSERT INTO item (code, p) VALUES ('n' || (SELECT COUNT(*) FROM item), 1)",
    "DELETE FROM item WHERE id = (SELECT MAX(id) FROM item)",
    "UPDATE item SET p = 7 WHERE id = 1; UPDATE item SET p = 8 WHERE id = 2",
];

fn writes_around(drops: &'static [&'static str]) -> Vec<Step<'static>> {
    let writes = || WRITES.iter().map(|sql| Step::Unprepared(sql));
    let mut steps: Vec<_> = writes().collect();
    for drop in drops {
        steps.push(Step::Unprepared(drop));
        steps.extend(writes());
    }
    steps
}

async fn prepared_statements_that_are_dropped(db: &TestDb) -> TestResult {
    let steps = writes_around(&[
        "DEALLOCATE ALL",
        "DISCARD ALL",
        "/* reset */ RESET ALL; DEALLOCATE PREPARE ALL",
        "DISCARD ALL",
    ]);
    let setup = items(db.backend(), 4);
    let reports = play(db, On::Connection, &[ITEM], setup, &steps).await?;
    assert!(reports.is_empty(), "{reports:?}");
    Ok(())
}

async fn prepared_statements_that_are_dropped_in_a_transaction(db: &TestDb) -> TestResult {
    let mut steps = writes_around(&["DEALLOCATE ALL", "DEALLOCATE ALL"]);
    steps.push(Step::Unprepared(
        "UPDATE item SET p = 70 WHERE id = 1; DEALLOCATE ALL; UPDATE item SET p = 71 WHERE id = 1",
    ));
    let setup = items(db.backend(), 4);
    let reports = play(db, On::Transaction, &[ITEM], setup, &steps).await?;
    assert!(reports.is_empty(), "{reports:?}");
    Ok(())
}

async fn prepared_statements_that_are_dropped_before_a_report(db: &TestDb) -> TestResult {
    let uncaptured = "WITH w AS (UPDATE item SET p = 9 WHERE id = 2 RETURNING id) SELECT id FROM w";
    let steps = [
        Step::Unprepared(uncaptured),
        Step::Unprepared(uncaptured),
        Step::Unprepared("DEALLOCATE ALL"),
        Step::Unprepared(uncaptured),
        Step::Unprepared("UPDATE item SET p = 71 WHERE id = 1"),
    ];
    let other = db.sibling().await?;
    let setup = items(db.backend(), 4);
    play(db, On::Connection, &[ITEM], &setup, &steps).await?;
    play(&other, On::Transaction, &[ITEM], &setup, &steps).await?;
    // As often as it ran.
    let events = db.events().await?;
    assert_eq!(
        events.iter().map(|e| e.occurrences).sum::<i64>(),
        3,
        "{events:?}"
    );
    other.remove().await
}
