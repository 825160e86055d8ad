//! A migration changes the table but not the triggers: no write fails, and recreating fixes the triggers.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::AuditTriggers;

use crate::client::{create, psql, value};
use crate::entity::{marked, post, wide};
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    column_that_is_added_fails_no_write,
    column_that_is_dropped_fails_no_write,
    column_that_is_renamed_fails_no_write,
    key_that_is_dropped_fails_no_write,
    column_that_becomes_any_other_type_fails_no_write,
    every_column_can_go_in_a_session_that_has_planned_its_triggers,
    triggers_that_are_dropped_leave_nothing,
    virtual_columns_are_left_out_and_fail_no_write,
}

const WRITES: &str = "UPDATE post SET score = COALESCE(score, 0) + 1;
    INSERT INTO post (id) SELECT max(id) + 1 FROM post; DELETE FROM post WHERE id = 1;
    TRUNCATE post;";

async fn column_that_is_added_fails_no_write(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        &format!(
            "INSERT INTO post (title) VALUES ('a'); ALTER TABLE post ALTER title DROP NOT NULL;
             ALTER TABLE post ADD gone int DEFAULT 5; {WRITES}"
        ),
    )
    .await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE post 1 {"id":{"new":1},"score":{"new":null},"title":{"new":"a"}}"#,
            r#"UPDATE post 1 {"score":{"new":1,"old":null}}"#,
            r#"CREATE post 2 {"id":{"new":2},"score":{"new":null},"title":{"new":null}}"#,
            r#"DELETE post 1 {"id":{"old":1},"score":{"old":1},"title":{"old":"a"}}"#,
            r#"DELETE post 2 {"id":{"old":2},"score":{"old":null},"title":{"old":null}}"#,
        ]
    );
    Ok(())
}

async fn column_that_is_dropped_fails_no_write(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        &format!("INSERT INTO post (title) VALUES ('a'); ALTER TABLE post DROP title; {WRITES}"),
    )
    .await?;
    assert_eq!(
        db.log().await?[1..],
        [
            r#"UPDATE post 1 {"score":{"new":1,"old":null}}"#,
            r#"CREATE post 2 {"id":{"new":2},"score":{"new":null},"title":{"new":null}}"#,
            r#"DELETE post 1 {"id":{"old":1},"score":{"old":1},"title":{"old":null}}"#,
            r#"DELETE post 2 {"id":{"old":2},"score":{"old":null},"title":{"old":null}}"#,
        ]
    );
    Ok(())
}

async fn column_that_is_renamed_fails_no_write(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "INSERT INTO post (title) VALUES ('a'); ALTER TABLE post RENAME title TO t;
         INSERT INTO post (t) VALUES ('b'); UPDATE post SET t = t || t;
         ALTER TABLE post RENAME t TO title;",
    )
    .await?;
    assert_eq!(
        db.log().await?[1..],
        [r#"CREATE post 2 {"id":{"new":2},"score":{"new":null},"title":{"new":null}}"#]
    );
    db.forget().await?;
    AuditTriggers::of::<post::Entity>()
        .recreate(&db.conn)
        .await?;
    psql(db, "UPDATE post SET title = 'c' WHERE id = 1").await?;
    assert_eq!(
        db.log().await?,
        [r#"UPDATE post 1 {"title":{"new":"c","old":"aa"}}"#]
    );
    Ok(())
}

async fn key_that_is_dropped_fails_no_write(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "INSERT INTO post (title) VALUES ('a'); ALTER TABLE post DROP id;
         UPDATE post SET title = 'b'; DELETE FROM post;",
    )
    .await?;
    assert_eq!(db.records().await?.len(), 3);
    assert_eq!(db.records().await?[1].object_id, None);
    Ok(())
}

