//! What the log costs apart from the database: comparing two rows, and the canonical form.
//!
//! Goal: the changes of a row of 12 columns, 2 of them changed, in less than 2 µs.
#![allow(missing_docs, unreachable_pub)]

use std::hint::black_box;
use std::sync::OnceLock;

use criterion::{Criterion, criterion_group, criterion_main};
use sea_orm::Value;
use sea_orm::prelude::{ChronoDateTimeUtc, Json, Uuid};
use sea_orm_audit_core::__private::{Auditable, EntityInfo, Options, diff_for_bench};
use sea_orm_audit_core::{AuditConfig, Changes, encode};

mod article {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "article")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub org_id: Uuid,
        pub slug: String,
        pub title: String,
        pub body: String,
        pub author_id: i64,
        pub rating: f64,
        pub is_public: bool,
        pub tags: Json,
        pub note: Option<String>,
        pub created_at: ChronoDateTimeUtc,
        pub updated_at: ChronoDateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl Auditable for article::Entity {
    fn info() -> &'static EntityInfo {
        static INFO: OnceLock<EntityInfo> = OnceLock::new();
        INFO.get_or_init(|| EntityInfo::of::<Self>(&Options::NONE))
    }
}

fn row(title: &str, seconds: i64) -> Vec<Value> {
    let at = |seconds| ChronoDateTimeUtc::from_timestamp(1_790_000_000 + seconds, 123_456_000);
    vec![
        Value::from(7_i64),
        Value::from(Uuid::from_u128(0x936D_A01F_9ABD)),
        Value::from("on-the-record"),
        Value::from(title),
        Value::from("The quick brown fox jumps over the lazy dog. ".repeat(20)),
        Value::from(42_i64),
        Value::from(4.5),
        Value::from(true),
        Value::from(Json::from(vec!["audit", "log"])),
        Value::String(None),
        Value::from(at(0)),
        Value::from(at(seconds)),
    ]
}

fn changes(criterion: &mut Criterion) {
    let config = AuditConfig::builder().build().unwrap_or_default();
    let old: Vec<Option<Value>> = row("On the record", 0).into_iter().map(Some).collect();
    let diff = |new: &[Value]| {
        diff_for_bench::<article::Entity>(&config, black_box(&old), black_box(new))
            .unwrap_or_default()
    };
    let (changed, same) = (row("Off the record", 60), row("On the record", 0));
    assert_eq!((diff(&changed).len(), diff(&same).len()), (2, 0));

    let mut group = criterion.benchmark_group("12 columns");
    group.bench_function("none changed", |bencher| bencher.iter(|| diff(&same)));
    group.bench_function("2 changed", |bencher| bencher.iter(|| diff(&changed)));
    group.bench_function("2 changed, as JSON text", |bencher| {
        bencher.iter(|| Changes::to_json(&diff(&changed)).to_string());
    });
    group.finish();
}

fn encoding(criterion: &mut Criterion) {
    let row = row("On the record", 0);
    let mut group = criterion.benchmark_group("encode");
    for (name, at) in [
        ("integer", 0),
        ("uuid", 1),
        ("short text", 3),
        ("900 characters", 4),
        ("float", 6),
        ("JSON", 8),
        ("date-time", 10),
    ] {
        group.bench_function(name, |bencher| bencher.iter(|| encode(black_box(&row[at]))));
    }
    group.bench_function("12 columns", |bencher| {
        bencher.iter(|| black_box(&row).iter().map(encode).collect::<Vec<_>>());
    });
    group.finish();
}

criterion_group!(benches, changes, encoding);
criterion_main!(benches);
