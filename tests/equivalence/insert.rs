//! INSERT and REPLACE, with every conflict clause.

use sea_orm::DbBackend;

use crate::expr::{condition, numeric, plain_value, returning, set_value};
use crate::tables::{Column, Table};
use crate::text::Text;

/// Writes an INSERT. Returns whether it returns rows.
pub(crate) fn insert(text: &mut Text<'_>, table: &Table) -> bool {
    let replace = verb(text);
    text.raw("INTO").table(table.name);
    let conflicts = !replace && text.choices.one_in(3);
    let alias =
        (conflicts && text.is(DbBackend::Postgres) && text.choices.one_in(4)).then_some("target");
    if let Some(alias) = alias {
        text.raw("AS").verbatim(alias);
    }
    source(text, table);
    if conflicts {
        conflict(text, table, alias);
    }
    returning(text, table, alias)
}

/// The verb, and whether conflicting rows are replaced.
fn verb(text: &mut Text<'_>) -> bool {
    let verbs: &[&str] = match text.backend {
        DbBackend::Sqlite => &[
            "INSERT",
            "INSERT OR IGNORE",
            "INSERT OR REPLACE",
            "REPLACE",
            "INSERT OR FAIL",
            "INSERT OR ABORT",
            "INSERT OR ROLLBACK",
        ],
        DbBackend::MySql => &["INSERT", "INSERT IGNORE", "REPLACE"],
        _ => &["INSERT"],
    };
    let verb = match text.choices.weighted(&[6, 4]) {
        0 => "INSERT",
        _ => *text.choices.of(verbs),
    };
    text.raw(verb);
    verb.contains("REPLACE")
}

fn source(text: &mut Text<'_>, table: &Table) {
    let writable = table.writable();
    let all = writable.len() == table.columns.len();
    match text.choices.weighted(&[10, 4, 3, 1, 1]) {
        1 if all => {
            text.raw("VALUES");
            rows(text, table, table.columns);
        }
        2 => from_table(text, table),
        3 if text.is(DbBackend::MySql) => {
            text.raw("() VALUES ()");
        }
        3 => {
            text.raw("DEFAULT VALUES");
        }
        4 if text.is(DbBackend::MySql) => {
            text.raw("SET");
            let columns = columns_of(text, table);
            text.list(columns, |text, column| {
                text.column(None, column.name).raw("=");
                plain_value(text, column);
            });
        }
        _ => {
            let columns = columns_of(text, table);
            text.raw("(");
            text.list(columns.iter(), |text, column| {
                text.column(None, column.name);
            });
            text.raw(") VALUES");
            rows(text, table, &columns);
        }
    }
}

/// The written columns, in order.
fn columns_of(text: &mut Text<'_>, table: &Table) -> Vec<Column> {
    let mut columns = table.writable();
    if table.numbered && !text.choices.one_in(3) {
        columns.retain(|column| !table.key.contains(&column.name));
    }
    if text.choices.one_in(4) {
        // Columns with a default, and sometimes columns without one.
        let without = text.choices.pick(columns.len());
        if columns.len() > 1 {
            columns.remove(without);
        }
    }
    if text.choices.one_in(4) {
        columns.reverse();
    }
    if text.choices.one_in(50) {
        columns.push(table.columns[0]);
    }
    columns
}

fn rows(text: &mut Text<'_>, table: &Table, columns: &[Column]) {
    let number = 1 + text.choices.weighted(&[8, 3, 3, 1]);
    let number = if text.choices.one_in(30) { 40 } else { number };
    let defaults = !text.is(DbBackend::Sqlite);
    text.list(0..number, |text, row| {
        text.raw("(");
        text.list(columns.iter(), |text, column| {
            if defaults && text.choices.one_in(20) {
                text.raw("DEFAULT");
            } else if text.choices.one_in(20) {
                let number = numeric(text, table).name;
                text.raw("( SELECT MAX(")
                    .column(None, number)
                    .raw(") + 1 FROM")
                    .table(table.name)
                    .raw(")");
            } else if is_key(table, *column) && !text.choices.one_in(3) {
                // Mostly new keys.
                let new = 20 + row + text.choices.pick(3);
                let literal = match column.kind {
                    crate::tables::Kind::Text => format!("'{new}'"),
                    _ => new.to_string(),
                };
                text.verbatim(&literal);
            } else {
                plain_value(text, *column);
            }
        });
        text.raw(")");
    });
}

