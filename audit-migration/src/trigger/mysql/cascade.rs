//! The triggers that record what foreign keys cascade: these databases fire none for it.
//!
//! They run before the row is deleted, or the references to it are emptied, while what refers to it can still be read;
//! the statement is undone with their records when it fails. What follows a changed key is read after the change. A
//! table has a BEFORE UPDATE trigger only where it must: for any such trigger MariaDB accepts NULL in columns that are
//! NOT NULL, and requires values that have no default. The catalogue lists the foreign keys and their actions; rows of
//! tables that are not recorded are followed, too.
//!
//! One gap: a row that `DELETE IGNORE` leaves in place, as something else still refers to it, has been recorded with
//! all rows that its delete would have reached.

use std::collections::HashMap;

use super::cascade_walk::Closure;
use super::catalogue::{Catalogue, ForeignKey, Rule, Table};
use super::key_updates::{Found, KeyUpdate, emptied, moved};
use super::record::{self, Parts};
use super::table_sql::{Row, Subject, row};
use super::{quote, variable};

const NOTE: &str = r#"{"trigger_out_of_date":true}"#;

/// The variable that shows whether anything follows.
const FOLLOWS: &str = "sea_orm_audit_follows";

/// What follows the rows of a table.
pub(super) struct Cascade<'a> {
    root: &'a Subject<'a>,
    catalogue: &'a Catalogue,
    others: HashMap<Table, Subject<'a>>,
}

impl<'a> Cascade<'a> {
    pub(super) fn new(root: &'a Subject<'a>, catalogue: &'a Catalogue) -> Self {
        let others = root.plan.others.iter().map(|plan| {
            let subject = Subject::new(plan, catalogue);
            (subject.table.clone(), subject)
        });
        Self {
            root,
            catalogue,
            others: others.collect(),
        }
    }

