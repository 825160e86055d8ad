//! `apply(changes, old) == new`, for a row with a column of every type that SeaORM has.
#![allow(unreachable_pub)]

use std::sync::OnceLock;

use proptest::prelude::*;
use sea_orm::prelude::Json;
use sea_orm::sea_query::Value;
use sea_orm::{EntityTrait, Iterable};
use serde_json::{Map, json};

use super::Plan;
use crate::HashKey;
use crate::auditable::{Auditable, EntityInfo, Field, FieldPolicy, Options};
use crate::change::Changes;
use crate::config::{AuditConfig, AuditConfigBuilder};
use crate::value::tests::values::of_shape;
use crate::value::{ColumnKind, canonical_eq, decode, encode};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "mood")]
    pub enum Mood {
        #[sea_orm(string_value = "happy")]
        Happy,
    }

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "row")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub bool: Option<bool>,
        pub i8: Option<i8>,
        pub i16: Option<i16>,
        pub i32: Option<i32>,
        pub i64: Option<i64>,
        pub u8: Option<u8>,
        pub u16: Option<u16>,
        pub u32: Option<u32>,
        pub u64: Option<u64>,
        pub f32: Option<f32>,
        pub f64: Option<f64>,
        pub string: Option<String>,
        pub mood: Option<Mood>,
        pub bytes: Option<Vec<u8>>,
        pub json: Option<Json>,
        pub chrono_date: Option<ChronoDate>,
        pub chrono_time: Option<ChronoTime>,
        pub chrono_date_time: Option<ChronoDateTime>,
        pub chrono_utc: Option<ChronoDateTimeUtc>,
        pub chrono_local: Option<ChronoDateTimeLocal>,
        pub chrono_zoned: Option<ChronoDateTimeWithTimeZone>,
        pub uuid: Option<Uuid>,
        #[cfg(feature = "with-time")]
        pub time_date: Option<TimeDate>,
        #[cfg(feature = "with-time")]
        pub time_time: Option<TimeTime>,
        #[cfg(feature = "with-time")]
        pub time_date_time: Option<TimeDateTime>,
        #[cfg(feature = "with-time")]
        pub time_zoned: Option<TimeDateTimeWithTimeZone>,
        #[cfg(feature = "with-rust_decimal")]
        pub decimal: Option<Decimal>,
        #[cfg(feature = "with-bigdecimal")]
        pub big_decimal: Option<BigDecimal>,
        #[cfg(feature = "with-ipnetwork")]
        pub network: Option<IpNetwork>,
        #[cfg(feature = "with-mac_address")]
        pub mac: Option<sea_orm::sea_query::value::prelude::MacAddress>,
        #[cfg(feature = "postgres-vector")]
        pub vector: Option<PgVector>,
        pub integers: Option<Vec<i32>>,
        pub longs: Option<Vec<i64>>,
        pub floats: Option<Vec<f64>>,
        pub strings: Option<Vec<String>>,
        pub blobs: Option<Vec<Vec<u8>>>,
        pub jsons: Option<Vec<Json>>,
        pub moments: Option<Vec<ChronoDateTimeUtc>>,
        pub uuids: Option<Vec<Uuid>>,
        #[cfg(feature = "with-rust_decimal")]
        pub decimals: Option<Vec<Decimal>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Auditable for row::Entity {
    fn info() -> &'static EntityInfo {
        static INFO: OnceLock<EntityInfo> = OnceLock::new();
        INFO.get_or_init(|| EntityInfo::of::<Self>(&Options::NONE))
    }
}

