//! Omitted, redacted, displayed and cut values.

use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::json;

use crate::client::{captured, changes, sqlite3, text, triggers};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite:
        fields_are_recorded_redacted_or_left_out,
        update_that_changes_nothing_records_nothing,
        actions_that_are_left_out_have_no_trigger,
        labels_are_cut_and_harmless,
        keys_of_every_kind_are_recorded,
        row_names_its_tenant_and_module,
    );
}

mod person {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "person")]
    #[audit(capture = "trigger", name = "Person", module = "hr", tenant = "org")]
    #[audit(display = "{name} <{mail}> {password}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: Option<String>,
        #[audit(plain)]
        pub mail: Option<String>,
        pub password: Option<String>,
        #[audit(redact)]
        pub salary: Option<f64>,
        #[audit(hash)]
        pub badge: Option<String>,
        #[audit(skip)]
        pub cache: Option<String>,
        pub doc: Option<Json>,
        #[audit(plain)]
        pub open_doc: Option<Json>,
        pub org: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod only {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "only_one")]
    #[audit(capture = "trigger", only(a), skip_actions(Delete))]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub raw: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub word: String,
        pub a: i32,
        pub b: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod worded {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "worded")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn fields_are_recorded_redacted_or_left_out(db: &TestDb) -> TestResult {
    captured(db, person::Entity).await?;
    let redacted = json!({"redacted": true});
    sqlite3(
        db,
        r#"INSERT INTO person VALUES (1, 'Ann', 'a@x', 'p', 5, 'b', 'c', '{"a":1}', '{"pin":1}', 9)"#,
    )
    .await?;
    let created = changes(db).await?;
    assert_eq!(
        created,
        json!({
            "id": {"new": 1}, "name": {"new": "Ann"}, "mail": {"new": "a@x"}, "password": redacted,
            "salary": redacted, "badge": redacted, "doc": {"new": {"a": 1}},
            "open_doc": {"new": {"pin": 1}}, "org": {"new": 9},
        })
    );
    sqlite3(
        db,
        "UPDATE person SET password = 'q', salary = 6, badge = 'c', cache = 'd'",
    )
    .await?;
    assert_eq!(
        changes(db).await?,
        json!({"password": redacted, "salary": redacted, "badge": redacted})
    );
    sqlite3(
        db,
        r#"UPDATE person SET doc = '{"a":1,"pin":2}', open_doc = '{"pin":2}'"#,
    )
    .await?;
    assert_eq!(
        changes(db).await?,
        json!({"doc": redacted, "open_doc": {"old": {"pin": 1}, "new": {"pin": 2}}})
    );
    sqlite3(db, "DELETE FROM person").await?;
    let deleted = changes(db).await?;
    assert_eq!(deleted["doc"], redacted);
    assert_eq!(deleted["password"], redacted);
    assert_eq!(deleted["name"], json!({"old": "Ann"}));
    assert_eq!(deleted.get("cache"), None);
    Ok(())
}

async fn update_that_changes_nothing_records_nothing(db: &TestDb) -> TestResult {
    captured(db, person::Entity).await?;
    sqlite3(
        db,
        r#"INSERT INTO person VALUES (1, 'Ann', 'a', 'p', 5, 'b', 'c', '{"a":1,"b":[{"c":2,"d":3}]}', 'null', 9)"#,
    )
    .await?;
    db.forget().await?;
    for sql in [
        "UPDATE person SET name = name, password = 'p', salary = 5.0, badge = 'b'",
        "UPDATE person SET cache = 'else'",
        r#"UPDATE person SET doc = ' { "b" : [{"d":3,"c":2}],"a":1}'"#,
        "UPDATE person SET open_doc = NULL",
        r#"UPDATE person SET open_doc = '"null"' WHERE id = 2"#,
    ] {
        sqlite3(db, sql).await?;
        assert_eq!(db.log().await?, [""; 0], "{sql}");
    }
    for sql in [
        "UPDATE person SET name = 'ann'",
        "UPDATE person SET name = 'ann '",
        r#"UPDATE person SET doc = '{"b":[{"d":3,"c":2}],"a":2}'"#,
        r#"UPDATE person SET doc = '{"b":[{"d":3,"c":2}],"a":2,"a":2}'"#,
        "UPDATE person SET doc = '[1,2]'",
        "UPDATE person SET doc = '[2,1]'",
    ] {
        sqlite3(db, sql).await?;
        changes(db).await?;
    }
    Ok(())
}

