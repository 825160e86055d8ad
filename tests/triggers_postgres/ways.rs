//! Every way in which `psql` can change rows.

use sea_orm::ConnectionTrait;

use crate::client::{create, psql};
use crate::entity::{branch, leaf, post, root};
use crate::replay::replay;
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    statements_of_many_rows_are_recorded_row_by_row,
    upserts_are_recorded_as_what_they_did,
    merge_is_recorded,
    copy_is_recorded,
    statements_inside_of_others_are_recorded,
    truncate_is_recorded_as_deletes,
    rows_whose_key_changes_are_recorded_under_the_old_one,
    cascades_of_the_database_are_recorded_two_levels_deep,
    truncate_cascade_is_recorded_on_every_table,
    partitioned_tables_are_recorded_and_so_are_rows_that_move,
    rows_of_inheriting_tables_are_recorded_by_way_of_their_parent,
    plan_made_for_one_row_does_for_thousands,
    statement_that_is_rolled_back_leaves_no_record,
}

async fn statements_of_many_rows_are_recorded_row_by_row(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "INSERT INTO post (title, score) VALUES ('a', 1), ('b', NULL), ('c', 3);
         INSERT INTO post (title, score) SELECT title || title, score FROM post;
         UPDATE post SET score = COALESCE(score, 0) + 1 WHERE id <> 2;
         UPDATE post SET title = p.title, score = p.score FROM post p WHERE p.id = post.id - 3;
         DELETE FROM post USING (VALUES (1), (4)) AS v (id) WHERE v.id = post.id;
         UPDATE post SET title = title;
         UPDATE post SET score = 7 WHERE false;
         DELETE FROM post WHERE id = 99;",
    )
    .await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE post 1 {"id":{"new":1},"score":{"new":1},"title":{"new":"a"}}"#,
            r#"CREATE post 2 {"id":{"new":2},"score":{"new":null},"title":{"new":"b"}}"#,
            r#"CREATE post 3 {"id":{"new":3},"score":{"new":3},"title":{"new":"c"}}"#,
            r#"CREATE post 4 {"id":{"new":4},"score":{"new":1},"title":{"new":"aa"}}"#,
            r#"CREATE post 5 {"id":{"new":5},"score":{"new":null},"title":{"new":"bb"}}"#,
            r#"CREATE post 6 {"id":{"new":6},"score":{"new":3},"title":{"new":"cc"}}"#,
            r#"UPDATE post 1 {"score":{"new":2,"old":1}}"#,
            r#"UPDATE post 3 {"score":{"new":4,"old":3}}"#,
            r#"UPDATE post 4 {"score":{"new":2,"old":1}}"#,
            r#"UPDATE post 5 {"score":{"new":1,"old":null}}"#,
            r#"UPDATE post 6 {"score":{"new":4,"old":3}}"#,
            r#"UPDATE post 4 {"title":{"new":"a","old":"aa"}}"#,
            r#"UPDATE post 5 {"score":{"new":null,"old":1},"title":{"new":"b","old":"bb"}}"#,
            r#"UPDATE post 6 {"title":{"new":"c","old":"cc"}}"#,
            r#"DELETE post 1 {"id":{"old":1},"score":{"old":2},"title":{"old":"a"}}"#,
            r#"DELETE post 4 {"id":{"old":4},"score":{"old":2},"title":{"old":"a"}}"#,
        ]
    );
    replay(db, &["post"]).await
}