/// A row with secrets, in columns and inside JSON.
mod guarded {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "guarded")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
        pub password: String,
        pub email: String,
        pub version: i32,
        pub token: String,
        pub extra: Json,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Auditable for guarded::Entity {
    fn info() -> &'static EntityInfo {
        use guarded::Column;
        static INFO: OnceLock<EntityInfo> = OnceLock::new();
        const fn field(column: Column, name: &'static str, policy: FieldPolicy) -> Field<Column> {
            Field {
                column,
                name,
                policy,
                was: None,
            }
        }
        static FIELDS: [Field<Column>; 3] = [
            field(Column::Email, "email", FieldPolicy::Hash),
            field(Column::Version, "version", FieldPolicy::Skip),
            field(Column::Token, "token", FieldPolicy::Plain),
        ];
        INFO.get_or_init(|| {
            EntityInfo::of::<Self>(&Options {
                fields: &FIELDS,
                ..Options::NONE
            })
        })
    }
}

fn shapes() -> Vec<ColumnKind> {
    row::Column::iter()
        .map(ColumnKind::of_column::<row::Entity>)
        .collect()
}

fn any_row() -> impl Strategy<Value = Vec<Value>> {
    shapes().iter().map(of_shape).collect::<Vec<_>>()
}

/// Two rows that agree in about half of the columns.
fn two_rows() -> impl Strategy<Value = (Vec<Value>, Vec<Value>)> {
    let keep = proptest::collection::vec(any::<bool>(), shapes().len());
    (any_row(), any_row(), keep).prop_map(|(old, new, keep)| {
        let new = (old.iter().zip(new).zip(keep))
            .map(|((old, new), keep)| if keep { old.clone() } else { new })
            .collect();
        (old, new)
    })
}

/// A row in the form of the log.
fn canonical<E: EntityTrait + Auditable>(
    row: &[Value],
) -> Result<Map<String, Json>, TestCaseError> {
    (E::info().columns().zip(row))
        .map(|(name, value)| Ok((name.to_owned(), encode(value).map_err(fail)?)))
        .collect()
}

fn fail(error: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

fn configured(builder: AuditConfigBuilder) -> Result<AuditConfig, TestCaseError> {
    builder.build().map_err(fail)
}

/// The same changes, after storage.
fn stored(changes: &Changes) -> Result<Changes, TestCaseError> {
    let text = changes.to_json().to_string();
    let json: Json = serde_json::from_str(&text).map_err(fail)?;
    Changes::from_json(&json).ok_or_else(|| fail(text))
}

fn known(row: &[Value]) -> Vec<Option<Value>> {
    row.iter().cloned().map(Some).collect()
}

/// A row has many values: a quarter of the usual cases, `PROPTEST_CASES`, is enough.
fn rows() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.div_ceil(4),
        failure_persistence: None,
        ..usual
    }
}

proptest! {
    #![proptest_config(rows())]

    #[test]
    fn changes_bring_the_old_row_to_the_new((old, new) in two_rows()) {
        let config = configured(AuditConfig::builder().no_secret_detection())?;
        let plan = config.plan(row::Entity::info());
        let changes = plan.updated(&config, &known(&old), &new).map_err(fail)?;
        let changes = stored(&changes)?;
        let differ = old.iter().zip(&new).filter(|(old, new)| !canonical_eq(old, new)).count();
        prop_assert_eq!(changes.len(), differ);

        let mut row = canonical::<row::Entity>(&old)?;
        changes.apply(&mut row);
        prop_assert_eq!(&row, &canonical::<row::Entity>(&new)?);
        // The result converts back into values of the database.
        for ((name, shape), new) in row::Entity::info().columns().zip(shapes()).zip(&new) {
            let value = decode(&row[name], &shape).map_err(fail)?;
            prop_assert!(canonical_eq(&value, new), "{name}: {value:?} is not {new:?}");
        }
    }

    #[test]
    fn created_row_comes_from_nothing_and_a_deleted_one_leaves_nothing(row in any_row()) {
        let config = configured(AuditConfig::builder().no_secret_detection())?;
        let plan = config.plan(row::Entity::info());
        let mut image = Map::new();
        stored(&plan.created(&config, &row).map_err(fail)?)?.apply(&mut image);
        prop_assert_eq!(&image, &canonical::<row::Entity>(&row)?);
        stored(&plan.deleted(&config, &row).map_err(fail)?)?.apply(&mut image);
        prop_assert_eq!(image, Map::new());
    }

    #[test]
    fn row_that_did_not_change_has_no_changes(row in any_row()) {
        let config = configured(AuditConfig::builder())?;
        let plan = config.plan(row::Entity::info());
        let changes = plan.updated(&config, &known(&row), &row).map_err(fail)?;
        prop_assert_eq!(changes, Changes::new());
    }

    #[test]
    fn no_secret_is_in_the_changes(
        (old, new) in (guarded_row(), guarded_row()),
        unknown in any::<bool>(),
    ) {
        let key = HashKey::from_bytes("k", &[7; 32]).map_err(fail)?;
        let config = configured(AuditConfig::builder().hash_key(key))?;
        let plan = config.plan(guarded::Entity::info());
        let updated = if unknown {
            plan.updated_from_unknown(&config, |_| true, &new)
        } else {
            plan.updated(&config, &known(&old), &new)
        };
        for changes in [updated, plan.created(&config, &new), plan.deleted(&config, &old)] {
            let text = changes.map_err(fail)?.to_json().to_string();
            prop_assert!(!text.contains("hidden"), "{text}");
            prop_assert!(!text.contains("version"), "{text}");
        }
    }
}

