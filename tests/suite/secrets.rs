//! Secrets appear nowhere: not in the audit tables, not in tracing, errors or `Debug`.

use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
use sea_orm_audit::config::{FailurePolicy, HashKey};
use sea_orm_audit::{Action, AuditConfig, AuditContext, AuditEvent};
use serde_json::{Value, json};

use crate::logged::Logged;
use crate::support::{TestDb, TestResult};

on_every_database! {
    secrets_are_redacted_by_default,
    hashed_field_is_stored_as_a_keyed_hash,
    secret_key_does_not_become_the_object_id,
    fields_can_be_redacted_everywhere,
    change_of_nothing_but_a_nested_secret_is_still_a_change,
    redacting_by_default_leaves_only_plain_fields,
    secrets_appear_nowhere,
}

mod account {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "account")]
    #[audit(display = "{login} {password} {email}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub login: String,
        pub password: String,
        #[sea_orm(column_name = "pw2")]
        pub old_password_hash: Option<String>,
        pub password_changed_at: Option<DateTimeUtc>,
        #[audit(hash)]
        pub email: String,
        #[audit(redact)]
        pub diagnosis: Option<String>,
        #[audit(plain)]
        pub token_kind: String,
        pub settings: Json,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod access {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "access")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token: String,
        pub uses: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod shy {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "shy")]
    #[audit(
        redact_by_default,
        tenant = "clinic",
        module = "patients",
        name = "patient"
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
        #[audit(plain)]
        pub clinic: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

fn keyed() -> TestResult<AuditConfig> {
    let key = HashKey::from_bytes("k1", b"a key of thirty-two bytes, more.")?;
    Ok(AuditConfig::builder().hash_key(key).build()?)
}

fn account() -> account::ActiveModel {
    account::ActiveModel {
        login: Set("ann".into()),
        password: Set("s3cret-1".into()),
        old_password_hash: Set(Some("s3cret-2".into())),
        password_changed_at: Set(None),
        email: Set("s3cret-3@example.org".into()),
        diagnosis: Set(Some("s3cret-4".into())),
        token_kind: Set("bearer".into()),
        settings: Set(json!({"theme": "dark", "login": {"api_key": "s3cret-5"}})),
        ..Default::default()
    }
}

async fn secrets_are_redacted_by_default(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let created = keyed()?.scope(account().insert(&db.conn)).await?;
    let record = db.record().await?;
    let changes = record.changes.unwrap();
    let redacted = json!({"redacted": true});
    for field in ["password", "pw2", "diagnosis"] {
        assert_eq!(changes[field], redacted, "{field}");
    }
    assert_eq!(changes["token_kind"], json!({"new": "bearer"}));
    assert_eq!(changes["password_changed_at"], json!({"new": null}));
    assert_eq!(
        changes["settings"],
        json!({"new": {"theme": "dark", "login": {"api_key": "[redacted]"}}})
    );
    assert_eq!(
        record.object_repr.as_deref(),
        Some("ann [redacted] [redacted]")
    );

    db.forget().await?;
    let mut edit = created.into_active_model();
    edit.password = Set("s3cret-6".into());
    edit.diagnosis = Set(Some("s3cret-4".into()));
    let edited = keyed()?.scope(edit.update(&db.conn)).await?;
    assert_eq!(
        db.record().await?.changes,
        Some(json!({"password": redacted}))
    );

    db.forget().await?;
    keyed()?
        .scope(edited.into_active_model().delete(&db.conn))
        .await?;
    assert_eq!(db.record().await?.changes.unwrap()["password"], redacted);
    assert!(!db.dump().await?.contains("s3cret"));
    Ok(())
}

async fn hashed_field_is_stored_as_a_keyed_hash(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let created = keyed()?.scope(account().insert(&db.conn)).await?;
    let mut edit = created.into_active_model();
    edit.email = Set("other".into());
    keyed()?.scope(edit.update(&db.conn)).await?;
    let records = db.records().await?;
    let of = |at: usize, side: &str| -> Value {
        records[at].changes.as_ref().unwrap()["email"][side].clone()
    };
    assert!(
        of(0, "new")
            .as_str()
            .unwrap()
            .starts_with("hmac-sha256:k1:")
    );
    assert_eq!(of(0, "new"), of(1, "old"));
    assert_ne!(of(1, "old"), of(1, "new"));

    // Without a key nothing is written.
    let error = account().insert(&db.conn).await.unwrap_err().to_string();
    assert!(
        error.contains("`email` of `account` is marked `hash`"),
        "{error}"
    );
    assert!(!error.contains("s3cret"), "{error}");
    Ok(())
}

