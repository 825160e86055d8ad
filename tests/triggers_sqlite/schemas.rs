//! Tables of every kind, and tables that change under their triggers.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::json;

use crate::client::{captured, changes, run, sqlite3, text, triggers};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite:
        column_is_added_dropped_or_renamed,
        table_that_is_built_anew_has_no_triggers,
        table_that_is_renamed_keeps_its_triggers,
        two_hundred_columns_and_a_mebibyte_are_recorded,
        tables_of_every_make_are_captured,
        triggers_are_kept_word_by_word,
    );
}

mod note {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "note")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: Option<String>,
        pub body: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn column_is_added_dropped_or_renamed(db: &TestDb) -> TestResult {
    captured(db, note::Entity).await?;
    let ours = AuditTriggers::of::<note::Entity>();
    // A column that was added after the triggers is not recorded.
    sqlite3(
        db,
        "ALTER TABLE note ADD COLUMN more TEXT; INSERT INTO note VALUES (1, 'a', 'b', 'c')",
    )
    .await?;
    let created = json!({"id": {"new": 1}, "title": {"new": "a"}, "body": {"new": "b"}});
    assert_eq!(changes(db).await?, created);
    // The recorded name stays until the triggers are recreated.
    let before = definition(db).await?;
    sqlite3(
        db,
        "ALTER TABLE note RENAME COLUMN title TO heading; UPDATE note SET heading = 'd'",
    )
    .await?;
    assert_eq!(
        changes(db).await?,
        json!({"title": {"old": "a", "new": "d"}})
    );
    assert_ne!(definition(db).await?, before);
    sqlite3(db, "ALTER TABLE note RENAME COLUMN heading TO title").await?;
    assert_eq!(definition(db).await?, before);
    // SQLite refuses to drop a column that a trigger names.
    let refused = run(db, "ALTER TABLE note DROP COLUMN title")
        .await?
        .unwrap_err();
    assert!(
        refused.contains("error in trigger sea_orm_audit_note_"),
        "{refused}"
    );
    sqlite3(db, "UPDATE note SET title = 'e'").await?;
    assert_eq!(
        changes(db).await?,
        json!({"title": {"old": "d", "new": "e"}})
    );
    ours.drop(&db.conn).await?;
    sqlite3(
        db,
        "ALTER TABLE note DROP COLUMN more; ALTER TABLE note DROP COLUMN title",
    )
    .await?;
    sqlite3(db, "ALTER TABLE note ADD COLUMN title TEXT").await?;
    ours.recreate(&db.conn).await?;
    sqlite3(db, "UPDATE note SET title = 'f'").await?;
    assert_eq!(
        changes(db).await?,
        json!({"title": {"old": null, "new": "f"}})
    );
    assert_eq!(definition(db).await?, before);
    Ok(())
}

async fn definition(db: &TestDb) -> TestResult<Option<String>> {
    let sql = "SELECT group_concat(sql, x'0a') AS text FROM \
               (SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name)";
    text(db, sql).await
}

async fn table_that_is_built_anew_has_no_triggers(db: &TestDb) -> TestResult {
    captured(db, note::Entity).await?;
    let before = definition(db).await?;
    sqlite3(
        db,
        "INSERT INTO note VALUES (1, 'a', 'b'); PRAGMA foreign_keys = OFF; BEGIN; \
         CREATE TABLE new_note (id INTEGER PRIMARY KEY, title TEXT, body TEXT, more INT); \
         INSERT INTO new_note SELECT *, 1 FROM note; DROP TABLE note; \
         ALTER TABLE new_note RENAME TO note; COMMIT; UPDATE note SET title = 'z'",
    )
    .await?;
    assert_eq!(db.log().await?.len(), 1);
    assert_eq!(definition(db).await?, None);
    AuditTriggers::of::<note::Entity>()
        .recreate(&db.conn)
        .await?;
    assert_eq!(definition(db).await?, before);
    db.forget().await?;
    sqlite3(db, "UPDATE note SET title = 'y'").await?;
    assert_eq!(
        changes(db).await?,
        json!({"title": {"old": "z", "new": "y"}})
    );
    Ok(())
}

async fn table_that_is_renamed_keeps_its_triggers(db: &TestDb) -> TestResult {
    captured(db, note::Entity).await?;
    let before = definition(db).await?;
    sqlite3(
        db,
        "ALTER TABLE note RENAME TO memo; INSERT INTO memo VALUES (1, 'a', 'b')",
    )
    .await?;
    assert_eq!(db.record().await?.model.as_deref(), Some("note"));
    assert_ne!(definition(db).await?, before);
    Ok(())
}

