//! The IDs of objects.

use sea_orm::{ActiveModelTrait, ConnectionTrait, Set};

use crate::client::{create, psql};
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    keys_of_every_kind_make_the_ids_that_the_hooks_make,
}

/// An entity with a key of some columns, recorded by triggers, and the same recorded by hooks.
macro_rules! keyed {
    ($($module:ident $table:literal { $($key:ident: $kind:ty),* })*) => { $(
        mod $module {
            pub mod triggered {
                use sea_orm::entity::prelude::*;
                use sea_orm_audit::Auditable;

                #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
                #[sea_orm(table_name = $table)]
                #[audit(capture = "trigger")]
                pub struct Model {
                    $(#[sea_orm(primary_key, auto_increment = false)] pub $key: $kind,)*
                    pub note: i32,
                }

                no_relations!();
            }

            pub mod hooked {
                use sea_orm::entity::prelude::*;
                use sea_orm_audit::Auditable;

                #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
                #[sea_orm(table_name = $table)]
                pub struct Model {
                    $(#[sea_orm(primary_key, auto_increment = false)] pub $key: $kind,)*
                    pub note: i32,
                }

                no_relations!();
            }
        }
    )* };
}

keyed! {
    text "keyed_text" { code: String }
    uuid "keyed_uuid" { code: Uuid }
    large "keyed_large" { code: i64 }
    bytes "keyed_bytes" { code: Vec<u8> }
    exact "keyed_exact" { code: Decimal }
    instant "keyed_instant" { code: DateTimeUtc }
    day "keyed_day" { code: Date }
    yes "keyed_yes" { code: bool }
    pair "keyed_pair" { left: i32, right: Uuid }
    triple "keyed_triple" { left: String, middle: i64, right: Vec<u8> }
    secret "keyed_secret" { token: String }
    half_secret "keyed_half_secret" { code: i32, password: String }
}

/// The ID and the label of one object, by triggers and by hooks.
macro_rules! same {
    ($db:ident, $module:ident { $($key:ident: $value:expr),* }) => {{
        $db.forget().await?;
        let table = concat!("keyed_", stringify!($module));
        $db.execute_unprepared(&format!("DROP TABLE IF EXISTS {table}")).await?;
        $db.create($module::hooked::Entity).await?;
        let row = $module::hooked::ActiveModel { $($key: Set($value),)* note: Set(1) };
        row.insert(&$db.conn).await?;
        let hooked = $db.record().await?;
        $db.forget().await?;
        $db.execute_unprepared(&format!("DROP TABLE {table}")).await?;
        create($db, $module::triggered::Entity).await?;
        let row = $module::triggered::ActiveModel { $($key: Set($value),)* note: Set(1) };
        row.insert(&$db.conn).await?;
        psql($db, &format!("UPDATE {table} SET note = 2; DELETE FROM {table};")).await?;
        let records = $db.records().await?;
        assert_eq!(records.len(), 3);
        for record in records {
            assert_eq!(record.object_id, hooked.object_id);
            assert_eq!(record.object_repr, hooked.object_repr);
        }
        sea_orm_audit::migration::AuditTriggers::of::<$module::triggered::Entity>()
            .drop(&$db.conn)
            .await?;
    }};
}

async fn keys_of_every_kind_make_the_ids_that_the_hooks_make(db: &TestDb) -> TestResult {
    for text in [
        "a",
        "",
        " A ",
        "it's \"\\\n\u{1b}🦀",
        &"ä".repeat(600),
        &"ä".repeat(601),
    ] {
        same!(
            db,
            text {
                code: text.to_owned()
            }
        );
        same!(
            db,
            triple {
                left: text.to_owned(),
                middle: 1 << 53,
                right: vec![0, 255]
            }
        );
        same!(
            db,
            secret {
                token: text.to_owned()
            }
        );
        same!(
            db,
            half_secret {
                code: 7,
                password: text.to_owned()
            }
        );
    }
    same!(
        db,
        uuid {
            code: sea_orm::prelude::Uuid::max()
        }
    );
    for large in [0, -1, i64::MIN, i64::MAX, 1 << 53] {
        same!(db, large { code: large });
    }
    same!(db, bytes { code: vec![] });
    same!(
        db,
        bytes {
            code: vec![0xca; 400]
        }
    );
    same!(
        db,
        exact {
            code: "12.500".parse()?
        }
    );
    same!(
        db,
        instant {
            code: "2026-11-23T04:05:06.5+01:00".parse()?
        }
    );
    same!(
        db,
        day {
            code: "2026-11-23".parse()?
        }
    );
    same!(db, yes { code: true });
    same!(
        db,
        pair {
            left: -5,
            right: sea_orm::prelude::Uuid::nil()
        }
    );
    Ok(())
}
