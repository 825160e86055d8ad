//! Bound values as literals (MySQL and MariaDB).

use std::ops::Range;

use sea_orm::Statement;
use sea_orm::sea_query::{Value, Values};

use crate::value::hex;

/// Takes bound numbers and texts out of a statement. Returns the literals in their places.
///
/// MariaDB moves a condition into the clause of a table only if it knows the value when it prepares the statement; else it
/// reads the whole table. Texts are in hexadecimal digits, which no setting of the session reads in another way.
pub(super) fn literals(statement: &mut Statement, marks: &[usize]) -> Vec<(Range<usize>, String)> {
    let Some(values) = statement.values.take() else {
        return Vec::new();
    };
    if values.0.len() != marks.len() {
        statement.values = Some(values);
        return Vec::new();
    }
    let mut edits = Vec::new();
    let mut bound = Vec::new();
    for (value, mark) in values.0.into_iter().zip(marks) {
        match literal(&value) {
            Some(text) => edits.push((*mark..*mark + 1, text)),
            None => bound.push(value),
        }
    }
    statement.values = Some(Values(bound));
    edits
}

fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::TinyInt(Some(n)) => integer(i64::from(*n)),
        Value::SmallInt(Some(n)) => integer(i64::from(*n)),
        Value::Int(Some(n)) => integer(i64::from(*n)),
        Value::BigInt(Some(n)) => integer(*n),
        Value::TinyUnsigned(Some(n)) => n.to_string(),
        Value::SmallUnsigned(Some(n)) => n.to_string(),
        Value::Unsigned(Some(n)) => n.to_string(),
        Value::BigUnsigned(Some(n)) => n.to_string(),
        Value::String(Some(text)) => format!("_utf8mb4 x'{}'", hex(text.as_bytes())),
        _ => return None,
    })
}

fn integer(n: i64) -> String {
    // A minus sign must not follow another one. LIMIT takes no parentheses.
    if n.is_negative() {
        format!("({n})")
    } else {
        n.to_string()
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;

    use super::*;

    #[test]
    fn numbers_and_texts_become_literals_and_other_values_stay() {
        let sql = "SELECT ?, ?, ?, ? LIMIT ?";
        let values = [
            Value::from(-5),
            Value::from("it's \\ \u{e4}"),
            Value::from(1.5),
            Value::Int(None),
            Value::from(7_u64),
        ];
        let mut statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let marks: Vec<usize> = sql.match_indices('?').map(|(at, _)| at).collect();
        let mut text = sql.to_owned();
        for (place, literal) in literals(&mut statement, &marks).into_iter().rev() {
            text.replace_range(place, &literal);
        }
        assert_eq!(
            text,
            "SELECT (-5), _utf8mb4 x'69742773205c20c3a4', ?, ? LIMIT 7"
        );
        let left = statement.values.map(|values| values.0);
        assert_eq!(left, Some(vec![Value::from(1.5), Value::Int(None)]));
        // A statement with too few values is the database's to refuse.
        let mut statement = Statement::from_sql_and_values(DbBackend::MySql, sql, [Value::from(1)]);
        assert!(literals(&mut statement, &marks).is_empty());
        assert_eq!(statement.values.map(|values| values.0.len()), Some(1));
    }
}
