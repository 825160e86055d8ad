//! Several rows with one key: no record pairs the values of one with those of another.

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        rows_with_one_key_until_the_commit_are_reported,
        row_of_an_inheriting_table_with_the_same_key_is_reported,
    }
}

mod mariadb {
    crate::support::tests_on!(mariadb: rows_with_one_key_without_index_are_reported);
}

async fn rows_with_one_key_until_the_commit_are_reported(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 3);
    setup.push("ALTER TABLE item DROP CONSTRAINT item_pkey".to_owned());
    setup.push("ALTER TABLE item ADD PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED".to_owned());
    let oracle = Oracle::new(db, &[Table::of("item")], setup).await?;
    oracle
        .in_transaction(&[
            (Call::Execute, "UPDATE item SET id = 2 WHERE id = 1"),
            (Call::Execute, "UPDATE item SET p = p + 100 WHERE id = 2"),
            (Call::Execute, "UPDATE item SET id = 1 WHERE code = 'c1'"),
        ])
        .await?;
    if db.postgres_version().await? >= 18 {
        let expected = [
            r#"UPDATE item 1 {"id":{"new":2,"old":1}}"#,
            r#"UPDATE item 2 {"p":{"new":101,"old":1}}"#,
            r#"UPDATE item 2 {"p":{"new":102,"old":2}}"#,
            r#"UPDATE item 2 {"id":{"new":1,"old":2}}"#,
        ];
        return paired(&oracle, &expected).await;
    }
    let reports = reports(db).await?;
    assert!(
        reports
            .iter()
            .any(|it| it.contains("several rows have one key")),
        "{reports:?}"
    );
    oracle.recorded_or_reported().await
}

/// PostgreSQL 18 returns the old and the new state of each row, so that rows are distinguished without their keys.
async fn paired(oracle: &Oracle<'_>, expected: &[&str]) -> TestResult {
    let mut log = oracle.db.log().await?;
    let mut expected = expected.to_vec();
    log.sort_unstable();
    expected.sort_unstable();
    assert_eq!(log, expected);
    assert_eq!(reports(oracle.db).await?, [""; 0]);
    Ok(())
}

async fn row_of_an_inheriting_table_with_the_same_key_is_reported(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 2);
    setup.push("CREATE TABLE item_more (extra INTEGER) INHERITS (item)".to_owned());
    setup.push("INSERT INTO item_more (id, code, p, extra) VALUES (1, 'more', 5, 6)".to_owned());
    let oracle = Oracle::new(db, &[Table::of("ONLY item")], setup).await?;
    oracle.executes("UPDATE item SET p = p + 1").await;
    oracle
        .executes("UPDATE item SET code = 'x' WHERE p = 6")
        .await;
    if db.postgres_version().await? >= 18 {
        let expected = [
            r#"UPDATE item 1 {"p":{"new":2,"old":1}}"#,
            r#"UPDATE item 1 {"p":{"new":6,"old":5}}"#,
            r#"UPDATE item 2 {"p":{"new":3,"old":2}}"#,
            r#"UPDATE item 1 {"code":{"new":"x","old":"more"}}"#,
        ];
        return paired(&oracle, &expected).await;
    }
    let reports = reports(db).await?;
    assert!(
        reports
            .iter()
            .any(|it| it.contains("several rows have one key")),
        "{reports:?}"
    );
    Ok(())
}

async fn rows_with_one_key_without_index_are_reported(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 2);
    setup.push("ALTER TABLE item MODIFY id INT NOT NULL, DROP PRIMARY KEY".to_owned());
    let oracle = Oracle::new(db, &[], setup).await?;
    oracle
        .executes("INSERT INTO item (id, code, p) VALUES (1, 'again', 9)")
        .await;
    oracle
        .executes("UPDATE item SET p = p + 100 WHERE id = 1")
        .await;
    let log = db.log().await?;
    assert!(
        !log.iter().any(|line| line.contains("UPDATE item 1")),
        "{log:#?}"
    );
    assert!(
        !log.iter()
            .any(|line| line.contains("CREATE item 1") && line.contains("c1")),
        "{log:#?}"
    );
    let reports = reports(db).await?;
    assert!(reports.len() >= 2, "{reports:?}");
    Ok(())
}