async fn actions_that_are_left_out_have_no_trigger(db: &TestDb) -> TestResult {
    captured(db, only::Entity).await?;
    sqlite3(
        db,
        "INSERT INTO only_one VALUES (x'018f0000abcd700080000000000000ff', x'00ff', 'it''s', 1, 1); \
         UPDATE only_one SET b = 2; UPDATE only_one SET a = 3; DELETE FROM only_one",
    )
    .await?;
    let id = r#"["018f0000-abcd-7000-8000-0000000000ff","00ff","it's"]"#;
    assert_eq!(
        db.log().await?,
        [
            format!(r#"CREATE only_one {id} {{"a":{{"new":1}}}}"#),
            format!(r#"UPDATE only_one {id} {{"a":{{"new":3,"old":1}}}}"#),
        ]
    );
    let count = "SELECT CAST(count(*) AS TEXT) AS text FROM sqlite_master WHERE type = 'trigger'";
    assert_eq!(text(db, count).await?.as_deref(), Some("2"));
    // An entity that the configuration skips has no triggers either.
    let config = AuditConfig::builder().skip_model("only_one").build()?;
    AuditTriggers::of::<only::Entity>().drop(&db.conn).await?;
    config.scope(triggers::<only::Entity>(db)).await?;
    assert_eq!(text(db, count).await?.as_deref(), Some("0"));
    Ok(())
}

async fn labels_are_cut_and_harmless(db: &TestDb) -> TestResult {
    captured(db, person::Entity).await?;
    for (name, expected) in [
        ("'Ann'", "Ann <a@x> [redacted]".to_owned()),
        ("NULL", " <a@x> [redacted]".to_owned()),
        (
            "'a' || char(10, 27, 127, 133, 8238, 8232, 8297) || 'b' || char(0) || 'c'",
            "a␊␛␡\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}b␀c <a@x> [redacted]".to_owned(),
        ),
        ("printf('%.200c', 'ä')", format!("{}…", "ä".repeat(199))),
        (
            "replace(hex(zeroblob(600000)), '0', 'x')",
            format!("{}…", "x".repeat(199)),
        ),
        (
            "char(10) || replace(hex(zeroblob(200)), '0', char(10))",
            format!("{}…", "␊".repeat(199)),
        ),
        (
            "replace(hex(zeroblob(90)), '0', 'x')",
            format!("{} <a@x> [redacted]", "x".repeat(180)),
        ),
    ] {
        sqlite3(
            db,
            &format!("INSERT INTO person (name, mail) VALUES ({name}, 'a@x')"),
        )
        .await?;
        let record = db.record().await?;
        assert_eq!(record.object_repr, Some(expected), "{name}");
        db.forget().await?;
    }
    Ok(())
}

async fn keys_of_every_kind_are_recorded(db: &TestDb) -> TestResult {
    captured(db, worded::Entity).await?;
    let long = "ä".repeat(700);
    for (id, object_id, label) in [
        ("7", "7", "worded #7"),
        ("", "", "worded #"),
        ("a\"b\\c\u{1}é🦀", "a\"b\\c\u{1}é🦀", "worded #a\"b\\c␁é🦀"),
        ("\\u0000", "\\u0000", "worded #\\u0000"),
        (
            "a\0b\\\\u0000",
            "a\u{FFFD}b\\\\u0000",
            "worded #a␀b\\\\u0000",
        ),
        (&long, &long, &format!("worded #{}…", "ä".repeat(191))),
    ] {
        use sea_orm::{EntityTrait, Set};
        let new = worded::ActiveModel {
            id: Set(id.to_owned()),
        };
        worded::Entity::insert(new).exec(&db.conn).await?;
        let record = db.record().await?;
        assert_eq!(record.object_id.as_deref(), Some(object_id));
        assert_eq!(record.object_repr.as_deref(), Some(label));
        assert_eq!(record.changes, Some(json!({"id": {"new": id}})));
        db.forget().await?;
    }
    Ok(())
}

async fn row_names_its_tenant_and_module(db: &TestDb) -> TestResult {
    captured(db, person::Entity).await?;
    sqlite3(
        db,
        r#"INSERT INTO audit_trigger_context VALUES (1, '{"tenant": "ctx", "module": "other"}', NULL);
        INSERT INTO person (id, org) VALUES (1, 9007199254740993), (2, NULL)"#,
    )
    .await?;
    let records = db.records().await?;
    let of = |at: usize| {
        let record: &sea_orm_audit::entity::audit_log::Model = &records[at];
        (
            record.tenant.as_deref(),
            record.module.as_deref(),
            record.model.as_deref(),
        )
    };
    assert_eq!(
        of(0),
        (Some("9007199254740993"), Some("hr"), Some("Person"))
    );
    assert_eq!(of(1), (Some("ctx"), Some("hr"), Some("Person")));
    Ok(())
}
