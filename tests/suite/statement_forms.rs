//! Hand-written statements of many forms: their changes are captured or reported.
//!
//! One file, because its cases share the posts.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Statement,
};
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    several_statements_in_one_text_are_captured,
    values_are_bound_where_they_belong,
    limited_update_records_the_rows_that_it_writes,
    volatile_filter_is_reported,
    update_by_a_subquery_of_its_own_table_is_captured,
    with_that_reads_is_captured,
    rows_inserted_by_a_query_are_captured,
    table_may_be_qualified_and_have_an_alias,
    changed_key_is_recorded_under_the_old_one,
    changed_keys_of_several_rows_are_reported,
    reads_and_other_tables_pass,
    returned_rows_are_the_statements_own,
    or_of_thousands_is_understood,
}

mod only_postgres {
    crate::support::tests_on!(
        postgres: truncate_records_every_row,
        writing_with_and_merge_are_reported,
        update_from_another_table_is_captured,
    );
}

pub(crate) async fn posts(db: &TestDb, titles: &[&str]) -> TestResult<AuditedConnection> {
    db.create(post::Entity).await?;
    for title in titles {
        post::new(title).insert(&db.conn).await?;
    }
    db.forget().await?;
    Ok(db.audited())
}

async fn short(db: &TestDb) -> TestResult<Vec<String>> {
    let lines = db.records().await?.into_iter().map(|r| {
        let changes = r.changes.unwrap_or_default();
        format!(
            "{} {} {}",
            r.action,
            r.object_id.unwrap_or_default(),
            changes["qty"]
        )
    });
    Ok(lines.collect())
}

async fn several_statements_in_one_text_are_captured(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a"]).await?;
    audited
        .execute_unprepared(
            "UPDATE post SET qty = 8; INSERT INTO post (title, qty) VALUES ('b;c', 1); SELECT 1; \
             DELETE FROM post WHERE title = 'a'",
        )
        .await?;
    assert_eq!(
        short(db).await?,
        [
            r#"UPDATE 1 {"new":8,"old":7}"#,
            r#"CREATE 2 {"new":1}"#,
            r#"DELETE 1 {"old":8}"#,
        ]
    );
    let ids: std::collections::HashSet<_> = db
        .records()
        .await?
        .into_iter()
        .map(|r| r.transaction_id)
        .collect();
    assert_eq!(ids.len(), 1);
    Ok(())
}

fn bound(db: &TestDb, sql: &str, values: Vec<sea_orm::Value>) -> Statement {
    let mut text = String::new();
    let mut number = 0;
    for c in sql.chars() {
        // Not the one inside of a literal.
        if c == '?' && text.ends_with(' ') && db.backend() == DbBackend::Postgres {
            number += 1;
            text.push_str(&format!("${number}"));
        } else {
            text.push(c);
        }
    }
    Statement::from_sql_and_values(db.backend(), text, values)
}

async fn values_are_bound_where_they_belong(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b", "c?"]).await?;
    let statement = bound(
        db,
        "UPDATE post SET qty = ?, body = ? WHERE title = ? OR (title = 'c?' AND qty = ?)",
        vec![9.into(), "x".into(), "b".into(), 7.into()],
    );
    let result = audited.execute_raw(statement).await?;
    assert_eq!(result.rows_affected(), 2);
    assert_eq!(
        short(db).await?,
        [
            r#"UPDATE 2 {"new":9,"old":7}"#,
            r#"UPDATE 3 {"new":9,"old":7}"#
        ]
    );
    Ok(())
}

async fn limited_update_records_the_rows_that_it_writes(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b", "c"]).await?;
    let sql = match db.backend() {
        DbBackend::MySql => "UPDATE post SET qty = qty + 1 ORDER BY id DESC LIMIT 2",
        _ => {
            "UPDATE post SET qty = qty + 1 WHERE id IN \
             (SELECT id FROM post ORDER BY title DESC LIMIT 2)"
        }
    };
    let result = audited.execute_raw(bound(db, sql, Vec::new())).await?;
    assert_eq!(result.rows_affected(), 2);
    let mut lines = short(db).await?;
    lines.sort();
    assert_eq!(
        lines,
        [
            r#"UPDATE 2 {"new":8,"old":7}"#,
            r#"UPDATE 3 {"new":8,"old":7}"#
        ]
    );
    Ok(())
}

async fn volatile_filter_is_reported(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b", "c", "d", "e", "f", "g", "h"]).await?;
    let random = match db.backend() {
        DbBackend::MySql => "rand() < 0.5",
        DbBackend::Postgres => "random() < 0.5",
        _ => "random() > 0",
    };
    for round in 8..20 {
        let sql = format!("UPDATE post SET qty = {round} WHERE {random}");
        audited.execute_unprepared(&sql).await?;
    }
    assert_eq!(db.log().await?, [""; 0]);
    let events = db.events().await?;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].occurrences, 12);
    Ok(())
}