    fn subject(&self, table: &Table) -> Option<&Subject<'a>> {
        if *table == self.root.table {
            return Some(self.root);
        }
        self.others.get(table)
    }

    /// A table as it is named in the trigger, without the trigger's own schema.
    fn name(&self, table: &Table) -> String {
        let schema = (table.schema != self.root.table.schema).then_some(table.schema.as_str());
        quote::qualified(schema, &table.name)
    }

    /// The body of the trigger before DELETE, where anything follows.
    pub(super) fn on_delete(&self, log: &str, context: &str) -> Option<String> {
        let closure = Closure::of(&self.root.table, self.catalogue, |table| self.name(table));
        let with = closure.with();
        let mut statements = Vec::new();
        for table in closure.tables() {
            let Some(subject) = self.subject(table).filter(|subject| subject.plan.delete) else {
                continue;
            };
            let Some(joined) = closure.joined(table, &subject.key()) else {
                continue;
            };
            let parts = subject
                .recorded()
                .flat_map(|at| subject.whole(at, "old", &row("x")));
            let parts: Vec<_> = parts.collect();
            let x = row("x");
            let change = Written {
                action: "DELETE",
                parts: &parts,
                identified: &x,
                shown: &x,
            };
            statements.push(write(subject, log, &with, &joined, &change));
        }
        let parents = |key: &ForeignKey| {
            let mut sources = Vec::new();
            if key.parent == self.root.table {
                sources.push(closure.direct(key, "x"));
            }
            sources.extend(closure.through(key, "x"));
            sources
        };
        let mut touched = Vec::new();
        for key in &self.catalogue.foreign_keys {
            if key.on_delete != Rule::SetNull {
                continue;
            }
            for from in parents(key) {
                let root = &self.root.table;
                for moved in emptied(root, self.catalogue, &|table| self.name(table), key, from) {
                    add(&mut touched, moved);
                }
            }
        }
        for (table, touches) in &touched {
            let Some(subject) = self.subject(table) else {
                continue;
            };
            let mut but = closure.gone(table, &subject.key());
            if **table == self.root.table {
                but.push_str(" AND ");
                but.push_str(&closure.row.is_other("x"));
            }
            let before = Found::Before;
            statements.extend(self.touched(subject, touches, before, log, &with, &but));
        }
        // Most rows have nothing that refers to them: that is quick to check.
        let direct = (self.catalogue.foreign_keys.iter())
            .filter(|key| key.parent == self.root.table && key.on_delete != Rule::Nothing)
            .map(|key| {
                format!(
                    "SET {FOLLOWS} = {FOLLOWS} OR EXISTS (SELECT 1 {});\n",
                    closure.direct(key, "x")
                )
            });
        let begin = format!(
            "{}SET {FOLLOWS} = FALSE;\n\
             BEGIN\n\
             DECLARE CONTINUE HANDLER FOR 1054, 1146 SET {FOLLOWS} = TRUE;\n\
             {}END;\n",
            closure.row.set(),
            direct.collect::<String>(),
        );
        self.body(&statements, context, &closure.row.declare(), &begin)
    }

    /// The body of the trigger before or after UPDATE, where anything follows that is found then.
    pub(super) fn on_update(&self, found: Found, log: &str, context: &str) -> Option<String> {
        let name = |table: &Table| self.name(table);
        let (when, all) = moved(&self.root.table, self.catalogue, &name);
        if when != found {
            return None;
        }
        let mut touched = Vec::new();
        for moved in all {
            add(&mut touched, moved);
        }
        let mut statements = Vec::new();
        for (table, touches) in &touched {
            let Some(subject) = self.subject(table) else {
                continue;
            };
            let written = self.touched(subject, touches, found, log, "", "");
            let mut when: Vec<&str> = touches.iter().map(|moved| moved.when.as_str()).collect();
            when.sort_unstable();
            when.dedup();
            statements.extend(
                written.map(|written| format!("IF {} THEN\n{written}\nEND IF;", when.join(" OR "))),
            );
        }
        self.body(
            &statements,
            context,
            "",
            &format!("SET {FOLLOWS} = TRUE;\n"),
        )
    }

    /// Records the rows whose references change.
    fn touched(
        &self,
        subject: &Subject<'_>,
        touches: &[KeyUpdate<'_>],
        found: Found,
        log: &str,
        with: &str,
        but: &str,
    ) -> Option<String> {
        let mut columns: Vec<&str> = (touches.iter())
            .flat_map(|touch| touch.sets.iter().map(|(own, _)| *own))
            .collect();
        columns.sort_unstable();
        columns.dedup();
        let recorded: Vec<usize> = (columns.iter())
            .filter_map(|name| subject.position(name))
            .collect();
        let key = subject.key();
        if !subject.plan.update || recorded.is_empty() || key.is_empty() {
            return None;
        }
        // One row may be reached by several keys, or several times by one.
        let number = |at: usize| (0..touches.len()).map(move |other| u8::from(other == at));
        let terms = touches.iter().enumerate().map(|(at, touch)| {
            let keys = (key.iter().enumerate())
                .map(|(n, name)| format!("x.{} AS a{n}", quote::name(name)));
            let flags = number(at)
                .enumerate()
                .map(|(n, flag)| format!("{flag} AS e{n}"));
            let list: Vec<_> = keys.chain(flags).collect();
            format!("SELECT {} {}", list.join(", "), touch.from)
        });
        let terms: Vec<_> = terms.collect();
        let names: Vec<_> = (0..key.len()).map(|n| format!("a{n}")).collect();
        let flags: Vec<_> = (0..touches.len())
            .map(|n| format!("MAX(e{n}) AS e{n}"))
            .collect();
        let on: Vec<_> = (key.iter().enumerate())
            .map(|(n, name)| format!("x.{} = u.a{n}", quote::name(name)))
            .collect();
        let names = names.join(", ");
        let from = format!(
            "(SELECT {names}, {} FROM ({}) y GROUP BY {names}) u STRAIGHT_JOIN {} x ON {} WHERE TRUE{but}",
            flags.join(", "),
            terms.join(" UNION ALL "),
            self.name(&subject.table),
            on.join(" AND "),
        );
        let x = row("x");
        // The row with the values of the changed one that it does not have yet, or no more.
        let other = |name: &str| {
            let cases = touches.iter().enumerate().filter_map(|(n, touch)| {
                let same = |(own, _): &&(&str, _)| own.eq_ignore_ascii_case(name);
                let (_, value) = touch.sets.iter().find(same)?;
                let row = match found {
                    Found::Before => "NEW",
                    Found::After => "OLD",
                };
                let null = || "NULL".to_owned();
                let value =
                    value.map_or_else(null, |value| format!("{row}.{}", quote::name(value)));
                Some(format!(" WHEN u.e{n} THEN {value}"))
            });
            let cases: String = cases.collect();
            if cases.is_empty() {
                return x(name);
            }
            format!("(CASE{cases} ELSE {} END)", x(name))
        };
        let (before, after): (Row<'_>, Row<'_>) = match found {
            Found::Before => (&x, &other),
            Found::After => (&other, &x),
        };
        let parts: Vec<_> = (recorded.iter())
            .filter_map(|at| subject.between(*at, before, after))
            .collect();
        let change = Written {
            action: "UPDATE",
            parts: &parts,
            identified: before,
            shown: after,
        };
        Some(write(subject, log, with, &from, &change))
    }

    fn body(
        &self,
        statements: &[String],
        context: &str,
        declare: &str,
        begin: &str,
    ) -> Option<String> {
        if statements.is_empty() {
            return None;
        }
        let secrets = std::iter::once(self.root)
            .chain(self.others.values())
            .find_map(|subject| subject.secrets.as_deref());
        Some(format!(
            "BEGIN\nDECLARE {FOLLOWS} BOOL;\n{}\n{}{declare}\
             DECLARE CONTINUE HANDLER FOR 1054 BEGIN END;\n\
             IF @@SESSION.foreign_key_checks THEN\n{begin}\
             IF {FOLLOWS} THEN\n{}{}\n{}\nEND IF;\nEND IF;\nEND",
            record::declare(&[variable::NOTE, variable::SECRETS]),
            record::declare_context(),
            record::set_secrets(secrets),
            record::read_context(context),
            statements.join("\n")
        ))
    }
}