fn is_key(table: &Table, column: Column) -> bool {
    table.key.contains(&column.name)
        || table
            .unique
            .iter()
            .any(|index| index.contains(&column.name))
}

fn from_table(text: &mut Text<'_>, table: &Table) {
    let columns = table.writable();
    text.raw("(");
    text.list(columns.iter(), |text, column| {
        text.column(None, column.name);
    });
    text.raw(") SELECT");
    let distinct = text.choices.one_in(4);
    text.list(columns.iter(), |text, column| {
        let key = is_key(table, *column) && !distinct;
        match column.kind {
            crate::tables::Kind::Text if key => {
                text.column(None, column.name).verbatim("|| 'x'");
            }
            kind if key && kind.is_number() => {
                text.column(None, column.name).verbatim("+ 30");
            }
            _ => {
                text.column(None, column.name);
            }
        }
    });
    text.raw("FROM").table(table.name);
    // Without it SQLite parses ON CONFLICT as a join's condition.
    text.raw("WHERE");
    condition(text, table, None, 1);
    if text.choices.one_in(4) {
        text.raw("ORDER BY");
        text.list(table.key, |text, key| {
            text.column(None, key);
        });
        text.raw("LIMIT 2");
    }
}

fn conflict(text: &mut Text<'_>, table: &Table, alias: Option<&str>) {
    if text.is(DbBackend::MySql) {
        on_duplicate_key(text, table);
        return;
    }
    text.raw("ON CONFLICT");
    let targets = table.unique.len() + 1;
    let target = text.choices.pick(targets + 2);
    let named = match table.name {
        "acct" => Some("acct_email"),
        "pair" => Some("pair_pkey"),
        _ => None,
    };
    let mut has_target = true;
    match (target, named) {
        (0, _) => columns(text, table.key),
        (at, _) if at < targets => columns(text, table.unique[at - 1]),
        (at, Some(name)) if at == targets && text.is(DbBackend::Postgres) => {
            text.raw("ON CONSTRAINT").verbatim(name);
        }
        _ => has_target = false,
    }
    let must_do_nothing = !has_target && text.is(DbBackend::Postgres);
    if must_do_nothing || text.choices.one_in(3) {
        text.raw("DO NOTHING");
        return;
    }
    text.raw("DO UPDATE SET");
    let values = if text.choices.one_in(12) {
        table.writable()
    } else {
        table.values()
    };
    let some = text.choices.some(&values);
    let name = alias.unwrap_or(table.name);
    text.list(some, |text, column| {
        text.column(None, column.name).raw("=");
        match text.choices.pick(4) {
            0 => {
                text.column(Some("excluded"), column.name);
            }
            1 => {
                text.column(Some(name), column.name);
            }
            2 if column.kind.is_number() => {
                text.column(Some(name), column.name).verbatim("+");
                text.column(Some("excluded"), column.name);
            }
            _ => set_value(text, table, Some(name), column),
        }
    });
    if text.choices.one_in(4) {
        text.raw("WHERE");
        condition(text, table, Some(name), 1);
    }
}

fn columns(text: &mut Text<'_>, names: &[&str]) {
    text.raw("(");
    text.list(names, |text, name| {
        text.column(None, name);
    });
    text.raw(")");
}

fn on_duplicate_key(text: &mut Text<'_>, table: &Table) {
    text.raw("ON DUPLICATE KEY UPDATE");
    let key = table.key[0];
    if table.numbered && text.choices.one_in(3) {
        text.column(None, key)
            .raw("= LAST_INSERT_ID(")
            .column(None, key)
            .raw(")");
        if !text.choices.one_in(2) {
            return;
        }
        text.raw(",");
    }
    if text.choices.one_in(6) {
        text.column(None, key).raw("=").column(None, key);
        return;
    }
    let values = if text.choices.one_in(12) {
        table.writable()
    } else {
        table.values()
    };
    let some = text.choices.some(&values);
    text.list(some, |text, column| {
        text.column(None, column.name).raw("=");
        match text.choices.pick(4) {
            0 => {
                text.raw("VALUES(").column(None, column.name).raw(")");
            }
            1 => {
                text.column(Some(table.name), column.name);
            }
            2 if column.kind.is_number() => {
                text.column(None, column.name).verbatim("+");
                text.raw("VALUES(").column(None, column.name).raw(")");
            }
            _ => set_value(text, table, None, column),
        }
    });
}
