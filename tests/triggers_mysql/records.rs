//! The content of a record on its object, and the omitted fields.
//!
//! One file, because its cases share the members.

use sea_orm::prelude::Uuid;
use sea_orm::{ActiveModelTrait, ConnectionTrait, Set};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::config::SENSITIVE_WORDS;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::json;

use crate::differences;
use crate::support::{TestDb, TestResult};
use crate::{change, client, taken, watched};

mod mariadb {
    crate::support::tests_on! { mariadb:
        treatments_are_kept,
        documents_with_secrets_are_redacted_as_a_whole,
        every_secret_word_is_found_in_short_documents_and_in_long_ones,
        labels_are_cut_and_made_harmless,
        document_in_a_label_is_shown_unless_it_holds_a_secret,
        keys_of_all_kinds_name_the_object,
        long_keys_stay_within_the_log_and_apart,
        secret_keys_are_not_shown,
        only_some_actions_are_recorded,
        configuration_that_skips_the_model_makes_no_trigger,
    }
}

mod member {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "member")]
    #[audit(
        capture = "trigger",
        name = "Member",
        module = "club",
        tenant = "org",
        display = "{name} of {org}"
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        pub org: Option<Uuid>,
        pub password: Option<String>,
        #[audit(plain)]
        pub token: Option<String>,
        #[audit(skip)]
        pub seen: Option<i32>,
        #[audit(redact)]
        pub salary: Option<i32>,
        #[audit(hash)]
        pub email: Option<String>,
        pub settings: Option<Json>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod shown {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "shown")]
    #[audit(capture = "trigger", name = "Shown", display = "{document} {plain}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub number: i32,
        pub document: Json,
        #[audit(plain)]
        pub plain: Json,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn document_in_a_label_is_shown_unless_it_holds_a_secret(db: &TestDb) -> TestResult {
    watched(db, shown::Entity).await?;
    let recorded = async |sql: &str| -> TestResult<(String, serde_json::Value)> {
        client(db, sql).await?;
        let record = db.record().await?;
        db.forget().await?;
        Ok((
            record.object_repr.unwrap_or_default(),
            record.changes.unwrap_or_default(),
        ))
    };
    for (document, plain, shown) in [
        (r#"{"n":1}"#, r#"{"pin":1}"#, r#"{"n":1} {"pin":1}"#),
        (r#"{"n":1e5}"#, r#"{"pin":1e5}"#, r#"{"n":1e5} {"pin":1e5}"#),
        (r#"{"pin":1}"#, r#"{"n":1}"#, r#"[redacted] {"n":1}"#),
    ] {
        let insert = format!(
            "INSERT INTO shown (id, number, document, plain) VALUES (1, 1, '{document}', '{plain}')"
        );
        let (label, changes) = recorded(&insert).await?;
        assert_eq!(label, shown);
        let plain: serde_json::Value = serde_json::from_str(plain)?;
        assert_eq!(changes["plain"], json!({ "new": plain }));
        let (label, changes) = recorded("UPDATE shown SET number = 2").await?;
        assert_eq!(label, shown);
        assert_eq!(changes, json!({"number": {"old": 1, "new": 2}}));
        assert_eq!(recorded("DELETE FROM shown").await?.0, shown);
    }
    let odd = "INSERT INTO shown (id, number, document, plain) VALUES (1, 1, '[1.]', '[1.]')";
    let (_, changes) = recorded(odd).await?;
    assert_eq!(changes["plain"], json!({"new": "[1.]"}));
    Ok(())
}

async fn treatments_are_kept(db: &TestDb) -> TestResult {
    watched(db, member::Entity).await?;
    let org = Uuid::from_u128(5);
    let row = member::ActiveModel {
        name: Set("Ann".into()),
        org: Set(Some(org)),
        password: Set(Some("s3cret".into())),
        token: Set(Some("open".into())),
        email: Set(Some("ann@example.org".into())),
        ..Default::default()
    };
    row.insert(&db.conn).await?;
    let record = db.record().await?;
    assert_eq!(record.model.as_deref(), Some("Member"));
    assert_eq!(record.module.as_deref(), Some("club"));
    assert_eq!(record.tenant, Some(org.to_string()));
    assert_eq!(record.object_repr, Some(format!("Ann of {org}")));
    assert_eq!(
        record.changes,
        Some(json!({
            "id": {"new": 1}, "name": {"new": "Ann"}, "org": {"new": org.to_string()},
            "password": {"redacted": true}, "token": {"new": "open"}, "salary": {"redacted": true},
            "email": {"redacted": true}, "settings": {"new": null},
        }))
    );
    taken(db).await?;
    client(
        db,
        "UPDATE member SET seen = 1; UPDATE member SET password = 's3cret', salary = 7",
    )
    .await?;
    assert_eq!(
        taken(db).await?,
        [r#"UPDATE Member 1 {"salary":{"redacted":true}}"#]
    );
    client(db, "UPDATE member SET password = 'S3cret', email = NULL").await?;
    assert_eq!(
        taken(db).await?,
        [r#"UPDATE Member 1 {"email":{"redacted":true},"password":{"redacted":true}}"#]
    );
    Ok(())
}

#[allow(clippy::too_many_lines)] // Two lists of words.
async fn documents_with_secrets_are_redacted_as_a_whole(db: &TestDb) -> TestResult {
    watched(db, member::Entity).await?;
    let recorded = async |json: serde_json::Value| -> TestResult<serde_json::Value> {
        let row = member::ActiveModel {
            name: Set("x".into()),
            settings: Set(Some(json)),
            ..Default::default()
        };
        row.insert(&db.conn).await?;
        let record = db.record().await?;
        db.forget().await?;
        Ok(record.changes.unwrap()["settings"].clone())
    };
    for key in [
        "password",
        "PASSWORD",
        "userPassword",
        "password_hash",
        "APIKey",
        "api-key",
        "apiKeys",
        "api key",
        "api\nkey",
        "X-Api-Key",
        "refresh_tokens",
        "private_key",
        "Authorization",
        "ssn",
        "cardNumber",
        "password2",
        "pin²",
        "PASSWORDHASH",
        "userpassword",
        "accesstoken",
        "clientSecret1",
        "my\tpin",
        "é_pin",
        "to\u{212a}en",
        "\"pin\"",
    ] {
        let secret = json!({"redacted": true});
        assert_eq!(recorded(json!({ key: "x" })).await?, secret, "{key}");
        assert_eq!(
            recorded(json!([{"a": {key: 7, "b": 1}}])).await?,
            secret,
            "{key}"
        );
    }
    for key in [
        "spinner",
        "pinned",
        "PINNER",
        "keyboard",
        "key",
        "monkey",
        "title",
        "id",
        "tokenizer",
        "secretary",
        "author",
        "",
        "shipping_address",
        "description",
        "café",
        "api",
        "pinto_bean",
    ] {
        let document = json!([{key: ["password", "\"token\": 1", {"a": "x\\"}]}]);
        assert_eq!(
            recorded(document.clone()).await?,
            json!({ "new": document }),
            "{key}"
        );
    }
    client(
        db,
        r#"UPDATE member SET settings = '{"p\\u0061ssword" : 1}' WHERE id = 1"#,
    )
    .await?;
    assert_eq!(
        taken(db).await?,
        [r#"UPDATE Member 1 {"settings":{"redacted":true}}"#]
    );
    client(
        db,
        r#"UPDATE member SET settings = '{"a": 1}' WHERE id = 1"#,
    )
    .await?;
    assert_eq!(
        taken(db).await?,
        [r#"UPDATE Member 1 {"settings":{"redacted":true}}"#]
    );
    client(
        db,
        r#"UPDATE member SET settings = '{"a": 2}' WHERE id = 1"#,
    )
    .await?;
    assert_eq!(
        taken(db).await?,
        [r#"UPDATE Member 1 {"settings":{"new":{"a":2},"old":{"a":1}}}"#]
    );
    Ok(())
}

/// Short documents are searched twice; the first search must miss no match of the second.
async fn every_secret_word_is_found_in_short_documents_and_in_long_ones(db: &TestDb) -> TestResult {
    db.create(member::Entity).await?;
    let config = AuditConfig::builder()
        .sensitive("plan_b")
        .sensitive("épée")
        .build()?;
    let triggers = || AuditTriggers::of::<member::Entity>();
    config.scope(triggers().create(&db.conn)).await?;
    let own = ["plan_b", "épée"];
    let camel = |word: &str| {
        let parts = word.split('_').map(|part| {
            let (first, rest) = part.split_at(part.chars().next().map_or(0, char::len_utf8));
            first.to_uppercase() + rest
        });
        parts.collect::<String>()
    };
    let words = SENSITIVE_WORDS.iter().chain(&own).copied();
    let keys = words.flat_map(|word| [word.to_owned(), camel(word), word.replace('_', "-")]);
    let keys: Vec<String> = keys.collect();
    assert!(keys.len() > 150);
    let padding = "a text in which no such word is. ".repeat(12);
    let documents = keys.iter().flat_map(|key| {
        let short = json!({"a": [{key.as_str(): 1}]});
        [short.clone(), json!([padding, short])]
    });
    for document in documents {
        let row = member::ActiveModel {
            name: Set("x".into()),
            settings: Set(Some(document.clone())),
            ..Default::default()
        };
        row.insert(&db.conn).await?;
        let record = db.record().await?;
        db.forget().await?;
        let recorded = &record.changes.unwrap_or_default()["settings"];
        assert_eq!(*recorded, json!({"redacted": true}), "{document}");
    }
    let row = member::ActiveModel {
        name: Set("x".into()),
        settings: Set(Some(json!([padding, {"plan": "b"}]))),
        ..Default::default()
    };
    row.insert(&db.conn).await?;
    let recorded = db.record().await?.changes.unwrap_or_default()["settings"].clone();
    assert_eq!(recorded, json!({"new": [padding, {"plan": "b"}]}));
    Ok(())
}

async fn labels_are_cut_and_made_harmless(db: &TestDb) -> TestResult {
    watched(db, member::Entity).await?;
    for (name, label) in [
        ("ä".repeat(196), format!("{} of ", "ä".repeat(196))),
        ("😀".repeat(250), format!("{}…", "😀".repeat(199))),
        ("a\r\nb\x1b[2J\t\0\x7f".into(), "a␍␊b␛[2J␉␀␡ of ".into()),
        (
            "a\u{85}b\u{2028}c\u{202e}d\u{2066}".into(),
            "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd} of ".into(),
        ),
    ] {
        let row = member::ActiveModel {
            name: Set(name),
            ..Default::default()
        };
        row.insert(&db.conn).await?;
        assert_eq!(db.record().await?.object_repr, Some(label));
        db.forget().await?;
    }
    Ok(())
}

macro_rules! keyed {
    ($name:ident, $($key:ident: $type:ty),* ; $($more:tt)*) => {
        mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = "keyed")]
            #[audit(capture = "trigger", $($more)*)]
            pub struct Model {
                $(#[sea_orm(primary_key, auto_increment = false)] pub $key: $type,)*
                pub note: Option<i32>,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}

keyed!(text_key, a: String; name = "keyed");
keyed!(uuid_key, a: Uuid; name = "keyed");
keyed!(bytes_key, a: Vec<u8>; name = "keyed");
keyed!(huge_key, a: u64; name = "keyed");
keyed!(pair_key, a: String, b: Uuid, c: i64; name = "keyed");
keyed!(secret_key, pin: String, b: i32; name = "keyed");

macro_rules! ids {
    ($db:expr, $name:ident, { $($key:ident: $value:expr),* }) => {{
        $db.execute_unprepared("DROP TABLE IF EXISTS keyed").await?;
        watched($db, $name::Entity).await?;
        let row = $name::ActiveModel { $($key: Set($value.into()),)* note: Set(None) };
        let mut row: $name::ActiveModel = row.insert(&$db.conn).await?.into();
        row.note = Set(Some(1));
        row.update(&$db.conn).await?;
        $db.execute_unprepared("DELETE FROM keyed").await?;
        let records = $db.records().await?;
        $db.forget().await?;
        assert_eq!(records.len(), 3);
        let id = records[0].object_id.clone().unwrap();
        assert!(records.iter().all(|record| record.object_id.as_ref() == Some(&id)));
        (id, records[0].object_repr.clone().unwrap())
    }};
}

async fn keys_of_all_kinds_name_the_object(db: &TestDb) -> TestResult {
    let uuid = Uuid::from_u128(0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF);
    let text = uuid.to_string();
    assert_eq!(ids!(db, text_key, { a: "a\"b\\ 😀" }).0, "a\"b\\ 😀");
    assert_eq!(
        ids!(db, text_key, { a: "a\nb" }),
        ("a\nb".into(), "keyed #a␊b".into())
    );
    assert_eq!(
        ids!(db, uuid_key, { a: uuid }),
        (text.clone(), format!("keyed #{text}"))
    );
    assert_eq!(
        ids!(db, bytes_key, { a: vec![0_u8, 0xCA, 0xFE] }).0,
        "00cafe"
    );
    assert_eq!(ids!(db, huge_key, { a: u64::MAX }).0, u64::MAX.to_string());
    let (id, label) = ids!(db, pair_key, { a: "x\"\\\n/é", b: uuid, c: i64::MAX });
    assert_eq!(
        id,
        json!(["x\"\\\n/é", text, i64::MAX.to_string()]).to_string()
    );
    assert_eq!(label, format!("keyed #{}", id.replace('\n', "␊")));
    Ok(())
}

async fn long_keys_stay_within_the_log_and_apart(db: &TestDb) -> TestResult {
    watched(db, text_key::Entity).await?;
    db.execute_unprepared(
        "ALTER TABLE keyed MODIFY a VARCHAR(750) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    )
    .await?;
    let mut ids = Vec::new();
    for end in ["x", "y"] {
        let row = text_key::ActiveModel {
            a: Set("ä".repeat(700) + end),
            note: Set(None),
        };
        row.insert(&db.conn).await?;
        let record = db.record().await?;
        ids.push(record.object_id.unwrap());
        db.forget().await?;
    }
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        assert_eq!(id.chars().count(), 600);
        assert!(
            id.starts_with(&format!("{}~sha256:", "ä".repeat(528))),
            "{id}"
        );
    }
    Ok(())
}

async fn secret_keys_are_not_shown(db: &TestDb) -> TestResult {
    let (id, _) = ids!(db, secret_key, { pin: "1234", b: 5 });
    assert_eq!(id, r#"["[redacted]",5]"#);
    Ok(())
}

mod created_only {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "created_only")]
    #[audit(capture = "trigger", skip_actions(Update, Delete), only(qty))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub qty: i32,
        pub other: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn only_some_actions_are_recorded(db: &TestDb) -> TestResult {
    watched(db, created_only::Entity).await?;
    client(
        db,
        "INSERT INTO created_only (qty) VALUES (1); UPDATE created_only SET qty = 2; DELETE FROM created_only",
    )
    .await?;
    assert_eq!(
        taken(db).await?,
        [r#"CREATE created_only 1 {"qty":{"new":1}}"#]
    );
    Ok(())
}

async fn configuration_that_skips_the_model_makes_no_trigger(db: &TestDb) -> TestResult {
    db.create(member::Entity).await?;
    let triggers = AuditTriggers::of::<member::Entity>();
    let config = AuditConfig::builder().skip_model("Member").build()?;
    config.scope(triggers.create(&db.conn)).await?;
    assert_eq!(differences(triggers, &db.conn).await?.len(), 3);
    client(db, "INSERT INTO member (name) VALUES ('x')").await?;
    assert_eq!(taken(db).await?, [""; 0]);
    triggers.recreate(&db.conn).await?;
    client(db, "UPDATE member SET name = 'y'").await?;
    assert_eq!(change(&db.record().await?, "name", "new"), Some(json!("y")));
    Ok(())
}