mod wide {
    //! Two hundred columns beside the key and a document.

    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    macro_rules! wide {
        ($($column:ident)*) => {
            #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = "wide")]
            #[audit(capture = "trigger")]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                pub doc: Option<Json>,
                $(pub $column: Option<String>,)*
            }
        };
    }

    wide! {
        a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 c0 c1 c2 c3 c4 c5 c6 c7 c8 c9
        d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 f0 f1 f2 f3 f4 f5 f6 f7 f8 f9
        g0 g1 g2 g3 g4 g5 g6 g7 g8 g9 h0 h1 h2 h3 h4 h5 h6 h7 h8 h9 i0 i1 i2 i3 i4 i5 i6 i7 i8 i9
        j0 j1 j2 j3 j4 j5 j6 j7 j8 j9 k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 l0 l1 l2 l3 l4 l5 l6 l7 l8 l9
        m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 n0 n1 n2 n3 n4 n5 n6 n7 n8 n9 o0 o1 o2 o3 o4 o5 o6 o7 o8 o9
        p0 p1 p2 p3 p4 p5 p6 p7 p8 p9 q0 q1 q2 q3 q4 q5 q6 q7 q8 q9 r0 r1 r2 r3 r4 r5 r6 r7 r8 r9
        s0 s1 s2 s3 s4 s5 s6 s7 s8 s9 t0 t1 t2 t3 t4 t5 t6 t7 t8 t9
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn two_hundred_columns_and_a_mebibyte_are_recorded(db: &TestDb) -> TestResult {
    captured(db, wide::Entity).await?;
    sqlite3(db, "INSERT INTO wide (id, a0, t9) VALUES (1, 'a', 'z')").await?;
    let created = changes(db).await?;
    assert_eq!(created.as_object().map(serde_json::Map::len), Some(202));
    assert_eq!(created["t9"], json!({"new": "z"}));
    sqlite3(
        db,
        "UPDATE wide SET t8 = replace(hex(zeroblob(524288)), '0', char(34)), \
         doc = json_object('a', replace(hex(zeroblob(524288)), '0', 'x'))",
    )
    .await?;
    let updated = changes(db).await?;
    assert_eq!(updated["t8"]["new"].as_str().map(str::len), Some(1 << 20));
    assert_eq!(
        updated["doc"]["new"]["a"].as_str().map(str::len),
        Some(1 << 20)
    );
    sqlite3(db, "DELETE FROM wide").await?;
    assert_eq!(
        changes(db).await?["t8"]["old"].as_str().map(str::len),
        Some(1 << 20)
    );
    Ok(())
}

async fn tables_of_every_make_are_captured(db: &TestDb) -> TestResult {
    for make in [
        "(id INTEGER PRIMARY KEY, title TEXT COLLATE NOCASE, body TEXT)",
        "(id INTEGER PRIMARY KEY, title TEXT COLLATE RTRIM, body TEXT)",
        "(id INT PRIMARY KEY, title TEXT, body TEXT) WITHOUT ROWID",
        "(id INT PRIMARY KEY, title TEXT, body TEXT) STRICT",
        "(id INT COLLATE NOCASE PRIMARY KEY, title TEXT, body TEXT)",
        "(id, title, body)",
    ] {
        sqlite3(
            db,
            &format!("DROP TABLE IF EXISTS note; CREATE TABLE note {make}"),
        )
        .await?;
        triggers::<note::Entity>(db).await?;
        db.forget().await?;
        sqlite3(
            db,
            "INSERT INTO note VALUES (1, 'a', 'b'); UPDATE note SET title = 'A'; \
             UPDATE note SET title = 'A '; DELETE FROM note",
        )
        .await?;
        assert_eq!(
            db.log().await?,
            [
                r#"CREATE note 1 {"body":{"new":"b"},"id":{"new":1},"title":{"new":"a"}}"#,
                r#"UPDATE note 1 {"title":{"new":"A","old":"a"}}"#,
                r#"UPDATE note 1 {"title":{"new":"A ","old":"A"}}"#,
                r#"DELETE note 1 {"body":{"old":"b"},"id":{"old":1},"title":{"old":"A "}}"#,
            ],
            "{make}"
        );
    }
    for make in ["STORED", "VIRTUAL"] {
        sqlite3(
            db,
            &format!(
                "DROP TABLE note; CREATE TABLE note (id INTEGER PRIMARY KEY, title TEXT, \
                 body TEXT AS (title || '!') {make})"
            ),
        )
        .await?;
        triggers::<note::Entity>(db).await?;
        db.forget().await?;
        sqlite3(db, "INSERT INTO note (title) VALUES ('a')").await?;
        assert_eq!(changes(db).await?["body"], json!({"new": "a!"}));
        sqlite3(db, "UPDATE note SET title = 'b'").await?;
        assert_eq!(
            changes(db).await?["body"],
            json!({"old": "a!", "new": "b!"})
        );
    }
    Ok(())
}

async fn triggers_are_kept_word_by_word(db: &TestDb) -> TestResult {
    captured(db, note::Entity).await?;
    let before = definition(db).await?.ok_or("no triggers")?;
    assert_eq!(
        before
            .matches("CREATE TRIGGER \"sea_orm_audit_note_")
            .count(),
        3
    );
    let error = AuditTriggers::of::<note::Entity>()
        .create(&db.conn)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    AuditTriggers::of::<note::Entity>()
        .recreate(&db.conn)
        .await?;
    assert_eq!(definition(db).await?.as_deref(), Some(before.as_str()));
    db.execute_unprepared("DROP TRIGGER sea_orm_audit_note_update")
        .await?;
    AuditTriggers::of::<note::Entity>().drop(&db.conn).await?;
    assert_eq!(definition(db).await?, None);
    Ok(())
}
