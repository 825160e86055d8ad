//! MariaDB: tables of engines without transactions, which keep the changes of a failed statement.

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::reports;
use crate::played::{On, Step, play, play_both};
use crate::support::{TestDb, TestResult};

mod only_mariadb {
    crate::support::tests_on! { mariadb:
        statement_that_fails_half_way_is_reported,
        insert_into_memory_that_fails_half_way_is_reported,
        failure_that_changes_nothing_is_not_reported,
    }
}

const PARENT: Table = Table::of("parent");

fn parents(engine: &str) -> Vec<String> {
    vec![
        format!(
            "CREATE TABLE parent (id INT PRIMARY KEY, n INT NOT NULL, UNIQUE (n)) ENGINE={engine}"
        ),
        "INSERT INTO parent VALUES (1, 1), (2, 2), (3, 3)".to_owned(),
    ]
}

async fn statement_that_fails_half_way_is_reported(db: &TestDb) -> TestResult {
    for engine in ["MyISAM", "Aria"] {
        let db = db.sibling().await?;
        let steps = [
            Step::Executed("UPDATE parent SET n = 9 WHERE id IN (2, 3)"),
            Step::Unprepared("UPDATE IGNORE parent SET n = 10 WHERE id IN (2, 3)"),
            Step::Executed("INSERT INTO parent VALUES (10, 11), (1, 12)"),
        ];
        let reports = play_both(&db, &[PARENT], &parents(engine), &steps).await?;
        let kept = reports.iter().filter(|r| r.contains("no transactions"));
        assert_eq!(kept.count(), 4, "{reports:?}");
        db.remove().await?;
    }
    Ok(())
}

async fn insert_into_memory_that_fails_half_way_is_reported(db: &TestDb) -> TestResult {
    let steps = [Step::Executed(
        "INSERT INTO parent VALUES (10, 11), (1, 12)",
    )];
    let reports = play_both(db, &[PARENT], &parents("MEMORY"), &steps).await?;
    assert_eq!(reports.len(), 2, "{reports:?}");
    Ok(())
}

async fn failure_that_changes_nothing_is_not_reported(db: &TestDb) -> TestResult {
    let steps = [
        Step::Executed("UPDATE parent SET nope = 9"),
        Step::Executed("UPDATE parent SET n ="),
    ];
    play(db, On::Connection, &[PARENT], parents("MyISAM"), &steps).await?;
    let other = db.sibling().await?;
    let steps = [Step::Executed(
        "INSERT INTO item (id, code, p) VALUES (9, 'n', 1), (1, 'm', 2)",
    )];
    let setup = items(other.backend(), 2);
    play(&other, On::Connection, &[Table::of("item")], setup, &steps).await?;
    assert!(reports(&other).await?.is_empty(), "InnoDB undoes it");
    other.remove().await
}
