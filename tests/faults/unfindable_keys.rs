//! Keys by which a row cannot be searched for: NULL, and values that the model's type cannot hold.

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on!(postgres: writes_of_keys_beyond_the_type_succeed);
}

mod sqlite {
    crate::support::tests_on! { sqlite:
        null_keys_of_conflict_clauses_are_reported,
        table_that_a_temporary_one_hides_is_recorded_by_its_qualified_name,
    }
}

mod mariadb {
    crate::support::tests_on! { mariadb:
        returned_columns_in_other_case_are_recorded,
        ignored_row_is_not_recorded_as_an_older_one,
        equal_number_of_another_table_hides_no_row,
        bits_of_a_boolean_field_are_recorded,
    }
}

/// A transaction stays usable as well: no statement of the log fails in it.
async fn writes_of_keys_beyond_the_type_succeed(db: &TestDb) -> TestResult {
    for (table, kind, odd, usual) in [
        ("amount", "NUMERIC", "'NaN'", "1.1"),
        ("amount", "NUMERIC", "1e40", "1.1"),
        ("day", "DATE", "'infinity'", "'2026-11-30'"),
    ] {
        let setup = [
            format!("DROP TABLE IF EXISTS {table}"),
            format!("CREATE TABLE {table} (id {kind} PRIMARY KEY, n INTEGER NOT NULL)"),
            format!("INSERT INTO {table} VALUES ({odd}, 1), ({usual}, 2)"),
        ];
        let oracle = Oracle::new(db, &[], setup).await?;
        let upsert = format!(
            "INSERT INTO {table} VALUES ({odd}, 7) ON CONFLICT (id) DO UPDATE SET n = excluded.n"
        );
        let statements = [
            (Call::Execute, format!("UPDATE {table} SET n = n + 1")),
            (Call::Unprepared, format!("UPDATE {table} SET n = n + 1")),
            (
                Call::QueryAll,
                format!("UPDATE {table} SET n = n + 1 RETURNING n"),
            ),
            (
                Call::QueryAll,
                format!("DELETE FROM {table} WHERE n < 9 RETURNING n"),
            ),
            (
                Call::QueryAll,
                format!("INSERT INTO {table} VALUES ({odd}, 1) RETURNING n"),
            ),
            (Call::Execute, upsert),
            (Call::Execute, format!("DELETE FROM {table}")),
        ];
        for (call, sql) in &statements {
            let outcome = oracle.same(*call, sql, &[]).await;
            assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
        }
        let all: Vec<(Call, &str)> = statements
            .iter()
            .map(|(call, sql)| (*call, &**sql))
            .collect();
        oracle.in_transaction(&all).await?;
        let reports = reports(db).await?;
        assert!(
            reports.iter().any(|it| it.contains("cannot be read")),
            "{reports:?}"
        );
    }
    Ok(())
}

async fn null_keys_of_conflict_clauses_are_reported(db: &TestDb) -> TestResult {
    let setup = ["CREATE TABLE word (id TEXT PRIMARY KEY, n INTEGER NOT NULL)"];
    let oracle = Oracle::new(db, &[], setup).await?;
    for sql in [
        "INSERT INTO word VALUES (NULL, 5) ON CONFLICT (id) DO UPDATE SET n = 4",
        "REPLACE INTO word VALUES (NULL, 6)",
        "INSERT INTO word VALUES ('a', 5), (NULL, 7) ON CONFLICT (id) DO UPDATE SET n = 4",
    ] {
        let before = reports(db).await?.len();
        oracle.executes(sql).await;
        assert!(reports(db).await?.len() > before, "{sql}");
    }
    Ok(())
}

