//! What the log does for each operation without the database, by name.

use std::hint::black_box;
use std::sync::OnceLock;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::prelude::{ChronoDateTimeUtc, Json, Uuid};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement, Value};
use sea_orm_audit_core::__private::{Auditable, EntityInfo, Options, bench};
use sea_orm_audit_core::{Actor, AuditConfig, AuditContext, Changes, encode};

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

pub fn row(title: &str, seconds: i64) -> Vec<Value> {
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

/// A connection that answers nothing.
struct Silent;

#[async_trait]
impl ConnectionTrait for Silent {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::Postgres
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(DbErr::Custom("silent".into()))
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(DbErr::Custom("silent".into()))
    }

    async fn query_one_raw(&self, _: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(None)
    }

    async fn query_all_raw(&self, _: Statement) -> Result<Vec<QueryResult>, DbErr> {
        Ok(Vec::new())
    }
}

const UPDATE: &str = r#"UPDATE "article" SET "title" = $1, "updated_at" = $2 WHERE "article"."id" = $3 RETURNING "id", "org_id", "slug", "title", "body", "author_id", "rating", "is_public", "tags", "note", "created_at", "updated_at""#;

fn insert_of(rows: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=12)
            .map(|place| format!("${}", row * 12 + place))
            .collect();
        format!("({})", places.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        r#"INSERT INTO "article" ("id", "org_id", "slug", "title", "body", "author_id", "rating", "is_public", "tags", "note", "created_at", "updated_at") VALUES {}"#,
        rows.join(", ")
    )
}

/// Something that is done again and again.
pub type Core = Box<dyn FnMut()>;

/// The cores, each ready to run.
pub fn cores() -> Vec<(&'static str, Core)> {
    let config = AuditConfig::builder().build().unwrap_or_default();
    let old: Vec<Option<Value>> = row("On the record", 0).into_iter().map(Some).collect();
    let (changed, same) = (row("Off the record", 60), row("On the record", 0));
    let diff = move |new: &[Value]| {
        bench::diff::<article::Entity>(&config, black_box(&old), black_box(new)).unwrap_or_default()
    };
    assert_eq!((diff(&changed).len(), diff(&same).len()), (2, 0));
    let twelve = changed.clone();
    let (again, as_text) = (diff.clone(), diff.clone());
    let for_text = changed.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().build().ok();
    let hundred = insert_of(100);
    vec![
        (
            "diff of 12 columns, none changed",
            Box::new(move || drop(black_box(diff(&same)))),
        ),
        (
            "diff of 12 columns, 2 changed",
            Box::new(move || drop(black_box(again(&changed)))),
        ),
        (
            "diff of 12 columns, 2 changed, as JSON text",
            Box::new(move || drop(black_box(Changes::to_json(&as_text(&for_text)).to_string()))),
        ),
        (
            "encoding 12 columns",
            Box::new(move || {
                drop(black_box(
                    black_box(&twelve).iter().map(encode).collect::<Vec<_>>(),
                ));
            }),
        ),
        (
            "context of two scopes",
            Box::new(move || {
                let inner = AuditContext::new().reason("price list");
                let outer = AuditContext::new().actor(Actor::user(7).named("Ann"));
                let read = async { drop(black_box(AuditContext::current())) };
                if let Some(runtime) = &runtime {
                    runtime.block_on(outer.scope(inner.scope(read)));
                }
            }),
        ),
        (
            "probe of a plain connection",
            Box::new(|| assert!(!bench::probe(black_box(&Silent)))),
        ),
        (
            "statement remembered",
            Box::new(|| assert!(bench::understand(DbBackend::Postgres, black_box(UPDATE)))),
        ),
        (
            "statement understood anew",
            Box::new(|| assert!(bench::parse(DbBackend::Postgres, black_box(UPDATE)))),
        ),
        (
            "INSERT of 100 rows of 12 columns understood anew",
            Box::new(move || assert!(bench::parse(DbBackend::Postgres, black_box(&hundred)))),
        ),
    ]
}
