//! Obstacles between a change and its record: policies, old snapshots, functions of other clients, changed types.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::AuditTriggers;

use crate::client::{create, psql};
use crate::entity::{post, wide};
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    truncate_is_refused_where_a_policy_hides_rows,
    truncate_is_refused_under_an_old_snapshot,
    foreign_function_of_a_helpers_name_is_reported,
    key_that_became_long_stops_no_write,
    digits_of_points_are_compared_all,
    functions_refuse_triggers_of_other_roles,
    table_that_takes_the_name_of_another_gets_its_triggers,
    table_of_another_name_loses_the_triggers_of_the_old_one,
    every_record_can_be_read,
    roles_that_can_change_records_are_reported,
    table_with_a_foreign_partition_is_refused,
    without_a_log_there_are_no_triggers,
}

async fn truncate_is_refused_where_a_policy_hides_rows(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let role = "sea_orm_audit_hidden_from";
    psql(
        db,
        &format!(
            "DROP ROLE IF EXISTS {role}; CREATE ROLE {role}; GRANT ALL ON post, audit_log TO {role};
             GRANT ALL ON SEQUENCE audit_log_id_seq TO {role}; GRANT ALL ON SCHEMA public TO {role};
             ALTER FUNCTION sea_orm_audit_post_truncate() OWNER TO {role};
             INSERT INTO post (title) VALUES ('visible'), ('hidden');
             ALTER TABLE post ENABLE ROW LEVEL SECURITY;
             CREATE POLICY few ON post USING (title = 'visible');"
        ),
    )
    .await?;
    db.forget().await?;
    let refused = psql(db, "TRUNCATE post").await;
    let left = psql(db, "SELECT count(*) FROM post").await?;
    psql(
        db,
        &format!(
            "REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}"
        ),
    )
    .await?;
    assert!(refused.is_err_and(|error| error.to_string().contains("row-level security")));
    assert_eq!((left.trim(), db.log().await?.len()), ("2", 0));
    Ok(())
}

async fn truncate_is_refused_under_an_old_snapshot(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        psql(db, "INSERT INTO post (title) VALUES ('a')").await?;
        let refused = psql(
            db,
            &format!("BEGIN ISOLATION LEVEL {level}; TRUNCATE post; COMMIT"),
        )
        .await;
        assert!(refused.is_err_and(|error| error.to_string().contains("READ COMMITTED")));
    }
    psql(db, "BEGIN; TRUNCATE post; COMMIT").await?;
    let deleted = db.log().await?;
    assert_eq!(
        deleted
            .iter()
            .filter(|line| line.starts_with("DELETE"))
            .count(),
        2
    );
    Ok(())
}

async fn foreign_function_of_a_helpers_name_is_reported(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let triggers = AuditTriggers::of::<post::Entity>();
    assert!(triggers.check(&db.conn).await?.is_current());
    for arguments in ["text", "what text", "text, text"] {
        psql(
            db,
            &format!(
                "CREATE FUNCTION sea_orm_audit_json({arguments}) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$"
            ),
        )
        .await?;
        let check = triggers.check(&db.conn).await?;
        assert_eq!(check.out_of_date, ["sea_orm_audit_json"], "{arguments}");
        psql(
            db,
            &format!("DROP FUNCTION sea_orm_audit_json({arguments})"),
        )
        .await?;
        assert!(triggers.check(&db.conn).await?.is_current());
    }
    Ok(())
}

async fn key_that_became_long_stops_no_write(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    db.execute_unprepared(
        "ALTER TABLE post ALTER id DROP IDENTITY; ALTER TABLE post ALTER id TYPE text",
    )
    .await?;
    psql(
        db,
        "INSERT INTO post (id, title) VALUES (repeat('x', 700), 'a'), (repeat('y', 300), 'b');
         UPDATE post SET title = 'c'; DELETE FROM post;",
    )
    .await?;
    assert_eq!(db.log().await?.len(), 6);
    Ok(())
}

async fn digits_of_points_are_compared_all(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    db.execute_unprepared("ALTER TABLE post ALTER title TYPE point USING NULL")
        .await?;
    AuditTriggers::of::<post::Entity>()
        .recreate(&db.conn)
        .await?;
    psql(
        db,
        "SET extra_float_digits = 0; INSERT INTO post (title) VALUES ('(0.1234567890123456,0)');
         UPDATE post SET title = '(0.1234567890123457,0)'",
    )
    .await?;
    let log = db.log().await?;
    assert_eq!(
        log[1..],
        [
            r#"UPDATE post 1 {"title":{"new":"(0.1234567890123457,0)","old":"(0.1234567890123456,0)"}}"#
        ]
    );
    Ok(())
}

async fn functions_refuse_triggers_of_other_roles(db: &TestDb) -> TestResult {
    let role = "sea_orm_audit_by_default";
    psql(
        db,
        &format!(
            "DROP ROLE IF EXISTS {role}; CREATE ROLE {role};
             ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO {role};"
        ),
    )
    .await?;
    create(db, post::Entity).await?;
    let may = psql(
        db,
        &format!(
            "SELECT has_function_privilege('{role}', 'sea_orm_audit_post_insert()', 'EXECUTE')"
        ),
    )
    .await;
    psql(
        db,
        &format!(
            "REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}"
        ),
    )
    .await?;
    assert_eq!(may?.trim(), "f");
    Ok(())
}