/// A row whose secrets are words that contain `hidden`, some of them equal.
fn guarded_row() -> impl Strategy<Value = Vec<Value>> {
    let hidden = || "hidden[ab]";
    (0..3_i32, hidden(), hidden(), hidden()).prop_map(|(number, password, email, inside)| {
        vec![
            Value::from(number),
            Value::from(format!("title {number}")),
            Value::from(password),
            Value::from(email),
            Value::from(number),
            Value::from(format!("plain {number}")),
            Value::from(json!({"n": number, "login": [{"api_key": inside}]})),
        ]
    })
}

/// The changes between two guarded rows, as JSON.
fn guarded_changes(old: &Json, new: &Json) -> Result<Json, Box<dyn std::error::Error>> {
    let row = |extra: &Json, word: &str| {
        let text = |name: &str| Value::from(format!("{name} {word}"));
        vec![
            Value::from(1),
            text("title"),
            text("password"),
            text("email"),
            Value::from(1),
            text("token"),
            Value::from(extra.clone()),
        ]
    };
    let key = HashKey::from_bytes("k", &[7; 32])?;
    let config = AuditConfig::builder().hash_key(key).build()?;
    let plan: &Plan = &config.plan(guarded::Entity::info());
    let changes = plan.updated(&config, &known(&row(old, "a")), &row(new, "b"))?;
    Ok(changes.to_json())
}

#[test]
fn each_treatment_stores_what_it_says() -> Result<(), Box<dyn std::error::Error>> {
    let login = |key: &str, n: i32| json!({"n": n, "api_key": key});
    let mut changes = guarded_changes(&login("x", 1), &login("y", 2))?;
    let hashes = changes["email"].take();
    for side in ["old", "new"] {
        let hash = hashes[side].as_str().unwrap_or_default();
        assert!(hash.starts_with("hmac-sha256:k:"), "{hashes}");
    }
    assert_ne!(hashes["old"], hashes["new"]);
    assert_eq!(
        changes,
        json!({
            "title": {"old": "title a", "new": "title b"},
            "password": {"redacted": true},
            "email": null,
            "token": {"old": "token a", "new": "token b"},
            "extra": {
                "old": {"n": 1, "api_key": "[redacted]"},
                "new": {"n": 2, "api_key": "[redacted]"},
            },
        })
    );
    Ok(())
}

#[test]
fn secret_inside_json_that_alone_changed_is_known_to_have_changed()
-> Result<(), Box<dyn std::error::Error>> {
    let login = |key: &str| json!([{"api_key": key}]);
    let changes = guarded_changes(&login("x"), &login("y"))?;
    assert_eq!(changes["extra"], json!({"redacted": true}));
    Ok(())
}