async fn upserts_are_recorded_as_what_they_did(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "INSERT INTO post (id, title, score) VALUES (1, 'a', 1), (2, 'b', 2);
         INSERT INTO post (id, title, score) VALUES (2, 'c', 3), (3, 'd', 4)
           ON CONFLICT (id) DO UPDATE SET title = excluded.title;
         INSERT INTO post (id, title) VALUES (3, 'e'), (4, 'f') ON CONFLICT DO NOTHING;
         INSERT INTO post (id, title) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET title = 'a';",
    )
    .await?;
    let log = db.log().await?;
    assert_eq!(log.len(), 5, "{log:#?}");
    assert!(log.contains(&r#"UPDATE post 2 {"title":{"new":"c","old":"b"}}"#.to_owned()));
    replay(db, &["post"]).await
}

async fn merge_is_recorded(db: &TestDb) -> TestResult {
    if !db.has_merge().await? {
        return Ok(());
    }
    create(db, post::Entity).await?;
    psql(
        db,
        "INSERT INTO post (id, title, score) VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3);
         MERGE INTO post USING (VALUES (1, 'x'), (2, 'b'), (3, 'c'), (7, 'new'), (8, 'newer'))
           AS v (id, title) ON v.id = post.id
           WHEN MATCHED AND v.id = 3 THEN DELETE
           WHEN MATCHED THEN UPDATE SET title = v.title
           WHEN NOT MATCHED THEN INSERT (id, title) VALUES (v.id, v.title);",
    )
    .await?;
    let mut log = db.log().await?.split_off(3);
    log.sort();
    assert_eq!(
        log,
        [
            r#"CREATE post 7 {"id":{"new":7},"score":{"new":null},"title":{"new":"new"}}"#,
            r#"CREATE post 8 {"id":{"new":8},"score":{"new":null},"title":{"new":"newer"}}"#,
            r#"DELETE post 3 {"id":{"old":3},"score":{"old":3},"title":{"old":"c"}}"#,
            r#"UPDATE post 1 {"title":{"new":"x","old":"a"}}"#,
        ]
    );
    replay(db, &["post"]).await
}

async fn copy_is_recorded(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    // The end of the input ends the CSV: a `\.` line would be data to a server from 18 on.
    psql(
        db,
        "COPY post (id, title, score) FROM stdin;\n1\tone\\ntwo\t1\n2\tb\\\\\t\\N\n\\.\n\
         COPY post (id, title, score) FROM stdin WITH (FORMAT csv);\n3,\"a \"\"b\"\"\",4\n",
    )
    .await?;
    assert_eq!(db.records().await?.len(), 3);
    replay(db, &["post"]).await
}

async fn statements_inside_of_others_are_recorded(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "CREATE VIEW shown AS SELECT id, title FROM post WHERE score > 0;
         CREATE FUNCTION raise_all() RETURNS void LANGUAGE sql AS
           'UPDATE post SET score = score + 1';
         INSERT INTO post (title, score) VALUES ('a', 1), ('b', 2);
         UPDATE shown SET title = 'via view' WHERE id = 1;
         SELECT raise_all();
         DO $$ BEGIN FOR i IN 1..3 LOOP INSERT INTO post (title) VALUES ('loop ' || i);
           UPDATE post SET score = i WHERE title = 'loop ' || i; END LOOP; END $$;
         PREPARE p (int) AS DELETE FROM post WHERE id = $1; EXECUTE p(3); EXECUTE p(4);
         WITH gone AS (DELETE FROM post WHERE id = 1 RETURNING *),
           changed AS (UPDATE post SET score = 0 WHERE id = 2)
           INSERT INTO post (title, score) SELECT title || ' again', score FROM gone;",
    )
    .await?;
    replay(db, &["post"]).await
}

async fn truncate_is_recorded_as_deletes(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "INSERT INTO post (title) VALUES ('a'), ('b');
         ALTER TABLE post RENAME TO \"Moved it's\"; TRUNCATE \"Moved it's\";
         ALTER TABLE \"Moved it's\" RENAME TO post; INSERT INTO post (title) VALUES ('c');",
    )
    .await?;
    assert_eq!(
        db.log().await?[2..],
        [
            r#"DELETE post 1 {"id":{"old":1},"score":{"old":null},"title":{"old":"a"}}"#,
            r#"DELETE post 2 {"id":{"old":2},"score":{"old":null},"title":{"old":"b"}}"#,
            r#"CREATE post 3 {"id":{"new":3},"score":{"new":null},"title":{"new":"c"}}"#,
        ]
    );
    replay(db, &["post"]).await
}

async fn rows_whose_key_changes_are_recorded_under_the_old_one(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "INSERT INTO post (id, title) VALUES (3, 'c'), (2, 'b'), (1, 'a');
         UPDATE post SET id = id + 1, title = 'still ' || title;",
    )
    .await?;
    assert_eq!(
        db.log().await?[3..],
        [
            r#"UPDATE post 3 {"id":{"new":4,"old":3},"title":{"new":"still c","old":"c"}}"#,
            r#"UPDATE post 2 {"id":{"new":3,"old":2},"title":{"new":"still b","old":"b"}}"#,
            r#"UPDATE post 1 {"id":{"new":2,"old":1},"title":{"new":"still a","old":"a"}}"#,
        ]
    );
    replay(db, &["post"]).await
}

async fn related(db: &TestDb) -> TestResult {
    create(db, root::Entity).await?;
    create(db, branch::Entity).await?;
    create(db, leaf::Entity).await?;
    psql(
        db,
        "ALTER TABLE branch ADD FOREIGN KEY (root_id) REFERENCES root ON DELETE CASCADE
           ON UPDATE CASCADE;
         ALTER TABLE leaf ADD FOREIGN KEY (branch_id) REFERENCES branch ON DELETE CASCADE;
         ALTER TABLE leaf ADD FOREIGN KEY (beside_id) REFERENCES branch ON DELETE SET NULL;
         INSERT INTO root VALUES (1), (2), (3);
         INSERT INTO branch VALUES (11, 1), (12, 1), (21, 2);
         INSERT INTO leaf VALUES (111, 11, NULL), (112, 11, 21), (121, 12, 11), (211, 21, 12);",
    )
    .await?;
    db.forget().await?;
    Ok(())
}