async fn secret_key_does_not_become_the_object_id(db: &TestDb) -> TestResult {
    db.create(access::Entity).await?;
    let new = |token: &str| access::ActiveModel {
        token: Set(token.into()),
        uses: Set(0),
    };
    new("s3cret-1").insert(&db.conn).await?;
    keyed()?.scope(new("s3cret-2").insert(&db.conn)).await?;
    let records = db.records().await?;
    assert_eq!(records[0].object_id.as_deref(), Some("[redacted]"));
    let keyed = records[1].object_id.clone().unwrap();
    assert!(keyed.starts_with("hmac-sha256:k1:"), "{keyed}");
    db.forget().await?;
    let skips = AuditConfig::builder().skip_field("token").build()?;
    skips.scope(new("s3cret-3").insert(&db.conn)).await?;
    assert_eq!(db.record().await?.object_id.as_deref(), Some("[redacted]"));
    assert!(!db.dump().await?.contains("s3cret"));
    Ok(())
}

async fn fields_can_be_redacted_everywhere(db: &TestDb) -> TestResult {
    db.create(shy::Entity).await?;
    let config = AuditConfig::builder().redact_field("CLINIC").build()?;
    let new = shy::ActiveModel {
        name: Set("s3cret".into()),
        clinic: Set("s3cret north".into()),
        ..Default::default()
    };
    config.scope(new.insert(&db.conn)).await?;
    let record = db.record().await?;
    assert_eq!(record.changes.unwrap()["clinic"], json!({"redacted": true}));
    assert_eq!(record.tenant, None);
    assert!(!db.dump().await?.contains("s3cret"));
    Ok(())
}

async fn change_of_nothing_but_a_nested_secret_is_still_a_change(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let created = keyed()?.scope(account().insert(&db.conn)).await?;
    db.forget().await?;
    let mut edit = created.into_active_model();
    edit.settings = Set(json!({"theme": "dark", "login": {"api_key": "s3cret-7"}}));
    keyed()?.scope(edit.update(&db.conn)).await?;
    assert_eq!(
        db.record().await?.changes,
        Some(json!({"settings": {"redacted": true}}))
    );
    Ok(())
}

async fn redacting_by_default_leaves_only_plain_fields(db: &TestDb) -> TestResult {
    db.create(shy::Entity).await?;
    let new = shy::ActiveModel {
        name: Set("s3cret".into()),
        clinic: Set("north".into()),
        ..Default::default()
    };
    new.insert(&db.conn).await?;
    let record = db.record().await?;
    assert_eq!(record.model.as_deref(), Some("patient"));
    assert_eq!(record.module.as_deref(), Some("patients"));
    assert_eq!(record.tenant.as_deref(), Some("north"));
    assert_eq!(
        record.changes,
        Some(json!({"id": {"new": 1}, "name": {"redacted": true}, "clinic": {"new": "north"}}))
    );
    Ok(())
}

async fn secrets_appear_nowhere(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let logged = Logged::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(logged.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let key = HashKey::from_bytes("k1", b"s3cret key of at least sixteen bytes")?;
    let fails = AuditConfig::builder()
        .hash_key(key.clone())
        .table_prefix("nowhere_")
        .build()?;
    let isolates = AuditConfig::builder()
        .hash_key(key)
        .table_prefix("nowhere_")
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    let context = AuditContext::new()
        .session_key("s3cret")
        .metadata("token", "s3cret");
    let error = fails.scope(account().insert(&db.conn)).await.unwrap_err();
    isolates
        .scope(context.clone().scope(account().insert(&db.conn)))
        .await?;

    let event = AuditEvent::new(Action::Import)
        .change("password", "s3cret", "s3cret too")
        .metadata("token", "s3cret");
    let said = format!("{error} {error:?} {fails:?} {context:?} {event:?}");
    assert!(!said.contains("s3cret"), "{said}");
    let logged = logged.text();
    assert!(logged.contains("goes without its audit record"), "{logged}");
    assert!(!logged.contains("s3cret"), "{logged}");
    Ok(())
}
