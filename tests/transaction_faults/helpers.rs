//! The written table, the comparable form of errors, and the replay of the log.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, QueryOrder, RuntimeErr};

use crate::support::{TestDb, TestResult};

pub(crate) mod account {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "account")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub email: Option<String>,
        pub n: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// The table with this many rows whose `n` is 0, written without audit log.
pub(crate) async fn accounts(db: &TestDb, rows: u32) -> TestResult {
    db.create(account::Entity).await?;
    for _ in 0..rows {
        db.execute_unprepared("INSERT INTO account (n) VALUES (0)")
            .await?;
    }
    Ok(())
}

pub(crate) async fn table(db: &TestDb) -> TestResult<Vec<(i32, Option<String>, i32)>> {
    let rows = account::Entity::find()
        .order_by_asc(account::Column::Id)
        .all(&db.conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.email, row.n))
        .collect())
}

pub(crate) async fn numbers(db: &TestDb) -> TestResult<Vec<i32>> {
    Ok(table(db).await?.into_iter().map(|(_, _, n)| n).collect())
}

/// The `n` of each row, after the log is applied to the first rows.
pub(crate) async fn replayed(db: &TestDb, rows_before: i32) -> TestResult<Vec<(i32, i32)>> {
    let mut rows: BTreeMap<i32, serde_json::Map<String, serde_json::Value>> = BTreeMap::new();
    for id in 1..=rows_before {
        rows.entry(id).or_default().insert("n".into(), 0.into());
    }
    for record in db.records().await? {
        let id: i32 = record.object_id.clone().unwrap_or_default().parse()?;
        match record.action.as_str() {
            "DELETE" => {
                assert!(rows.remove(&id).is_some(), "{record:?}");
            }
            "CREATE" => {
                assert!(!rows.contains_key(&id), "{record:?}");
                let row = rows.entry(id).or_default();
                record.changed().unwrap_or_default().apply(row);
            }
            _ => {
                let row = rows
                    .get_mut(&id)
                    .ok_or("an update of a row that is not there")?;
                record.changed().unwrap_or_default().apply(row);
            }
        }
    }
    let n = |row: &serde_json::Map<String, serde_json::Value>| {
        row.get("n")
            .and_then(serde_json::Value::as_i64)
            .unwrap_or(-1)
    };
    Ok(rows
        .iter()
        .map(|(id, row)| (*id, i32::try_from(n(row)).unwrap_or(-1)))
        .collect())
}

/// The log replays to the table.
pub(crate) async fn assert_log_gives_table(
    db: &TestDb,
    rows_before: i32,
    about: &str,
) -> TestResult {
    let rows: Vec<_> = table(db)
        .await?
        .into_iter()
        .map(|(id, _, n)| (id, n))
        .collect();
    assert_eq!(
        replayed(db, rows_before).await?,
        rows,
        "{about}: {:#?}",
        db.log().await?
    );
    Ok(())
}

/// Variant, kind and code of an error.
pub(crate) fn shape(error: &DbErr) -> String {
    let (variant, runtime) = match error {
        DbErr::Exec(error) => ("Exec", error),
        DbErr::Query(error) => ("Query", error),
        DbErr::Conn(error) => ("Conn", error),
        other => return format!("{other:?}"),
    };
    let code = match runtime {
        RuntimeErr::SqlxError(error) => error
            .as_database_error()
            .and_then(|error| error.code().map(|code| code.to_string()))
            .unwrap_or_else(|| error.to_string()),
        RuntimeErr::Internal(text) => text.clone(),
    };
    format!(
        "{variant} {code} {:?}",
        error.sql_err().map(|e| std::mem::discriminant(&e))
    )
}

/// The comparable form of an error, or "ok".
pub(crate) fn outcome<T>(result: &Result<T, DbErr>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(error) => shape(error),
    }
}
