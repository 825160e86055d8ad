//! Values, conditions and returned columns.

use sea_orm::{DbBackend, Value};

use crate::tables::{Column, Kind, TABLES, Table, comparable};
use crate::text::Text;

/// The name of a statement's table in the statement.
pub(crate) type Name<'a> = Option<&'a str>;

const TEXTS: &[&str] = &[
    "a",
    "b",
    "z",
    "d",
    "",
    "it''s",
    "A",
    "new \"x\"",
    "?$1",
    "1",
];

/// A plain value for a column: a frequent one, one at a limit, or an invalid one.
pub(crate) fn plain_value(text: &mut Text<'_>, column: Column) {
    let kind = column.kind;
    if text.choices.one_in(if column.null { 6 } else { 40 }) {
        text.raw("NULL");
        return;
    }
    if text.choices.one_in(60) {
        // Of a wrong type, or beyond the limits.
        let wrong = *text.choices.of(&[
            "'wrong'",
            "99999999999",
            "1/0",
            "-99999999999999999999",
            "CURRENT",
        ]);
        text.verbatim(wrong);
        return;
    }
    match kind {
        Kind::Int | Kind::Small | Kind::Big => {
            let numbers = [1_i32, 2, 3, 4, 5, 7, 11, 12, -1, 0, 6, 666, 667, 32767];
            let number = *text.choices.of(&numbers);
            let bound = match kind {
                Kind::Int => Value::from(number),
                Kind::Small => Value::from(i16::try_from(number).unwrap()),
                _ => Value::from(i64::from(number)),
            };
            text.value(Some(bound), &number.to_string());
        }
        Kind::Single => {
            let number = *text.choices.of(&[1.5_f32, 0.0, -2.25, 0.1]);
            text.value(Some(number.into()), &number.to_string());
        }
        Kind::Double => {
            let number = *text.choices.of(&[1.5_f64, 0.0, -2.25, 0.1, 1e15]);
            text.value(Some(number.into()), &number.to_string());
        }
        Kind::Exact => {
            let number = *text.choices.of(&["1.5", "0", "-2.25", "12.3456", "0.00"]);
            text.verbatim(number);
        }
        Kind::Text => {
            let chosen = *text.choices.of(TEXTS);
            let bound = Value::from(chosen.replace("''", "'"));
            text.value(Some(bound), &format!("'{chosen}'"));
        }
        Kind::Flag => {
            let flag = text.choices.one_in(2);
            text.value(Some(flag.into()), if flag { "TRUE" } else { "FALSE" });
        }
        Kind::Bytes => {
            let literal = match text.backend {
                DbBackend::Postgres => "'\\x0041'",
                _ => "X'0041'",
            };
            text.value(Some(vec![0_u8, 0x41].into()), literal);
        }
        Kind::Day => {
            let day = *text
                .choices
                .of(&["'2026-01-02'", "'1970-01-01'", "'2024-02-29'"]);
            text.verbatim(day);
        }
        Kind::At => {
            let at = *text
                .choices
                .of(&["'2026-01-02 03:04:05'", "'2026-01-02 03:04:05.123456'"]);
            text.verbatim(at);
        }
        Kind::Zoned => {
            let zone = if text.is(DbBackend::MySql) {
                ""
            } else {
                "+00:00"
            };
            text.verbatim(&format!("'2026-01-02 03:04:05.5{zone}'"));
        }
        Kind::Json => {
            let json = *text.choices.of(&["'{\"a\": 1}'", "'[1, \"x\"]'", "'null'"]);
            text.verbatim(json);
        }
        Kind::Uuid => {
            let literal = match text.backend {
                DbBackend::Postgres => "'00000000-0000-0000-0000-000000000002'",
                _ => "X'00000000000000000000000000000002'",
            };
            text.verbatim(literal);
        }
    }
}

/// The new value of a column, from the row or the table as well.
pub(crate) fn set_value(text: &mut Text<'_>, table: &Table, name: Name<'_>, column: Column) {
    let number = column.kind.is_number();
    match text.choices.weighted(&[10, 4, 3, 2, 2, 1, 1, 1]) {
        1 if number => {
            let by = *text
                .choices
                .of(&["+ 1", "* 2", "- 1", "+ 10", "% 2", "/ 0"]);
            text.column(name, column.name).verbatim(by);
        }
        1 if column.kind == Kind::Text => {
            text.raw("UPPER(").column(name, column.name).raw(")");
        }
        2 if number => aggregate(text, table, column),
        3 if number => {
            text.column(name, column.name).raw("-");
            aggregate(text, table, column);
        }
        4 => {
            let other = *text.choices.of(table.columns);
            text.column(name, other.name);
        }
        5 => {
            text.raw("CASE WHEN");
            condition(text, table, name, 0);
            text.raw("THEN");
            plain_value(text, column);
            text.raw("ELSE").column(name, column.name).raw("END");
        }
        6 if number => {
            // For every row the number of rows below it.
            let key = table.key[0];
            text.raw("( SELECT COUNT(*) FROM")
                .table(table.name)
                .raw("AS other WHERE");
            text.column(Some("other"), key)
                .raw("<")
                .column(Some(name.unwrap_or(table.name)), key);
            text.raw(")");
        }
        7 if !text.is(DbBackend::Sqlite) => {
            text.raw("DEFAULT");
        }
        _ => plain_value(text, column),
    }
}