/// All types of the catalogue, and tables of one column of each: the shared functions handle all of them.
async fn column_that_becomes_any_other_type_fails_no_write(db: &TestDb) -> TestResult {
    create(db, marked::Entity).await?;
    create(db, wide::Entity).await?;
    create(db, post::Entity).await?;
    let names: String = value(
        db,
        "SELECT string_agg(format_type(oid, NULL), ';' ORDER BY oid) FROM pg_type
         WHERE typtype IN ('b', 'e', 'r', 'm') AND typnamespace = 'pg_catalog'::regnamespace
           AND typname NOT LIKE '%gtsvector' AND typname NOT LIKE 'pg\\_%' AND typname NOT LIKE '\\_pg\\_%'
           AND typname NOT IN ('int2vector', 'oidvector', '_cstring')",
    )
    .await?;
    db.execute_unprepared(
        "INSERT INTO wide DEFAULT VALUES; INSERT INTO post (title) VALUES ('a');",
    )
    .await?;
    assert!(names.split(';').count() > 100, "{names}");
    db.execute_unprepared("CREATE DOMAIN few AS numeric CHECK (value < 10)")
        .await?;
    for name in names.split(';').chain(["few", "few[]", "wide_mood"]) {
        for (table, column) in [
            ("wide", "instant"),
            ("wide", "larges"),
            ("wide", "json"),
            ("post", "score"),
        ] {
            let change = format!(
                "ALTER TABLE {table} ALTER {column} TYPE {name} USING NULL;
                 UPDATE {table} SET {column} = NULL;
                 INSERT INTO {table} SELECT * FROM {table} WHERE false;"
            );
            db.execute_unprepared(&change)
                .await
                .map_err(|error| format!("{table}.{column} as {name}: {error}"))?;
        }
    }
    db.execute_unprepared(
        "ALTER TABLE post ALTER score TYPE point USING NULL; UPDATE post SET score = '(1,2)';
         ALTER TABLE post ALTER score TYPE text USING score::text; UPDATE post SET score = 'x';
         ALTER TABLE post ALTER score TYPE json USING '{}'; UPDATE post SET score = '{\"a\": 1}';
         ALTER TABLE post ALTER score TYPE timestamptz USING NULL;
         UPDATE post SET score = '2026-01-01 00:00+01';",
    )
    .await?;
    assert_eq!(
        db.log().await?.split_off(db.records().await?.len() - 4),
        [
            r#"UPDATE post 1 {"score":{"new":"(1,2)","old":null}}"#,
            r#"UPDATE post 1 {"score":{"new":"x","old":"(1,2)"}}"#,
            r#"UPDATE post 1 {"score":{"new":{"a":1},"old":{}}}"#,
            r#"UPDATE post 1 {"score":{"new":"2025-12-31T23:00:00.000000Z","old":null}}"#,
        ]
    );
    Ok(())
}

async fn every_column_can_go_in_a_session_that_has_planned_its_triggers(db: &TestDb) -> TestResult {
    create(db, wide::Entity).await?;
    psql(
        db,
        "INSERT INTO wide (yes) VALUES (true), (false); UPDATE wide SET yes = NOT yes;
         DO $$ DECLARE c text; BEGIN
           FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 'wide'::regclass AND attnum > 0
           LOOP
             EXECUTE format('ALTER TABLE wide DROP %I', c);
             EXECUTE 'ALTER TABLE wide ADD x int';
             EXECUTE 'INSERT INTO wide (x) VALUES (1)';
             EXECUTE 'UPDATE wide SET x = x + 1';
             EXECUTE 'DELETE FROM wide WHERE ctid IN (SELECT ctid FROM wide LIMIT 1)';
             EXECUTE 'ALTER TABLE wide DROP x';
           END LOOP;
         END $$;
         TRUNCATE wide;",
    )
    .await?;
    Ok(())
}

async fn triggers_that_are_dropped_leave_nothing(db: &TestDb) -> TestResult {
    let count = "SELECT (SELECT count(*) FROM pg_proc WHERE proname LIKE 'sea\\_orm\\_audit%')
        + (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'sea\\_orm\\_audit%')";
    create(db, post::Entity).await?;
    create(db, marked::Entity).await?;
    AuditTriggers::of::<post::Entity>().drop(&db.conn).await?;
    AuditTriggers::of::<post::Entity>().drop(&db.conn).await?;
    psql(db, "INSERT INTO marked (title, password) VALUES ('a', 'b')").await?;
    assert_eq!(db.records().await?.len(), 1);
    db.execute_unprepared("DROP TABLE marked").await?;
    AuditTriggers::of::<marked::Entity>().drop(&db.conn).await?;
    assert_eq!(value::<i64>(db, count).await?, 0);
    Ok(())
}

async fn virtual_columns_are_left_out_and_fail_no_write(db: &TestDb) -> TestResult {
    if value::<i32>(db, "SELECT current_setting('server_version_num')::int").await? < 180_000 {
        return Ok(());
    }
    psql(
        db,
        "CREATE TABLE post (id serial PRIMARY KEY, title text NOT NULL,
           score int GENERATED ALWAYS AS (length(title)) VIRTUAL)",
    )
    .await?;
    let triggers = AuditTriggers::of::<post::Entity>();
    triggers.create(&db.conn).await?;
    assert!(triggers.check(&db.conn).await?.is_current());
    psql(
        db,
        "INSERT INTO post (title) VALUES ('a');
         ALTER TABLE post ADD twice int GENERATED ALWAYS AS (id * 2) VIRTUAL;
         INSERT INTO post (title) VALUES ('bb');
         UPDATE post SET title = 'ccc' WHERE id = 1; DELETE FROM post WHERE id = 1; TRUNCATE post;",
    )
    .await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE post 1 {"id":{"new":1},"title":{"new":"a"}}"#,
            r#"CREATE post 2 {"id":{"new":2},"title":{"new":"bb"}}"#,
            r#"UPDATE post 1 {"title":{"new":"ccc","old":"a"}}"#,
            r#"DELETE post 1 {"id":{"old":1},"title":{"old":"ccc"}}"#,
            r#"DELETE post 2 {"id":{"old":2},"title":{"old":"bb"}}"#,
        ]
    );
    Ok(())
}
