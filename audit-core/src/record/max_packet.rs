//! The size of what MySQL and MariaDB accept in one message, `max_allowed_packet`.
//!
//! At a longer message the server closes the connection, and with it the application's transaction. A record holds old
//! and new values, and bytes as twice as many digits, so it may be longer than the statement that it records.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Iterable, Statement};
use serde_json::Map;

use crate::change::Change;
use crate::entity::audit_log::Column;

/// Records up to this size, in bytes, are sent without asking the server: a quarter of the smallest default that a
/// version of either had.
const ALWAYS_ACCEPTED: usize = 256 * 1024;

/// The bytes of a message besides its values.
const HEADER: usize = 1024;

/// In the metadata of a record whose values are left out, as the triggers write it.
const TOO_LONG: &str = "changes_too_long";

/// About how many bytes of memory or of a message a row takes.
pub(super) fn weight(row: &[Value]) -> usize {
    let of_value = |value: &Value| match value {
        Value::String(Some(text)) => 24 + text.len(),
        _ => 24,
    };
    row.iter().map(of_value).sum()
}

/// The most bytes of values that one INSERT of rows may have; `None` where nothing limits it, or the rows are small.
///
/// The changes of a row that is longer lose their values.
pub(super) async fn fit<C: ConnectionTrait>(
    db: &C,
    rows: &mut [Vec<Value>],
) -> Result<Option<usize>, DbErr> {
    let total: usize = rows.iter().map(|row| weight(row)).sum();
    if db.get_database_backend() != DbBackend::MySql || total <= ALWAYS_ACCEPTED {
        return Ok(None);
    }
    let sql = "SELECT CAST(@@max_allowed_packet AS CHAR)";
    let answer = db.query_one_raw(Statement::from_string(DbBackend::MySql, sql));
    let Some(answer) = answer.await? else {
        return Ok(None);
    };
    let most: String = answer.try_get_by_index(0)?;
    let most: usize = most.parse().unwrap_or(usize::MAX);
    let most = most.saturating_sub(HEADER);
    for row in rows.iter_mut().filter(|row| weight(row) > most) {
        shorten(row)?;
    }
    Ok(Some(most))
}

/// Leaves the values out of a record, and says so.
fn shorten(row: &mut [Value]) -> Result<(), DbErr> {
    let invalid = |error: serde_json::Error| DbErr::Json(error.to_string());
    let cells = Column::iter().skip(1).zip(row);
    for (column, cell) in cells {
        let Value::String(text) = cell else { continue };
        match column {
            Column::Changes => {
                let Some(changes) = text.as_deref() else {
                    continue;
                };
                let mut changes: Map<String, serde_json::Value> =
                    serde_json::from_str(changes).map_err(invalid)?;
                for change in changes.values_mut() {
                    *change = serde_json::to_value(Change::unknown()).map_err(invalid)?;
                }
                *text = Some(serde_json::to_string(&changes).map_err(invalid)?);
            }
            Column::Metadata => {
                let mut metadata: Map<String, serde_json::Value> = match text.as_deref() {
                    Some(metadata) => serde_json::from_str(metadata).map_err(invalid)?,
                    None => Map::new(),
                };
                metadata.insert(TOO_LONG.to_owned(), true.into());
                *text = Some(serde_json::to_string(&metadata).map_err(invalid)?);
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::IdenStatic as _;

    #[test]
    fn shortened_record_keeps_the_names_of_its_fields_and_its_metadata() {
        let columns = || Column::iter().skip(1);
        let mut row: Vec<Value> = columns()
            .map(|column| match column {
                Column::Changes => r#"{"b": {"old": 1, "new": 2}, "a": {"redacted": true}}"#.into(),
                Column::Metadata => r#"{"why": "x"}"#.into(),
                _ => Value::String(None),
            })
            .collect();
        assert!(shorten(&mut row).is_ok());
        let of = |wanted: Column| {
            let at = columns().position(|column| column.as_str() == wanted.as_str());
            at.and_then(|at| row.get(at)).cloned()
        };
        assert_eq!(
            of(Column::Changes),
            Some(r#"{"a":{"old_unknown":true},"b":{"old_unknown":true}}"#.into())
        );
        assert_eq!(
            of(Column::Metadata),
            Some(r#"{"changes_too_long":true,"why":"x"}"#.into())
        );
    }
}
