//! The content of the file, the values read back, and the memory limit.
#![allow(unreachable_pub)]

use std::io::{Read, Seek};
use std::sync::OnceLock;

use sea_orm::sea_query::Value;
use serde_json::json;

use super::{BeforeRow, Budget, Cursor, ImageStore};
use crate::auditable::{Auditable, EntityInfo, Field, FieldPolicy, Options};
use crate::config::AuditConfig;

mod guarded {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "guarded_row")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub title: String,
        pub password: String,
        pub version: String,
        pub extra: Json,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Auditable for guarded::Entity {
    fn info() -> &'static EntityInfo {
        static INFO: OnceLock<EntityInfo> = OnceLock::new();
        static FIELDS: [Field<guarded::Column>; 1] = [Field {
            column: guarded::Column::Version,
            name: "version",
            policy: FieldPolicy::Skip,
            was: None,
        }];
        INFO.get_or_init(|| {
            EntityInfo::of::<Self>(&Options {
                fields: &FIELDS,
                ..Options::NONE
            })
        })
    }
}

fn row(id: i64, secret: &str) -> Vec<Value> {
    vec![
        id.into(),
        format!("title {id}").into(),
        format!("password {secret}").into(),
        format!("version {secret}").into(),
        json!({"n": id, "token": format!("token {secret}")}).into(),
    ]
}

fn store(limit: usize, config: &AuditConfig) -> ImageStore {
    let info = guarded::Entity::info();
    ImageStore::new(config, &config.plan(info), info, &Budget::new(limit))
}

fn rows_of(store: &mut ImageStore) -> std::io::Result<Vec<BeforeRow>> {
    let (mut cursor, mut rows) = (Cursor::default(), Vec::new());
    loop {
        let chunk = store.chunk(&mut cursor, 7)?;
        if chunk.is_empty() {
            return Ok(rows);
        }
        rows.extend(chunk);
    }
}

#[test]
fn spilled_rows_hold_no_secrets_and_show_what_changed() -> Result<(), Box<dyn std::error::Error>> {
    let config = AuditConfig::builder().build()?;
    let mut store = store(500, &config);
    for id in 0..50 {
        store.push(row(id, "hunter2"));
    }
    store.finish();
    let mut bytes = Vec::new();
    if let Some(file) = &mut store.file {
        file.file.rewind()?;
        file.file.read_to_end(&mut bytes)?;
    }
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("title 49"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let rows = rows_of(&mut store)?;
    assert_eq!(rows.len(), 50);
    let plan = config.plan(guarded::Entity::info());
    for (id, before) in (0..).zip(&rows) {
        assert!(matches!(before, BeforeRow::Spilled { .. }));
        assert_eq!(before.values()[0], Value::from(id));
        let changes = |new: &[Value]| {
            let spilled = plan.updated_row(&config, before.old_values().map(Some), new)?;
            let read: Vec<_> = row(id, "hunter2").into_iter().map(Some).collect();
            assert_eq!(spilled, plan.updated(&config, &read, new)?);
            Ok::<_, crate::Cause>(spilled.is_empty())
        };
        assert!(changes(&row(id, "hunter2"))?);
        assert!(!changes(&row(id, "other"))?);
        assert!(!changes(&row(id + 1, "hunter2"))?);
        let deleted = plan.deleted_row(&config, before.old_values())?;
        assert_eq!(deleted, plan.deleted(&config, &row(id, "hunter2"))?);
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn file_is_unlinked_and_of_its_owner_alone() -> Result<(), Box<dyn std::error::Error>> {
    use std::os::unix::fs::MetadataExt;
    let mut store = store(1, &AuditConfig::builder().build()?);
    store.push(row(1, "a"));
    store.push(row(2, "a"));
    let meta = store.file.as_ref().ok_or("no file")?.file.metadata()?;
    assert_eq!((meta.mode() & 0o777, meta.nlink()), (0o600, 0));
    Ok(())
}

#[test]
fn ten_thousand_rows_stay_within_the_bound() -> Result<(), Box<dyn std::error::Error>> {
    let mut store = store(64 << 10, &AuditConfig::builder().build()?);
    let mut most = 0;
    for id in 0..10_000 {
        store.push(row(id, "a"));
        most = most.max(store.budget.held());
    }
    store.finish();
    assert_eq!(store.len(), 10_000);
    // A row is accepted before the others are spilled.
    assert!(most < (64 << 10) + 4_096, "{most}");
    assert_eq!(store.budget.held(), 0);
    Ok(())
}

#[test]
fn rows_whose_key_is_a_secret_stay_in_memory() -> Result<(), Box<dyn std::error::Error>> {
    let config = AuditConfig::builder().redact_field("id").build()?;
    let mut store = store(500, &config);
    for id in 0..50 {
        store.push(row(id, "a"));
    }
    store.finish();
    let rows = rows_of(&mut store)?;
    assert_eq!(rows.len(), 50);
    assert!(rows.iter().all(|row| matches!(row, BeforeRow::Read(_))));
    Ok(())
}
