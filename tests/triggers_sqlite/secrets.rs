//! Secrets inside JSON documents.

use sea_orm::ConnectionTrait;
use sea_orm_audit::AuditConfig;
use serde_json::json;

use crate::client::{changes, triggers};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite:
        secrets_inside_json_redact_the_field,
        secrets_inside_of_what_is_no_json_redact_the_field,
        numbers_of_many_digits_are_compared_all
    );
}

mod doc {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "doc")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub body: Option<Json>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Texts that `audit-core` treats as secrets are secrets here; ordinary ones are not.
async fn secrets_inside_json_redact_the_field(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder()
        .sensitive("Kundennummer")
        .sensitive("Größe")
        .sensitive("x509_key")
        .redact_field("What*Ever")
        .redact_field("Straße")
        .build()?;
    db.create(doc::Entity).await?;
    config.scope(triggers::<doc::Entity>(db)).await?;
    let redacted = json!({"body": {"redacted": true}, "id": {"new": 1}});
    let deep = |key: &str| json!({"list": [1, {"deep": {key: "x"}}]}).to_string();
    let mut secrets: Vec<String> = [
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
        "kundennummer",
        "password2",
        "PASSWORDHASH",
        "userpassword",
        "accesstoken",
        "clientSecret1",
        "userJWTData",
        "JWT",
        "my–pin",
        "PINCode",
        "pin2",
        "Pin",
        "access_keys",
        "recovery codes",
        "api__-__key",
        "api2Key",
        "cvv2",
        "CVV",
        "größe",
        "GRÖSSE_Größe",
        "what*ever",
        "straße",
        "äPin",
        "totp",
        "myOTP",
        "OTPs2_otp",
        "tax.id",
        "x509Key",
        "a\"pin\"",
        "",
        "set-cookie",
    ]
    .map(deep)
    .into();
    secrets.retain(|doc| *doc != deep(""));
    secrets.push(r#"{"p\u0061ssword": "x"}"#.to_owned());
    secrets.push(json!({"token": {"a": null}}).to_string());
    secrets.push(json!({"token": 7}).to_string());
    secrets.push(json!({ format!("{}pin", "a".repeat(300)): 7 }).to_string());
    for secret in secrets {
        insert(db, &secret).await?;
        assert_eq!(changes(db).await?, redacted, "{secret}");
    }
    for key in [
        "spinner",
        "pinned",
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
        "SHIPPING_ADDRESS",
        "shippingAddress",
        "description",
        "Description",
        "HTTPInput",
        "IPInfo",
        "compass",
        "bypass",
        "session",
        "accessKeyboard",
        "groups_id",
        "api",
        "what_ever",
        "passenger",
        "ssnake",
        "übersicht",
        "名前",
    ] {
        let doc = deep(key);
        insert(db, &doc).await?;
        let stored = changes(db).await?;
        assert_eq!(
            stored["body"]["new"],
            serde_json::from_str::<serde_json::Value>(&doc)?
        );
    }
    for ordinary in [
        json!({"has_password": true, "token": null, "pin": false}),
        json!({"note": "my password: x", "tags": ["token", "pin"]}),
        json!("password"),
    ] {
        insert(db, &ordinary.to_string()).await?;
        assert_eq!(changes(db).await?["body"]["new"], ordinary);
    }
    Ok(())
}

async fn secrets_inside_of_what_is_no_json_redact_the_field(db: &TestDb) -> TestResult {
    db.create(doc::Entity).await?;
    triggers::<doc::Entity>(db).await?;
    let redacted = json!({"id": {"new": 1}, "body": {"redacted": true}});
    for secret in [
        r#"{"password":"hunter2","n":1e999}"#,
        r#"{"password":"hunter2","x":"\ud800"}"#,
        r#"{"password":"hunter2",}"#,
        r#"{password:"hunter2"}"#,
        r#" [{"p\u0061ssword":"hunter2"},]"#,
        &format!(
            r#"{}{{"password":"hunter2"}}{}"#,
            "[".repeat(130),
            "]".repeat(130)
        ),
    ] {
        insert(db, secret).await?;
        assert_eq!(changes(db).await?, redacted, "{secret}");
        db.execute_unprepared("DELETE FROM audit_log; UPDATE doc SET body = NULL")
            .await?;
        assert_eq!(
            changes(db).await?,
            json!({"body": {"redacted": true}}),
            "{secret}"
        );
    }
    // Bytes that are no text.
    db.execute_unprepared(
        "DELETE FROM doc; DELETE FROM audit_log; \
         INSERT INTO doc VALUES (1, CAST('{\"password\":\"hunter2\",}' AS BLOB))",
    )
    .await?;
    assert_eq!(changes(db).await?, redacted);
    let ordinary = r#"{"title":"a","n":1e999}"#;
    insert(db, ordinary).await?;
    assert_eq!(changes(db).await?["body"]["new"], ordinary);
    Ok(())
}

async fn numbers_of_many_digits_are_compared_all(db: &TestDb) -> TestResult {
    db.create(doc::Entity).await?;
    triggers::<doc::Entity>(db).await?;
    insert(db, r#"{"n":12345678901234567890}"#).await?;
    db.execute_unprepared(
        "DELETE FROM audit_log; UPDATE doc SET body = '{\"n\":12345678901234567891}'",
    )
    .await?;
    let new = &changes(db).await?["body"]["new"];
    assert_eq!(new.to_string(), r#"{"n":12345678901234567891}"#);
    Ok(())
}

async fn insert(db: &TestDb, doc: &str) -> TestResult {
    let doc = doc.replace('\'', "''");
    db.execute_unprepared(&format!(
        "DELETE FROM doc; DELETE FROM audit_log; INSERT INTO doc VALUES (1, '{doc}')"
    ))
    .await?;
    Ok(())
}