/// The log, applied to the first rows, gives the final rows.
pub(crate) async fn replays(db: &TestDb) -> TestResult {
    let mut expected = std::collections::BTreeMap::new();
    for record in db.records().await? {
        let changes = record.changed().unwrap_or_default();
        let Some(qty) = changes.get("qty") else {
            continue;
        };
        let id: i32 = record.object_id.unwrap_or_default().parse()?;
        let known = expected
            .get(&id)
            .cloned()
            .unwrap_or_else(|| serde_json::json!(7));
        assert_eq!(qty.old_value(), Some(&known), "row {id}");
        expected.insert(id, qty.new_value().cloned().unwrap_or_default());
    }
    assert!(!expected.is_empty());
    for post in post::Entity::find().all(&db.conn).await? {
        let known = expected
            .get(&post.id)
            .cloned()
            .unwrap_or_else(|| serde_json::json!(7));
        assert_eq!(known, post.qty, "row {}", post.id);
    }
    Ok(())
}

async fn update_by_a_subquery_of_its_own_table_is_captured(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b"]).await?;
    audited
        .execute_unprepared("UPDATE post SET qty = id * 10")
        .await?;
    db.forget().await?;
    // MySQL allows a subquery of the written table only as a derived table.
    audited
        .execute_unprepared(
            "UPDATE post SET qty = 0 WHERE qty < (SELECT m FROM (SELECT MAX(qty) AS m FROM post) AS x)",
        )
        .await?;
    assert_eq!(short(db).await?, [r#"UPDATE 1 {"new":0,"old":10}"#]);
    Ok(())
}

async fn with_that_reads_is_captured(db: &TestDb) -> TestResult {
    if db.backend() == DbBackend::MySql {
        // MariaDB has no WITH before UPDATE.
        return Ok(());
    }
    let audited = posts(db, &["a", "b"]).await?;
    audited
        .execute_unprepared(
            "WITH chosen AS (SELECT id FROM post WHERE title = 'b') \
             UPDATE post SET qty = 1 WHERE id IN (SELECT id FROM chosen)",
        )
        .await?;
    audited
        .execute_unprepared(
            "WITH chosen AS (SELECT id FROM post WHERE title = 'a') \
             DELETE FROM post WHERE id IN (SELECT id FROM chosen)",
        )
        .await?;
    assert_eq!(
        short(db).await?,
        [r#"UPDATE 2 {"new":1,"old":7}"#, r#"DELETE 1 {"old":7}"#]
    );
    Ok(())
}

async fn rows_inserted_by_a_query_are_captured(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b"]).await?;
    let copy = match db.backend() {
        DbBackend::MySql => "CONCAT(title, '2')",
        _ => "title || '2'",
    };
    let sql = format!("INSERT INTO post (title, qty) SELECT {copy}, 5 FROM post");
    let result = audited.execute_unprepared(&sql).await?;
    assert_eq!(result.rows_affected(), 2);
    assert_eq!(
        short(db).await?,
        [r#"CREATE 3 {"new":5}"#, r#"CREATE 4 {"new":5}"#]
    );
    Ok(())
}

async fn table_may_be_qualified_and_have_an_alias(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a"]).await?;
    let schema = match db.backend() {
        DbBackend::Sqlite => "main".to_owned(),
        DbBackend::Postgres => "public".to_owned(),
        _ => {
            let sql = Statement::from_string(DbBackend::MySql, "SELECT DATABASE() AS name");
            let row = db.query_one_raw(sql).await?.ok_or("no database")?;
            row.try_get("", "name")?
        }
    };
    let alias = if db.backend() == DbBackend::MySql {
        "AS P"
    } else {
        "AS p"
    };
    let name = &alias[3..];
    audited
        .execute_unprepared(&format!(
            "UPDATE {schema}.post {alias} SET qty = 3 WHERE {name}.id = 1"
        ))
        .await?;
    audited
        .execute_unprepared(&format!("DELETE FROM {schema}.post WHERE post.title = 'a'"))
        .await?;
    assert_eq!(
        short(db).await?,
        [r#"UPDATE 1 {"new":3,"old":7}"#, r#"DELETE 1 {"old":3}"#]
    );
    Ok(())
}

async fn changed_key_is_recorded_under_the_old_one(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b"]).await?;
    audited
        .execute_unprepared("UPDATE post SET id = 17 WHERE title = 'a'")
        .await?;
    assert_eq!(
        db.log().await?,
        [r#"UPDATE post 1 {"id":{"new":17,"old":1}}"#]
    );
    Ok(())
}

async fn changed_keys_of_several_rows_are_reported(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b"]).await?;
    audited
        .execute_unprepared("UPDATE post SET id = id + 100")
        .await?;
    assert_eq!(db.log().await?, [""; 0]);
    let event = db.events().await?.pop().ok_or("no event")?;
    assert!(
        event
            .description
            .unwrap_or_default()
            .contains("it changes the key")
    );
    Ok(())
}

async fn reads_and_other_tables_pass(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a"]).await?;
    db.execute_unprepared("CREATE TABLE unaudited (id INTEGER PRIMARY KEY, n INTEGER)")
        .await?;
    let (result, statements) = db
        .statements_of(async {
            assert_eq!(post::Entity::find().all(&audited).await?.len(), 1);
            assert_eq!(post::Entity::find().count(&audited).await?, 1);
            let insert = bound(
                db,
                "INSERT INTO unaudited (id, n) VALUES ( ?, ?)",
                vec![1.into(), 2.into()],
            );
            audited.execute_raw(insert).await?;
            let update = bound(db, "UPDATE unaudited SET n = ?", vec![3.into()]);
            audited.execute_raw(update).await?;
            TestResult::Ok(())
        })
        .await;
    result?;
    assert_eq!(statements.len(), 4, "{statements:#?}");
    Ok(())
}

async fn returned_rows_are_the_statements_own(db: &TestDb) -> TestResult {
    if db.backend() == DbBackend::MySql {
        return Ok(());
    }
    let audited = posts(db, &["a", "b"]).await?;
    let sql = "UPDATE post SET qty = qty + id WHERE id < 3 RETURNING UPPER(title) AS title, qty";
    let rows = audited
        .query_all_raw(Statement::from_string(db.backend(), sql))
        .await?;
    let mut titles: Vec<String> = rows
        .iter()
        .map(|row| row.try_get("", "title"))
        .collect::<Result<_, _>>()?;
    titles.sort();
    assert_eq!(titles, ["A", "B"]);
    assert_eq!(
        short(db).await?,
        [
            r#"UPDATE 1 {"new":8,"old":7}"#,
            r#"UPDATE 2 {"new":9,"old":7}"#
        ]
    );
    // Every row is captured, though `query_one` returns one.
    db.forget().await?;
    audited
        .query_one_raw(Statement::from_string(
            db.backend(),
            "DELETE FROM post RETURNING id",
        ))
        .await?;
    assert_eq!(db.log().await?.len(), 2);
    Ok(())
}

async fn or_of_thousands_is_understood(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b"]).await?;
    let ors: Vec<String> = (0..3000).map(|n| format!("qty = {n}")).collect();
    let sql = format!("UPDATE post SET qty = 5 WHERE {}", ors.join(" OR "));
    let run = match db.backend() {
        // SQLite's own limit is a depth of 1000.
        DbBackend::Sqlite => sql.replace(&ors[900..].join(" OR "), "qty = 900"),
        _ => sql,
    };
    audited.execute_unprepared(&run).await?;
    assert_eq!(db.log().await?.len(), 2);
    Ok(())
}

async fn truncate_records_every_row(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b", "c"]).await?;
    let config = AuditConfig::builder().chunk_rows(2).build()?;
    audited
        .with_config(config)
        .execute_unprepared("TRUNCATE TABLE post RESTART IDENTITY")
        .await?;
    assert_eq!(
        short(db).await?,
        [
            r#"DELETE 1 {"old":7}"#,
            r#"DELETE 2 {"old":7}"#,
            r#"DELETE 3 {"old":7}"#
        ]
    );
    assert_eq!(post::Entity::find().count(&db.conn).await?, 0);
    Ok(())
}

async fn writing_with_and_merge_are_reported(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a"]).await?;
    db.execute_unprepared("CREATE TABLE archive (id INT, title TEXT)")
        .await?;
    audited
        .execute_unprepared(
            "WITH gone AS (DELETE FROM post RETURNING id, title) \
             INSERT INTO archive SELECT id, title FROM gone",
        )
        .await?;
    assert_eq!(db.events().await?.len(), 1);
    if !db.has_merge().await? {
        return Ok(());
    }
    audited
        .execute_unprepared(
            "MERGE INTO post USING archive ON archive.id = post.id \
             WHEN NOT MATCHED THEN INSERT (title) VALUES (archive.title)",
        )
        .await?;
    // Of no audited table.
    audited
        .execute_unprepared(
            "MERGE INTO archive USING post ON archive.id = post.id \
             WHEN MATCHED THEN UPDATE SET title = 'x'",
        )
        .await?;
    assert_eq!(db.events().await?.len(), 2);
    Ok(())
}

async fn update_from_another_table_is_captured(db: &TestDb) -> TestResult {
    let audited = posts(db, &["a", "b"]).await?;
    db.execute_unprepared("CREATE TABLE other (title TEXT, qty INT)")
        .await?;
    db.execute_unprepared("INSERT INTO other VALUES ('b', 70), ('b', 70), ('c', 1)")
        .await?;
    audited
        .execute_unprepared(
            "UPDATE post AS p SET qty = other.qty FROM other WHERE other.title = p.title",
        )
        .await?;
    audited
        .execute_unprepared("DELETE FROM post USING other WHERE other.title = post.title")
        .await?;
    assert_eq!(
        short(db).await?,
        [r#"UPDATE 2 {"new":70,"old":7}"#, r#"DELETE 2 {"old":70}"#]
    );
    Ok(())
}
