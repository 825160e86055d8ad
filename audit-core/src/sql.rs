//! Statement understanding: what a SQL text writes, to which table.
//!
//! Texts are parsed with the `sqlparser` crate; the outcome is kept per text in a bounded cache. What
//! cannot be understood is said to be so, never taken for harmless: only a text that is known to write
//! nothing counts as reading. Functions, views and rules that write are not looked into; that is what
//! triggers are for.

mod cache;
mod control;
mod insert_normalizer;
mod literals;
mod parse;
mod template;
mod volatility;

use std::borrow::Cow;
use std::sync::OnceLock;

pub(crate) use cache::understand;
pub(crate) use control::{Step, changes_schema, drops_prepared, steps};
pub(crate) use parse::{must_be_first, outline_of, tables_of_view, understand as parse_anew};
pub(crate) use template::{SqlBuilder, Template, quoted};
pub(crate) use volatility::Volatility;

/// What a text does.
#[derive(Debug)]
pub(crate) enum ParsedStatement {
    /// Nothing is written.
    Read,
    /// One table is written.
    Write(Box<Write>),
    /// Several statements, each with its text.
    Batch(Vec<(String, ParsedStatement)>),
    /// Transaction control or a change of the schema.
    DdlOrTransaction,
    /// Something else.
    Unsupported(Unsupported),
}

/// What is not understood.
#[derive(Debug)]
pub(crate) struct Unsupported {
    pub(crate) why: &'static str,
    /// The tables that the statement names, or `None` where it could write any.
    pub(crate) tables: Option<Vec<TableName>>,
    /// The text without its literals, fit to be reported.
    pub(crate) outline: String,
}

/// A table as a statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// What `FOR UPDATE OF` takes: its alias, else its name without a schema.
    pub(crate) reference: String,
    pub(crate) kind: Kind,
    pub(crate) returning: Returning,
    /// Whether RETURNING can be appended to the text.
    pub(crate) appendable: bool,
    /// The entity's columns for a SELECT before the statement.
    pub(crate) selected: ColumnList,
}

/// A list of columns, worked out when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct ColumnList(OnceLock<(usize, String)>);

impl ColumnList {
    /// The list for an entity; the table's first entity is remembered.
    pub(crate) fn of<E>(&self, entity: &E, make: impl Fn() -> String) -> Cow<'_, str> {
        let entity = std::ptr::from_ref(entity) as usize;
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
    UpdateOrDelete(UpdateOrDelete),
    Merge(Merge),
    Truncate,
}

#[derive(Debug)]
pub(crate) struct Insert {
    /// The columns that it names; empty where it names none.
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Rows,
    pub(crate) conflict: Option<Conflict>,
}

/// What an INSERT inserts.
#[derive(Debug)]
pub(crate) enum Rows {
    /// The values, row by row.
    Listed(Vec<Vec<Cell>>),
    /// Listed values that were not kept: the text must be parsed again for them.
    Omitted,
    /// The rows of a query.
    Selected,
}

#[derive(Debug, Clone)]
pub(crate) enum Cell {
    /// The column's default.
    Default,
    Null,
    /// An expression that has the same value whenever it is evaluated.
    Stable(Template),
    Unstable,
}

/// What an INSERT does with a row that conflicts with it.
#[derive(Debug)]
pub(crate) struct Conflict {
    pub(crate) action: ConflictAction,
    pub(crate) target: ConflictTarget,
    /// The columns that it sets to something else than themselves.
    pub(crate) assigned: Vec<String>,
}

/// The unique index that a conflict clause names.
#[derive(Debug)]
pub(crate) enum ConflictTarget {
    /// Any.
    Any,
    Columns(Vec<String>),
    Constraint(String),
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
#[allow(clippy::struct_excessive_bools)] // facts of the text, each by itself
pub(crate) struct UpdateOrDelete {
    pub(crate) delete: bool,
    /// `WITH ..`, of queries that only read.
    pub(crate) with: Option<Template>,
    /// What a SELECT of the same rows has after its FROM.
    pub(crate) from: Template,
    /// Other tables take part.
    pub(crate) joined: bool,
    /// The condition reads more than the row: other tables, or the same one once more. What it selects then may
    /// have changed between a read of it and the statement, though the rows that were read are locked.
    pub(crate) reads_others: bool,
    /// The condition reads the time of the statement, so that more rows may match when it runs, or fewer.
    pub(crate) reads_clock: bool,
    pub(crate) filter: Option<Template>,
    /// ORDER BY and LIMIT.
    pub(crate) tail: Option<Template>,
    /// The columns that it is ordered by.
    pub(crate) ordered_by: Vec<String>,
    /// The columns that are set.
    pub(crate) assigned: Vec<String>,
    /// Those that are set to a literal or a bound value, with it.
    pub(crate) literals: Vec<(String, Template)>,
    /// The columns that the filter, a conjunction of nothing but such comparisons, compares with a
    /// value for equality.
    pub(crate) equalities: Vec<String>,
    /// Whether the condition does more than compare columns with values, so that it may fail for a row.
    pub(crate) may_fail: bool,
    /// Of the condition, without ORDER BY and LIMIT.
    pub(crate) volatility: Volatility,
}

/// A MERGE.
#[derive(Debug)]
pub(crate) struct Merge {
    /// Whether one of its actions deletes rows.
    pub(crate) deletes: bool,
    /// The columns that its actions set in rows that are there.
    pub(crate) assigned: Vec<String>,
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
    /// `*`, and nothing else.
    Everything,
    Items(Vec<ReturnedItem>),
}

/// An expression after RETURNING.
#[derive(Debug)]
pub(crate) struct ReturnedItem {
    /// The column that it is, under its own name; `None` for any other expression.
    pub(crate) column: Option<String>,
    /// The column in a cast, as text, under the column's name.
    pub(crate) cast: Option<(String, String)>,
    /// The name of the returned column, where it is known.
    pub(crate) name: Option<String>,
    /// What stands before the column, the table's name or alias.
    pub(crate) qualifier: Option<String>,
}

impl Returning {
    /// Whether the rows that are returned have this column, by its name: as it is stored, or in the cast
    /// that it must be read with. Of a join, only where it stands after one of the table's names.
    pub(crate) fn has(&self, column: &str, cast: Option<&str>, names: Option<[&str; 2]>) -> bool {
        let is_of_table = |item: &ReturnedItem| {
            names.is_none_or(|names| {
                let qualifier = item.qualifier.as_ref();
                qualifier.is_some_and(|q| names.iter().any(|name| is_name(q, name)))
            })
        };
        match self {
            Self::Nothing => false,
            Self::Everything => cast.is_none() && names.is_none(),
            Self::Items(items) => {
                let mut same = items
                    .iter()
                    .filter(|item| (item.name.as_ref()).is_none_or(|name| is_name(name, column)));
                let is_column = |item: &ReturnedItem| match cast {
                    None => (item.column.as_ref()).is_some_and(|name| is_name(name, column)),
                    Some(cast) => (item.cast.as_ref())
                        .is_some_and(|(name, text)| is_name(name, column) && text == cast),
                };
                let is_it = |item: &ReturnedItem| is_column(item) && is_of_table(item);
                // Under a name that two have, either could be read.
                same.next().is_some_and(is_it) && same.next().is_none()
            }
        }
    }
}

#[cfg(test)]
mod tests;
