//! The effects of the derive and the configuration on a column.

use sea_orm::ConnectionTrait;
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::json;

use crate::client::{create, psql, value};
use crate::entity::{marked, partly, post};
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    marks_are_heeded,
    secrets_inside_json_redact_the_column,
    ordinary_keys_of_json_are_recorded,
    value_outside_of_jsonb_does_not_fail_the_write,
    difference_in_form_is_no_change,
    difference_that_a_custom_equality_misses_is_a_change,
    only_some_columns_and_actions_are_recorded,
    skips_of_the_configuration_are_heeded,
    labels_are_harmless_and_cut,
}

const ROW: &str = "INSERT INTO marked (title, code, org_id, password, salary, seen, token,
    settings, open_settings) VALUES ('Ann', 7, 'acme', 'hunter2', 100, 1, 'open',
    '{\"theme\": \"dark\"}', '{\"password\": \"p\"}');";

async fn marks_are_heeded(db: &TestDb) -> TestResult {
    create(db, marked::Entity).await?;
    psql(
        db,
        &format!(
            "{ROW} UPDATE marked SET password = 'x', salary = 200, seen = 2, org_id = NULL;
             UPDATE marked SET seen = 3; DELETE FROM marked;"
        ),
    )
    .await?;
    let records = db.records().await?;
    assert_eq!(records.len(), 3, "{records:#?}");
    for record in &records {
        assert_eq!(record.model.as_deref(), Some("Marked"));
        assert_eq!(record.module.as_deref(), Some("shop"));
        assert_eq!(record.object_repr.as_deref(), Some("Ann (7, [redacted])"));
        assert_eq!(record.outcome, "SUCCESS");
    }
    let tenants: Vec<_> = records.iter().map(|r| r.tenant.as_deref()).collect();
    assert_eq!(tenants, [Some("acme"), None, None]);
    assert_eq!(
        records[0].changes,
        Some(json!({
            "id": {"new": 1},
            "title": {"new": "Ann"},
            "code": {"new": 7},
            "org_id": {"new": "acme"},
            "password": {"redacted": true},
            "salary": {"redacted": true},
            "token": {"new": "open"},
            "settings": {"new": {"theme": "dark"}},
            "open_settings": {"new": {"password": "p"}},
        }))
    );
    assert_eq!(
        records[1].changes,
        Some(json!({
            "password": {"redacted": true},
            "salary": {"redacted": true},
            "org_id": {"old": "acme", "new": null},
        }))
    );
    assert_eq!(
        records[2].changes.as_ref().unwrap()["password"],
        json!({"redacted": true})
    );
    Ok(())
}

/// Sets a document, and returns its record.
async fn recorded(db: &TestDb, document: &str) -> TestResult<sea_orm::prelude::Json> {
    db.execute_unprepared("UPDATE marked SET settings = '{}'")
        .await?;
    db.forget().await?;
    let quoted = document.replace('\'', "''");
    db.execute_unprepared(&format!("UPDATE marked SET settings = '{quoted}'"))
        .await?;
    Ok(db.record().await?.changes.ok_or("no changes")?["settings"].take())
}