async fn cascades_of_the_database_are_recorded_two_levels_deep(db: &TestDb) -> TestResult {
    related(db).await?;
    psql(
        db,
        "DELETE FROM root WHERE id = 1; UPDATE root SET id = 9 WHERE id = 2;",
    )
    .await?;
    let mut log = db.log().await?;
    log.sort();
    assert_eq!(
        log,
        [
            r#"DELETE branch 11 {"id":{"old":11},"root_id":{"old":1}}"#,
            r#"DELETE branch 12 {"id":{"old":12},"root_id":{"old":1}}"#,
            r#"DELETE leaf 111 {"beside_id":{"old":null},"branch_id":{"old":11},"id":{"old":111}}"#,
            r#"DELETE leaf 112 {"beside_id":{"old":21},"branch_id":{"old":11},"id":{"old":112}}"#,
            r#"DELETE leaf 121 {"beside_id":{"old":null},"branch_id":{"old":12},"id":{"old":121}}"#,
            r#"DELETE root 1 {"id":{"old":1}}"#,
            r#"UPDATE branch 21 {"root_id":{"new":9,"old":2}}"#,
            r#"UPDATE leaf 121 {"beside_id":{"new":null,"old":11}}"#,
            r#"UPDATE leaf 211 {"beside_id":{"new":null,"old":12}}"#,
            r#"UPDATE root 2 {"id":{"new":9,"old":2}}"#,
        ]
    );
    Ok(())
}

async fn truncate_cascade_is_recorded_on_every_table(db: &TestDb) -> TestResult {
    related(db).await?;
    psql(db, "TRUNCATE root CASCADE").await?;
    let records = db.records().await?;
    assert_eq!(records.len(), 10);
    assert!(records.iter().all(|record| record.action == "DELETE"));
    Ok(())
}

async fn partitioned_tables_are_recorded_and_so_are_rows_that_move(db: &TestDb) -> TestResult {
    psql(
        db,
        "CREATE TABLE post (id int PRIMARY KEY, title text, score int) PARTITION BY RANGE (id);
         CREATE TABLE low (score int, id int NOT NULL, title text);
         ALTER TABLE post ATTACH PARTITION low FOR VALUES FROM (0) TO (100);
         CREATE TABLE high PARTITION OF post FOR VALUES FROM (100) TO (200);",
    )
    .await?;
    sea_orm_audit::migration::AuditTriggers::of::<post::Entity>()
        .create(&db.conn)
        .await?;
    psql(
        db,
        "INSERT INTO post VALUES (1, 'a', 1), (150, 'b', 2), (2, 'c', 3), (60, 'd', 4);
         UPDATE post SET id = CASE WHEN id < 100 THEN id + 100 ELSE id - 100 END
           WHERE id IN (1, 150, 2);
         UPDATE post SET score = 0;
         DELETE FROM post WHERE id = 102;",
    )
    .await?;
    let log = db.log().await?;
    for expected in [
        r#"UPDATE post 1 {"id":{"new":101,"old":1}}"#,
        r#"UPDATE post 150 {"id":{"new":50,"old":150}}"#,
        r#"UPDATE post 102 {"score":{"new":0,"old":3}}"#,
        r#"DELETE post 102 {"id":{"old":102},"score":{"old":0},"title":{"old":"c"}}"#,
    ] {
        assert!(log.contains(&expected.to_owned()), "{expected} in {log:#?}");
    }
    replay(db, &["post"]).await?;
    psql(db, "TRUNCATE post").await?;
    assert_eq!(
        db.records()
            .await?
            .iter()
            .filter(|r| r.action == "DELETE")
            .count(),
        4
    );
    Ok(())
}

async fn rows_of_inheriting_tables_are_recorded_by_way_of_their_parent(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "CREATE TABLE child (more text) INHERITS (post);
         INSERT INTO post (id, title) VALUES (1, 'a'); INSERT INTO child (id, title) VALUES (2, 'b');
         UPDATE post SET title = 'c';",
    )
    .await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE post 1 {"id":{"new":1},"score":{"new":null},"title":{"new":"a"}}"#,
            r#"UPDATE post 1 {"title":{"new":"c","old":"a"}}"#,
            r#"UPDATE post 2 {"title":{"new":"c","old":"b"}}"#,
        ]
    );
    Ok(())
}

async fn plan_made_for_one_row_does_for_thousands(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "INSERT INTO post (title, score) SELECT 'title ' || n, n FROM generate_series(1, 20000) n;
         UPDATE post SET score = -score WHERE id = 1;
         SET statement_timeout = '60s';
         UPDATE post SET score = score + 1, title = upper(title);
         DELETE FROM post WHERE id % 2 = 0;",
    )
    .await?;
    replay(db, &["post"]).await
}

async fn statement_that_is_rolled_back_leaves_no_record(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "BEGIN; INSERT INTO post (title) VALUES ('a'); SAVEPOINT s; INSERT INTO post (title)
           VALUES ('b'); ROLLBACK TO s; COMMIT; BEGIN; DELETE FROM post; ROLLBACK;",
    )
    .await?;
    assert_eq!(db.records().await?.len(), 1);
    db.execute_unprepared("ALTER TABLE audit_log ADD CHECK (action <> 'DELETE')")
        .await?;
    assert!(psql(db, "DELETE FROM post").await.is_err());
    replay(db, &["post"]).await
}
