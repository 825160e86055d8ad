//! Statement understanding: what a SQL text writes, to which table.
//!
//! Texts are parsed with the `sqlparser` crate; the outcome is kept per text in a bounded cache. What
//! cannot be understood is said to be so, never taken for harmless: only a text that is known to write
//! nothing counts as reading. Functions, views and rules that write are not looked into; that is what
//! triggers are for.

mod cache;
mod parse;
mod shorten;
mod stable;
mod template;

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::auditable::EntityInfo;

pub(crate) use cache::understand;
pub(crate) use parse::{outline_of, understand as parse_anew};
pub(crate) use template::{Composer, Template};

/// What a text does.
#[derive(Debug)]
pub(crate) enum Understood {
    /// Nothing is written.
    Read,
    /// One table is written.
    Write(Box<Write>),
    /// Several statements, each with its text.
    Several(Vec<(String, Understood)>),
    /// Transaction control or a change of the schema.
    Control,
    /// Something else.
    Opaque(Opaque),
}

/// What is not understood.
#[derive(Debug)]
pub(crate) struct Opaque {
    pub(crate) why: &'static str,
    /// The tables that the statement names, or `None` where it could write any.
    pub(crate) tables: Option<Vec<TableName>>,
    /// The text without its literals, fit to be reported.
    pub(crate) outline: String,
}

/// A table as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(crate) schema: Option<String>,
    pub(crate) table: String,
}

/// A write to one table.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) table: TableName,
    /// How the statement's own expressions refer to the table: its alias, else its name.
    pub(crate) qualifier: String,
    pub(crate) kind: Kind,
    pub(crate) returning: Returning,
    /// What stands after RETURNING.
    pub(crate) returning_text: Option<Template>,
    /// The whole statement where its text ends in a comment, so that nothing can be appended to it.
    pub(crate) clean: Option<Template>,
    /// The entity's columns for a SELECT before the statement, and for its RETURNING.
    pub(crate) selected: ColumnList,
    pub(crate) returned: ColumnList,
    /// The same for the row as it was before.
    pub(crate) old: ColumnList,
}

/// A list of columns, worked out when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct ColumnList(OnceLock<(usize, String)>);

impl ColumnList {
    /// The list for an entity; the table's first entity is remembered.
    pub(crate) fn of(&self, info: &EntityInfo, make: impl Fn() -> String) -> Cow<'_, str> {
        let entity = std::ptr::from_ref(info) as usize;
        let (known, list) = self.0.get_or_init(|| (entity, make()));
        if *known == entity {
            Cow::Borrowed(list)
        } else {
            Cow::Owned(make())
        }
    }
}

#[derive(Debug)]
pub(crate) enum Kind {
    Insert(Insert),
    Change(Change),
    Truncate,
}

#[derive(Debug)]
pub(crate) struct Insert {
    pub(crate) columns: Vec<String>,
    /// The values, row by row, where they are listed.
    pub(crate) rows: Option<Vec<Vec<Cell>>>,
    pub(crate) conflict: Option<Conflict>,
}

#[derive(Debug)]
pub(crate) enum Cell {
    /// The column's default.
    Default,
    /// An expression that has the same value whenever it is evaluated.
    Stable(Template),
    Unstable,
}

/// What an INSERT does with a row that is there already.
#[derive(Debug)]
pub(crate) struct Conflict {
    pub(crate) action: ConflictAction,
    /// The columns that the clause names.
    pub(crate) target: Option<Vec<String>>,
    /// The columns that it sets to something else than themselves.
    pub(crate) assigned: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConflictAction {
    /// The row that is there stays.
    Nothing,
    /// The row that is there is changed.
    Update,
    /// The row that is there is deleted first.
    Replace,
}

/// An UPDATE or DELETE.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) delete: bool,
    /// `WITH ..`, of queries that only read.
    pub(crate) with: Option<Template>,
    /// The statement up to its WHERE.
    pub(crate) head: Template,
    /// What a SELECT of the same rows has after its FROM.
    pub(crate) from: Template,
    /// Other tables take part.
    pub(crate) joined: bool,
    pub(crate) filter: Option<Template>,
    /// ORDER BY and LIMIT.
    pub(crate) tail: Option<Template>,
    /// The columns that are set.
    pub(crate) assigned: Vec<String>,
    /// The columns that the filter, a conjunction of nothing but such comparisons, compares with a
    /// value for equality.
    pub(crate) equalities: Vec<String>,
    /// The same filter may hit other rows the next time.
    pub(crate) unstable: bool,
}

impl Change {
    /// As a DELETE of all rows.
    pub(crate) fn everything(table: &str) -> Self {
        Self {
            delete: true,
            with: None,
            head: Template::read(&format!("DELETE FROM {table}")),
            from: Template::read(table),
            joined: false,
            filter: None,
            tail: None,
            assigned: Vec::new(),
            equalities: Vec::new(),
            unstable: false,
        }
    }
}

/// Whether two names are one column's. Most databases do not mind the case, and none of them has two
/// columns that differ by nothing else but on purpose.
pub(crate) fn is_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// What the statement itself returns.
#[derive(Debug)]
pub(crate) enum Returning {
    Nothing,
    Everything,
    /// Expressions; the columns that stand for themselves by name.
    Columns(Vec<String>),
}

impl Returning {
    pub(crate) fn has(&self, column: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Columns(columns) => columns.iter().any(|name| is_name(name, column)),
        }
    }
}

#[cfg(test)]
mod tests;