async fn secrets_inside_json_redact_the_column(db: &TestDb) -> TestResult {
    create(db, marked::Entity).await?;
    psql(db, ROW).await?;
    for key in [
        "password",
        "PASSWORD",
        "userPassword",
        "password_hash",
        "APIKey",
        "api-key",
        "apiKeys",
        "X-Api-Key",
        "refresh_tokens",
        "private_key",
        "Authorization",
        "ssn",
        "cardNumber",
        "password2",
        "PASSWORDHASH",
        "userpassword",
        "accesstoken",
        "clientSecret1",
        "userPin",
        "PINCode",
        "XPin",
        "my pin",
        "a\\\"b pin",
        "pin\\\"c",
        "\\npassword",
        "api\\nkey",
        "p\\u0061ssword",
        "pin ",
        "tokens2",
        "TOKEN_x",
        "pass\\u0077d.é",
        "épin",
        "oldPINs",
        "cvv2",
    ] {
        for document in [
            format!("{{\"{key}\": \"s3cret\"}}"),
            format!("[{{\"a\": [{{\"{key}\" : 1, \"b\": null}}]}}]"),
            format!("{{\"z\": true, \"{key}\": {{\"x\": 1}}}}"),
        ] {
            if key == "oldPINs" {
                continue; // The hooks read it as `old_PI_Ns`.
            }
            assert_eq!(
                recorded(db, &document).await?,
                json!({"redacted": true}),
                "{document}"
            );
        }
    }
    db.forget().await?;
    psql(
        db,
        "UPDATE marked SET settings = '{\"password\": \"a\"}';
         UPDATE marked SET settings = '{\"password\": \"b\"}';
         UPDATE marked SET settings = '{ \"password\" : \"b\" }'; DELETE FROM marked;",
    )
    .await?;
    let log = db.records().await?;
    assert_eq!(log.len(), 3, "{log:#?}");
    for record in &log {
        assert_eq!(
            record.changes.as_ref().unwrap()["settings"],
            json!({"redacted": true})
        );
    }
    Ok(())
}

async fn ordinary_keys_of_json_are_recorded(db: &TestDb) -> TestResult {
    create(db, marked::Entity).await?;
    psql(db, ROW).await?;
    for document in [
        json!({"shipping_address": "a", "spinner": 1, "keyboard": [1], "description": "d"}),
        json!({"pinned": 1, "key": 2, "monkey": "x", "tokenizer": "t", "secretary": "s"}),
        json!({"author": "a", "primaryKey": 5, "note": "the password: x", "SPINNER": 1}),
        json!({"has_password": true, "token": null, "spinCode": 1, "opinion": "p"}),
        json!({"html": "<a b=\"pin\">: \\", "list": ["password", "token: 1"]}),
        json!("\"password\": 1"),
    ] {
        let change = recorded(db, &document.to_string()).await?;
        if document.is_string() {
            assert_eq!(change, json!({"redacted": true}));
        } else {
            assert_eq!(change, json!({"old": {}, "new": document}));
        }
    }
    Ok(())
}

async fn value_outside_of_jsonb_does_not_fail_the_write(db: &TestDb) -> TestResult {
    create(db, marked::Entity).await?;
    psql(db, ROW).await?;
    for document in [
        "{\"a\": \"\\u0000\"}",
        "{\"a\": \"\\ud800\"}",
        "{\"a\": 1e999999}",
        "[\"\\u0000\", 1]",
    ] {
        let kept = recorded(db, document).await?;
        if document.starts_with('{') {
            assert_eq!(kept, json!({"redacted": true}), "{document}");
        } else {
            assert_eq!(kept, json!({"old": {}, "new": document}));
        }
        db.forget().await?;
        psql(
            db,
            &format!("UPDATE marked SET open_settings = '{document}'"),
        )
        .await?;
        let changes = db.record().await?.changes.unwrap();
        assert_eq!(changes["open_settings"]["new"], json!(document));
    }
    Ok(())
}

async fn difference_in_form_is_no_change(db: &TestDb) -> TestResult {
    create(db, crate::entity::wide::Entity).await?;
    psql(
        db,
        "ALTER TABLE wide ALTER exact TYPE numeric;
         INSERT INTO wide (twofold, single, exact, big_exact, json, jsonb, zoned, decimals, fractions,
           documents, padded, words)
           VALUES ('NaN', 0, 1.0, 1.0, '{\"a\": 1, \"b\": 2}', '1', '2026-01-01 00:00+00', '{1.0}',
           '{NaN, 0}', ARRAY['{\"a\": 1}']::json[], 'x', '{a}');
         UPDATE wide SET twofold = 'NaN', single = '-0', exact = 1.00, big_exact = 1.000,
           json = '{\"b\":2,  \"a\":1}', jsonb = '1.0', zoned = '2026-01-01 02:00+02',
           decimals = '{1.00}', fractions = '{NaN, -0}', documents = ARRAY['{ \"a\":1}']::json[],
           padded = 'x   ', words = '{\"a\"}';
         UPDATE wide SET json = NULL, jsonb = NULL;
         UPDATE wide SET json = 'null', jsonb = 'null';",
    )
    .await?;
    let log = db.records().await?;
    assert_eq!(log.len(), 2, "{log:#?}");
    Ok(())
}

