//! Names of tables and columns.

use sea_orm_audit::Auditable;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::json;

use crate::client::{sqlite3, text, triggers};
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite: names_are_quoted_whatever_is_in_them);
}

/// Entities whose names contain everything that SQL could misread.
macro_rules! named {
    ($($module:ident: $name:literal),* $(,)?) => {
        $(mod $module {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $name)]
            #[audit(capture = "trigger", name = $name, display = $name, module = $name)]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                #[sea_orm(column_name = $name)]
                pub value: Option<String>,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        })*

        async fn names_are_quoted_whatever_is_in_them(db: &TestDb) -> TestResult {
            $(named::<$module::Entity>(db, $name).await?;)*
            Ok(())
        }
    };
}

named! {
    quotes: "a'b\"c`d",
    doubled: "''\"\"``",
    comment: "a -- b",
    block: "a /* b */",
    end: "x'); DROP TABLE audit_log; END; --",
    dollars: "$$ $1 ?1 :a @b #",
    backslash: "a\\'b\\",
    line: "a\nb\tc",
    word: "select",
    upper: "Order",
    beyond: "größe 🦀 表",
    brackets: "[a]",
    percent: "100%_?",
    new: "NEW",
    column: "column1",
}

/// The table is created manually: SeaORM does not quote every name correctly.
async fn named<E: Auditable>(db: &TestDb, name: &str) -> TestResult {
    db.forget().await?;
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    sqlite3(
        db,
        &format!("CREATE TABLE {quoted} (id INTEGER PRIMARY KEY, {quoted} TEXT)"),
    )
    .await?;
    triggers::<E>(db).await?;
    sqlite3(
        db,
        &format!(
            "INSERT INTO {quoted} VALUES (1, 'a'); UPDATE {quoted} SET {quoted} = 'b'; \
             DELETE FROM {quoted}"
        ),
    )
    .await?;
    let records = db.records().await?;
    let of = |record: &sea_orm_audit::entity::audit_log::Model| {
        (
            record.action.clone(),
            record.changes.clone().unwrap_or_default(),
        )
    };
    assert_eq!(
        records.iter().map(of).collect::<Vec<_>>(),
        [
            (
                "CREATE".into(),
                json!({"id": {"new": 1}, name: {"new": "a"}})
            ),
            ("UPDATE".into(), json!({name: {"old": "a", "new": "b"}})),
            (
                "DELETE".into(),
                json!({"id": {"old": 1}, name: {"old": "b"}})
            ),
        ]
    );
    for record in records {
        assert_eq!(record.model.as_deref(), Some(name));
        assert_eq!(record.module.as_deref(), Some(name));
        assert_eq!(
            record.object_repr,
            Some(name.replace('\n', "␊").replace('\t', "␉"))
        );
    }
    AuditTriggers::of::<E>().recreate(&db.conn).await?;
    AuditTriggers::of::<E>().drop(&db.conn).await?;
    let left = "SELECT group_concat(name) AS text FROM sqlite_master WHERE type = 'trigger'";
    assert_eq!(text(db, left).await?, None);
    Ok(())
}
