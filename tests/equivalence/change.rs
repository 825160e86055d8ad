//! UPDATE and DELETE with their clauses.

use sea_orm::DbBackend;

use crate::expr::{Name, condition, plain_value, returning, set_value};
use crate::tables::{TABLES, Table, comparable};
use crate::text::Text;

/// Writes an UPDATE or a DELETE. Returns whether it returns rows.
pub(crate) fn change(text: &mut Text<'_>, table: &Table) -> bool {
    let with = text.choices.one_in(10);
    if with && !text.is(DbBackend::MySql) {
        text.raw("WITH picked AS ( SELECT")
            .column(None, table.key[0]);
        text.raw("FROM").table(table.name).raw("WHERE");
        condition(text, table, None, 1);
        text.raw(")");
    }
    let with = with && !text.is(DbBackend::MySql);
    if text.choices.one_in(3) {
        delete(text, table, with)
    } else {
        update(text, table, with)
    }
}

fn update(text: &mut Text<'_>, table: &Table, with: bool) -> bool {
    let mysql = text.is(DbBackend::MySql);
    text.raw("UPDATE");
    if text.choices.one_in(8) {
        match text.backend {
            DbBackend::Sqlite => {
                let words = *text.choices.of(&[
                    "OR IGNORE",
                    "OR REPLACE",
                    "OR FAIL",
                    "OR ABORT",
                    "OR ROLLBACK",
                ]);
                text.raw(words);
            }
            DbBackend::MySql => {
                text.raw("IGNORE");
            }
            _ => {}
        }
    }
    text.table(table.name);
    let joined = text.choices.one_in(8);
    let alias = (joined || text.choices.one_in(5)).then_some("t");
    if let Some(alias) = alias {
        text.raw("AS").verbatim(alias);
    }
    let mut other = text.choices.of(TABLES);
    if joined && mysql {
        other = comparable(table, other);
        text.raw("JOIN").table(other.name).raw("AS other ON");
        text.column(alias, table.key[0])
            .raw("=")
            .column(Some("other"), other.key[0]);
    }
    text.raw("SET");
    sets(text, table, alias, mysql);
    if joined && !mysql {
        text.raw("FROM").table(other.name).raw("AS other");
    }
    filter(text, table, alias, with);
    if joined && !mysql {
        text.raw("AND")
            .column(alias, table.key[0])
            .raw("=")
            .column(Some("other"), other.key[0]);
    }
    if mysql {
        // MariaDB 10.11 executes joined UPDATEs with LIMIT wrongly: repeated, they change nothing, and with triggers
        // they sometimes set NULL.
        if !joined {
            limit(text, table);
        }
        return false;
    }
    let name = if joined { alias } else { None };
    returning(text, table, name)
}

fn sets(text: &mut Text<'_>, table: &Table, alias: Name<'_>, qualified: bool) {
    let values = table.values();
    if values.is_empty() || text.choices.one_in(8) {
        // Another key.
        let key = table.column(*text.choices.of(table.key));
        text.column(alias.filter(|_| qualified), key.name).raw("=");
        match text.choices.pick(3) {
            0 => plain_value(text, key),
            1 if key.kind.is_number() => {
                text.column(alias, key.name).verbatim("+ 100");
            }
            _ => set_value(text, table, alias, key),
        }
        return;
    }
    let mut some = text.choices.some(&values);
    some.truncate(3);
    if text.choices.one_in(60) {
        some.extend(table.columns.iter().filter(|column| column.generated));
    }
    text.list(some, |text, column| {
        text.column(alias.filter(|_| qualified), column.name)
            .raw("=");
        set_value(text, table, alias, column);
    });
}

fn filter(text: &mut Text<'_>, table: &Table, alias: Name<'_>, with: bool) {
    text.raw("WHERE");
    if with {
        text.column(alias, table.key[0])
            .raw("IN ( SELECT")
            .column(None, table.key[0])
            .raw("FROM picked )");
        return;
    }
    text.raw("(");
    condition(text, table, alias, 0);
    text.raw(")");
}

/// A total order and a limit.
fn limit(text: &mut Text<'_>, table: &Table) {
    if text.choices.one_in(5) {
        text.raw("ORDER BY");
        text.list(table.key, |text, key| {
            text.column(None, key);
        });
        if text.choices.one_in(2) {
            text.raw("DESC");
        }
        text.raw("LIMIT");
        let number = (1 + text.choices.pick(3)).to_string();
        text.verbatim(&number);
    }
}

fn delete(text: &mut Text<'_>, table: &Table, with: bool) -> bool {
    let mysql = text.is(DbBackend::MySql);
    if mysql && text.choices.one_in(5) {
        return multi_table(text, table);
    }
    text.raw("DELETE FROM").table(table.name);
    let postgres = text.is(DbBackend::Postgres);
    let alias = (!mysql && text.choices.one_in(5)).then_some("t");
    if let Some(alias) = alias {
        text.raw("AS").verbatim(alias);
    }
    let using = (postgres && text.choices.one_in(6)).then(|| text.choices.of(TABLES));
    let alias = alias.or(using.map(|_| table.name));
    if let Some(other) = using {
        text.raw("USING").table(other.name).raw("AS other");
    }
    filter(text, table, alias, with);
    if let Some(other) = using {
        text.raw("AND")
            .column(alias, table.key[0])
            .raw("=")
            .column(Some("other"), other.key[0]);
    }
    if mysql {
        limit(text, table);
    }
    let name = if using.is_some() { alias } else { None };
    returning(text, table, name)
}

/// MariaDB's DELETE that names its target tables.
fn multi_table(text: &mut Text<'_>, table: &Table) -> bool {
    text.raw("DELETE t FROM").table(table.name).raw("AS t");
    let other = comparable(table, text.choices.of(TABLES));
    if text.choices.one_in(2) {
        text.raw("JOIN").table(other.name).raw("AS other ON");
        text.column(Some("t"), table.key[0])
            .raw("=")
            .column(Some("other"), other.key[0]);
    }
    filter(text, table, Some("t"), false);
    false
}