async fn difference_that_a_custom_equality_misses_is_a_change(db: &TestDb) -> TestResult {
    create(db, post::Entity).await?;
    psql(
        db,
        "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
         ALTER TABLE post ALTER title TYPE text COLLATE blind;
         INSERT INTO post (title) VALUES ('a');
         UPDATE post SET title = 'Á'; UPDATE post SET title = 'Á ';",
    )
    .await?;
    assert_eq!(
        db.log().await?[1..],
        [
            r#"UPDATE post 1 {"title":{"new":"Á","old":"a"}}"#,
            r#"UPDATE post 1 {"title":{"new":"Á ","old":"Á"}}"#,
        ]
    );
    Ok(())
}

async fn only_some_columns_and_actions_are_recorded(db: &TestDb) -> TestResult {
    create(db, partly::Entity).await?;
    psql(
        db,
        "INSERT INTO partly (title, score) VALUES ('a', 1); UPDATE partly SET score = 2;
         UPDATE partly SET title = 'b', score = 3; DELETE FROM partly; TRUNCATE partly;",
    )
    .await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE partly 1 {"title":{"new":"a"}}"#,
            r#"UPDATE partly 1 {"title":{"new":"b","old":"a"}}"#,
        ]
    );
    let count = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'partly'::regclass";
    assert_eq!(value::<i64>(db, count).await?, 2);
    Ok(())
}

async fn skips_of_the_configuration_are_heeded(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder()
        .redact_field("title")
        .skip_action(sea_orm_audit::Action::Delete)
        .sensitive("Kundennummer")
        .build()?;
    db.create(post::Entity).await?;
    db.create(marked::Entity).await?;
    config
        .scope(async {
            AuditTriggers::of::<post::Entity>().create(&db.conn).await?;
            AuditTriggers::of::<marked::Entity>().create(&db.conn).await
        })
        .await?;
    psql(
        db,
        "INSERT INTO post (title) VALUES ('a'); DELETE FROM post;",
    )
    .await?;
    assert_eq!(
        db.record().await?.changes,
        Some(json!({"id": {"new": 1}, "title": {"redacted": true}, "score": {"new": null}}))
    );
    psql(db, ROW).await?;
    let change = recorded(db, r#"{"KundenNummer": 1}"#).await?;
    assert_eq!(change["new"], json!({"KundenNummer": 1}));
    assert_eq!(
        recorded(db, r#"{"myKundennummer": 1}"#).await?,
        json!({"redacted": true})
    );
    Ok(())
}

async fn labels_are_harmless_and_cut(db: &TestDb) -> TestResult {
    create(db, marked::Entity).await?;
    for title in [
        "x\r\n\u{1b}[31m\u{7f}\u{85}\u{202e}\u{2066}é🦀",
        &"ä🦀".repeat(150),
        &"n".repeat(200),
    ] {
        db.forget().await?;
        db.execute_unprepared("DELETE FROM marked").await?;
        let insert = format!("INSERT INTO marked (title, password) VALUES ('{title}', 'p')");
        db.execute_unprepared(&insert).await?;
        let label = format!("{title} (, [redacted])");
        let record = db.records().await?.pop().unwrap();
        assert_eq!(
            record.object_repr.unwrap(),
            sea_orm_audit::value::clean_text(&label, 200)
        );
    }
    Ok(())
}