async fn table_that_takes_the_name_of_another_gets_its_triggers(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let triggers = AuditTriggers::of::<post::Entity>();
    // The functions exist, and the old table's triggers call them.
    db.execute_unprepared("ALTER TABLE post RENAME TO post_old")
        .await?;
    db.create(post::Entity).await?;
    triggers.recreate(&db.conn).await?;
    assert!(triggers.check(&db.conn).await?.is_current());
    // The functions exist, and no trigger calls them.
    db.execute_unprepared("DROP TABLE post_old; DROP TABLE post")
        .await?;
    db.create(post::Entity).await?;
    triggers.create(&db.conn).await?;
    assert!(triggers.check(&db.conn).await?.is_current());
    psql(db, "INSERT INTO post (title) VALUES ('a')").await?;
    assert_eq!(db.log().await?.len(), 1);
    triggers.drop(&db.conn).await?;
    let left = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'sea\\_orm\\_audit\\_%'";
    assert_eq!(psql(db, left).await?.trim(), "0");
    Ok(())
}

async fn table_of_another_name_loses_the_triggers_of_the_old_one(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    db.execute_unprepared(
        "ALTER TABLE post RENAME TO wide_old; ALTER TABLE wide_old RENAME TO wide",
    )
    .await?;
    // As triggers of another entity that had the table's former name.
    let old = AuditTriggers::of::<wide::Entity>();
    old.create(&db.conn).await?;
    db.execute_unprepared("ALTER TABLE wide RENAME TO post")
        .await?;
    AuditTriggers::of::<post::Entity>()
        .recreate(&db.conn)
        .await?;
    psql(db, "INSERT INTO post (title) VALUES ('a')").await?;
    assert_eq!(db.log().await?.len(), 1);
    let left = r"SELECT count(*) FROM pg_proc WHERE proname LIKE 'sea\_orm\_audit\_wide%'";
    assert_eq!(psql(db, left).await?.trim(), "0");
    AuditTriggers::of::<post::Entity>().drop(&db.conn).await?;
    let left = r"SELECT count(*) FROM pg_proc WHERE proname LIKE 'sea\_orm\_audit\_%'";
    assert_eq!(psql(db, left).await?.trim(), "0");
    Ok(())
}

async fn every_record_can_be_read(db: &TestDb) -> TestResult {
    create(db, wide::Entity).await?;
    let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
    let wide_flat = format!("[{}]", vec!["[1]"; 200].join(","));
    psql(
        db,
        &format!(
            r#"INSERT INTO wide (jsonb, json) VALUES ('{{"a":1e400}}', '{{"a":1e400}}'), ('{deep}', '{deep}'),
                 ('{wide_flat}', '{wide_flat}');
             BEGIN; SELECT set_config('sea_orm_audit.context', '{{"metadata":{{"a":1e400}}}}', true);
             DELETE FROM wide WHERE id = 1; COMMIT;"#
        ),
    )
    .await?;
    let records = db.records().await?;
    assert_eq!(records.len(), 4);
    let stored =
        |at: usize, column: &str| records[at].changes.as_ref().unwrap()[column]["new"].clone();
    for column in ["jsonb", "json"] {
        // A value that is stored as text may hide its keys.
        let changes = records[0].changes.as_ref().unwrap();
        assert_eq!(changes[column], serde_json::json!({"redacted": true}));
        assert_eq!(stored(1, column), deep.as_str());
        assert_eq!(stored(2, column).as_array().map(Vec::len), Some(200));
    }
    assert_eq!(records[3].metadata, None);
    Ok(())
}

async fn roles_that_can_change_records_are_reported(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    let triggers = AuditTriggers::of::<post::Entity>();
    assert!(triggers.check(&db.conn).await?.is_current());
    // As before PostgreSQL 15.
    psql(db, "GRANT CREATE ON SCHEMA public TO PUBLIC").await?;
    let check = triggers.check(&db.conn).await?;
    assert!(!check.is_current());
    assert!(
        check.faults.len() == 1 && check.faults[0].starts_with("everybody may create"),
        "{check}"
    );
    psql(db, "REVOKE CREATE ON SCHEMA public FROM PUBLIC").await?;
    let role = "sea_orm_audit_may_not";
    psql(
        db,
        &format!(
            "DROP ROLE IF EXISTS {role}; CREATE ROLE {role}; GRANT CREATE ON SCHEMA public TO {role};
             ALTER FUNCTION sea_orm_audit_post_insert() OWNER TO {role};"
        ),
    )
    .await?;
    let check = triggers.check(&db.conn).await?;
    psql(
        db,
        &format!(
            "REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}"
        ),
    )
    .await?;
    assert!(
        check.to_string().contains("may not write the log"),
        "{check}"
    );
    assert!(triggers.check(&db.conn).await?.is_current());
    Ok(())
}

async fn table_with_a_foreign_partition_is_refused(db: &TestDb) -> TestResult {
    psql(
        db,
        "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
         CREATE TABLE post (id int, title text, score int) PARTITION BY LIST (id);
         CREATE FOREIGN TABLE post_far PARTITION OF post DEFAULT SERVER far;",
    )
    .await?;
    let triggers = AuditTriggers::of::<post::Entity>();
    let refused = triggers.create(&db.conn).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("`post_far`, a foreign table")));
    Ok(())
}

async fn without_a_log_there_are_no_triggers(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    db.execute_unprepared("ALTER TABLE audit_log RENAME TO moved")
        .await?;
    let refused = AuditTriggers::of::<post::Entity>().create(&db.conn).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("run the audit migrations")));
    Ok(())
}