fn add<'a>(touched: &mut Vec<(&'a Table, Vec<KeyUpdate<'a>>)>, moved: KeyUpdate<'a>) {
    let known = (touched.iter_mut()).find(|(table, _)| *table == moved.table);
    match known {
        Some((_, list)) => list.push(moved),
        None => touched.push((moved.table, vec![moved])),
    }
}

/// What is written of rows.
struct Written<'a> {
    action: &'a str,
    /// Their changes.
    parts: &'a [String],
    /// The rows that give the ids: before the change.
    identified: Row<'a>,
    /// The rows that give labels and tenants: after the change, or before the delete.
    shown: Row<'a>,
}

/// Records rows.
///
/// Where a table or a column that the statement names does not exist any more, a record with only the row's key is
/// tried, and then none: the write itself does not fail for it.
fn write(subject: &Subject<'_>, log: &str, with: &str, from: &str, change: &Written<'_>) -> String {
    let Written {
        action,
        parts,
        identified,
        shown,
    } = *change;
    let id = subject.object_id(identified);
    let unknown: Vec<_> = subject.recorded().map(|at| subject.unknown(at)).collect();
    let changes = match parts.len() {
        0 => "''".to_owned(),
        _ => format!(
            "IFNULL(CONCAT({}), CONCAT('', {}))",
            parts.join(", "),
            unknown.join(", ")
        ),
    };
    let statement = |label: &str, changes: &str, tenant: Option<String>| {
        let stored = subject.stored_id("d.i").unwrap_or_else(|| "d.i".to_owned());
        let label_of = subject
            .stored_label("d.l")
            .unwrap_or_else(|| "d.l".to_owned());
        let tenant = tenant.unwrap_or_else(|| "NULL".to_owned());
        let values = record::values(
            subject,
            &Parts {
                action,
                object_id: &stored,
                label: &label_of,
                changes: "d.c",
                tenant: Some("d.t"),
            },
        );
        format!(
            "{} {with}SELECT {values} FROM (SELECT {id} AS i, {label} AS l, {changes} AS c, {tenant} AS t \
             FROM {from}) d",
            record::insert(log),
        )
    };
    let whole = statement(&subject.label(shown, &id), &changes, subject.tenant(shown));
    let whole = if action == "UPDATE" {
        whole + " WHERE d.c <> ''"
    } else {
        whole
    };
    let little = statement(&id, "''", None);
    format!(
        "BEGIN\n\
         DECLARE EXIT HANDLER FOR 1054, 1146 BEGIN\n\
         DECLARE EXIT HANDLER FOR 1054, 1146 BEGIN END;\n\
         SET {note} = {out_of_date};\n\
         {little};\n\
         SET {note} = NULL;\n\
         END;\n\
         {whole};\n\
         END;",
        note = variable::NOTE,
        out_of_date = quote::text(NOTE),
    )
}