async fn table_that_a_temporary_one_hides_is_recorded_by_its_qualified_name(
    db: &TestDb,
) -> TestResult {
    let oracle = Oracle::new(db, &[Table::of("main.item")], items(db.backend(), 3)).await?;
    oracle
        .in_transaction(&[
            // The count of CREATE TABLE is that of the statement before.
            (Call::Execute, "UPDATE item SET p = 9 WHERE id = 1"),
            (
                Call::Unprepared,
                "CREATE TEMP TABLE item (id INTEGER PRIMARY KEY, code TEXT, p INTEGER)",
            ),
            (Call::Execute, "UPDATE main.item SET p = 77 WHERE id = 2"),
            (Call::Unprepared, "DELETE FROM main.item WHERE id = 3"),
            (
                Call::Execute,
                "INSERT INTO main.item (code, p) VALUES ('new', 5)",
            ),
            (
                Call::Execute,
                "INSERT INTO item (code, p) VALUES ('temporary', 5)",
            ),
            (Call::Unprepared, "DROP TABLE temp.item"),
        ])
        .await?;
    let log = db.log().await?;
    assert_eq!(log.len(), 4, "{log:#?}");
    assert!(
        log[1].starts_with("UPDATE item 2") && log[2].starts_with("DELETE item 3"),
        "{log:#?}"
    );
    Ok(())
}

/// The server names a returned column as the statement writes it.
async fn returned_columns_in_other_case_are_recorded(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[Table::of("item")], items(db.backend(), 2)).await?;
    for call in [Call::QueryAll, Call::QueryOne] {
        let sql =
            format!("INSERT INTO item (CODE, P) VALUES ('{call:?}', 5) RETURNING ID, Code, P");
        oracle.same(call, &sql, &[]).await;
    }
    oracle.recorded().await
}

/// The row is skipped for its foreign key, and `LAST_INSERT_ID()` still names the row before.
async fn ignored_row_is_not_recorded_as_an_older_one(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 2);
    setup.push("ALTER TABLE item ADD FOREIGN KEY (p) REFERENCES item (id)".to_owned());
    let oracle = Oracle::new(db, &[Table::of("item")], setup).await?;
    oracle
        .in_transaction(&[
            (
                Call::Execute,
                "INSERT INTO item (code, p) VALUES ('new', 1)",
            ),
            (
                Call::Execute,
                "INSERT IGNORE INTO item (p) VALUES (77) RETURNING p",
            ),
        ])
        .await?;
    oracle.recorded_or_reported().await
}

/// The number of another table's row is that of the inserted row.
async fn equal_number_of_another_table_hides_no_row(db: &TestDb) -> TestResult {
    for (call, returning, is_recorded) in [
        (Call::QueryAll, " RETURNING *", true),
        (Call::QueryOne, " RETURNING id", true),
        (Call::QueryAll, " RETURNING p", false),
        (Call::QueryAll, "", false),
        (Call::Execute, "", true),
    ] {
        db.forget().await?;
        let mut setup = vec!["DROP TABLE IF EXISTS item, other".to_owned()];
        setup.extend(items(db.backend(), 2));
        setup.push(
            "CREATE TABLE other (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 3".to_owned(),
        );
        let oracle = Oracle::new(db, &[Table::of("item")], setup).await?;
        let sql = format!("INSERT IGNORE INTO item (p) VALUES (77), (78){returning}");
        oracle
            .in_transaction(&[
                (Call::Execute, "INSERT INTO other () VALUES ()"),
                (call, &sql),
            ])
            .await?;
        if is_recorded {
            oracle.recorded().await?;
        } else {
            oracle.recorded_or_reported().await?;
        }
    }
    Ok(())
}

async fn bits_of_a_boolean_field_are_recorded(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE switch (id INT PRIMARY KEY, flag BIT(4) NOT NULL)".to_owned(),
        "INSERT INTO switch VALUES (1, 1), (2, 0)".to_owned(),
    ];
    let oracle = Oracle::new(db, &[], setup).await?;
    oracle
        .executes("UPDATE switch SET flag = 2 WHERE id = 1")
        .await;
    oracle
        .executes("UPDATE switch SET flag = 3 WHERE id = 1")
        .await;
    let log = db.log().await?;
    assert_eq!(log.len(), 2, "{log:#?}");
    assert!(log[1].contains(r#"{"flag":{"new":3,"old":2}}"#), "{log:#?}");
    Ok(())
}