fn aggregate(text: &mut Text<'_>, table: &Table, column: Column) {
    let functions = ["MAX", "MIN", "SUM", "AVG", "COUNT"];
    let function = *text.choices.of(&functions);
    text.raw(&format!("( SELECT {function}("));
    text.column(None, column.name)
        .raw(") FROM")
        .table(table.name)
        .raw(")");
}

/// A condition on the rows of a table.
pub(crate) fn condition(text: &mut Text<'_>, table: &Table, name: Name<'_>, depth: usize) {
    let key = table.column(table.key[0]);
    let some = *text.choices.of(table.columns);
    match text
        .choices
        .weighted(&[8, 5, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1])
    {
        0 => {
            for (at, key) in table.key.iter().enumerate() {
                if at > 0 {
                    text.raw("AND");
                }
                text.column(name, key).raw("=");
                plain_value(
                    text,
                    Column {
                        null: false,
                        ..table.column(key)
                    },
                );
            }
        }
        1 => {
            text.raw("1 = 1");
        }
        2 => {
            text.column(name, key.name).raw("IN (");
            let number = 1 + text.choices.pick(4);
            text.list(0..number, |text, _| plain_value(text, key));
            text.raw(")");
        }
        3 => {
            text.column(name, some.name);
            let operator = *text.choices.of(&["=", "<>", "<", ">="]);
            text.raw(operator);
            plain_value(text, some);
        }
        4 => {
            text.column(name, some.name).raw("IS");
            if text.choices.one_in(2) {
                text.raw("NOT");
            }
            text.raw("NULL");
        }
        5 => {
            let number = numeric(text, table);
            text.column(name, number.name);
            let operator = *text.choices.of(&[">", "<", "=", ">="]);
            text.raw(operator);
            aggregate(text, table, number);
        }
        6 => {
            let exists = *text.choices.of(&["EXISTS (", "NOT EXISTS ("]);
            text.raw(exists)
                .raw("SELECT 1 FROM")
                .table(table.name)
                .raw("AS other WHERE");
            text.column(Some("other"), key.name).raw(">");
            text.column(Some(name.unwrap_or(table.name)), key.name)
                .raw(")");
        }
        7 => {
            text.column(name, key.name)
                .raw("IN ( SELECT")
                .column(None, key.name);
            text.raw("FROM").table(table.name).raw("WHERE");
            if depth < 2 {
                condition(text, table, None, depth + 1);
            } else {
                text.raw("1 = 1");
            }
            text.raw(")");
        }
        8 if depth < 2 => {
            text.raw("(");
            condition(text, table, name, depth + 1);
            let word = *text.choices.of(&["OR", "AND"]);
            text.raw(")").raw(word).raw("(");
            condition(text, table, name, depth + 1);
            text.raw(")");
        }
        9 if depth < 2 => {
            text.raw("NOT (");
            condition(text, table, name, depth + 1);
            text.raw(")");
        }
        10 => {
            let mut other = text.choices.of(TABLES);
            if text.is(DbBackend::MySql) {
                other = comparable(table, other);
            }
            text.column(name, key.name)
                .raw("IN ( SELECT")
                .column(None, other.key[0]);
            text.raw("FROM").table(other.name).raw(")");
        }
        11 => {
            text.column(name, "no_such_column").raw("= 1");
        }
        12 => {
            let number = numeric(text, table);
            text.verbatim("1 /").column(name, number.name).raw("> 0");
        }
        _ => {
            let number = numeric(text, table);
            text.column(name, number.name).raw("BETWEEN 2 AND 4");
        }
    }
}

/// A column that holds numbers.
pub(crate) fn numeric(text: &mut Text<'_>, table: &Table) -> Column {
    let numbers: Vec<Column> = (table.columns.iter().copied())
        .filter(|column| column.kind.is_number())
        .collect();
    *text.choices.of(&numbers)
}

/// `RETURNING` and its columns. Returns whether there is any.
pub(crate) fn returning(text: &mut Text<'_>, table: &Table, name: Name<'_>) -> bool {
    let columns = table.columns;
    match text.choices.weighted(&[8, 3, 3, 2, 2, 2, 1, 1]) {
        0 => return false,
        1 => {
            text.raw("RETURNING *");
        }
        2 => {
            text.raw("RETURNING");
            let some = text.choices.some(columns);
            text.list(some, |text, column| {
                text.column(name, column.name);
            });
        }
        3 => {
            // Each with the other's name as alias.
            let (one, other) = (*text.choices.of(columns), *text.choices.of(columns));
            text.raw("RETURNING")
                .column(name, one.name)
                .raw("AS")
                .column(None, other.name);
            text.raw(",")
                .column(name, other.name)
                .raw("AS")
                .column(None, one.name);
        }
        4 => {
            let number = numeric(text, table);
            text.raw("RETURNING")
                .column(name, number.name)
                .raw("+ 1 AS")
                .verbatim("plus");
            text.raw(",")
                .verbatim("'x''y'")
                .raw("AS")
                .column(None, table.key[0]);
        }
        5 => {
            let key = table.key[0];
            text.raw("RETURNING")
                .column(name, key)
                .raw(",")
                .column(name, key)
                .raw(", 1");
        }
        6 => {
            text.raw("RETURNING ( SELECT COUNT(*) FROM")
                .table(table.name)
                .raw(") AS")
                .verbatim("number");
        }
        _ => {
            text.raw("RETURNING").column(None, "no_such_column");
        }
    }
    true
}
