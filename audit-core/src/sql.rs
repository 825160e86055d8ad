//! Statement parsing: what a SQL text writes, and to which table.
//!
//! The `sqlparser` crate parses texts; a bounded cache keeps the outcome per text. A text that cannot be parsed is
//! reported as unsupported, never assumed harmless: only a text known to write nothing counts as a read. Functions,
//! views and rules that write are not examined; triggers cover those.

mod cache;
mod control;
mod insert_normalizer;
mod literals;
mod parse;
mod session;
mod template;
mod volatility;
mod words;

use std::borrow::Cow;
use std::sync::OnceLock;

use sea_orm::DbBackend;

pub(crate) use cache::understand;
pub(crate) use control::{Step, steps};
pub(crate) use parse::{
    PlainToken, ReadQuery, must_be_first, outline_of, placeholders, plain_tokens, read_query,
    tables_of_view, understand as parse_anew,
};
pub(crate) use session::{changes_character_set, changes_schema, drops_prepared};
pub(crate) use template::{SqlBuilder, Template, quoted};
pub(crate) use volatility::Volatility;

/// What a text does.
#[derive(Debug)]
pub(crate) enum ParsedStatement {
    /// Writes nothing.
    Read,
    /// Writes one table.
    Write(Box<Write>),
    /// Several statements, each with its text.
    Batch(Vec<(String, ParsedStatement)>),
    /// Transaction control or a schema change.
    DdlOrTransaction,
    /// Something else.
    Unsupported(Unsupported),
}

/// A text that is not supported.
#[derive(Debug)]
pub(crate) struct Unsupported {
    pub(crate) why: &'static str,
    /// The tables that the statement names, or `None` if it could write any.
    pub(crate) tables: Option<Vec<TableName>>,
    /// The text without its literals, safe to report.
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
    /// How many values the text binds; `None` if the text that was parsed stands for longer ones.
    pub(crate) placeholders: Option<usize>,
    /// The entity's columns for a SELECT before the statement.
    pub(crate) selected: ColumnList,
}

/// A list of columns, computed when first needed.
#[derive(Debug, Default)]
pub(crate) struct ColumnList(OnceLock<(usize, String)>);

impl ColumnList {
    /// The list for an entity; the table's first entity is cached.
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

/// What an INSERT does with a conflicting row.
#[derive(Debug)]
pub(crate) struct Conflict {
    pub(crate) action: ConflictAction,
    pub(crate) target: ConflictTarget,
    /// The columns that it sets to something other than themselves.
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
    /// The existing row stays.
    Nothing,
    /// The existing row is updated.
    Update,
    /// The existing row is deleted first.
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
    /// The condition reads more than the row: other tables, or the same one again. What it selects may then have
    /// changed between a read and the statement, though the rows that were read are locked.
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
    /// Those that are set to a literal or a bound value, with that value.
    pub(crate) literals: Vec<(String, Template)>,
    /// The columns that the filter compares with a value for equality, if the filter is a conjunction of only such
    /// comparisons.
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
    /// The columns that its actions set in existing rows.
    pub(crate) assigned: Vec<String>,
}

/// Whether two names are of one column. Most databases are not case-sensitive here, and none has two columns that
/// differ only in case except on purpose.
pub(crate) fn is_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Whether a text may have a comment whose content MySQL executes.
fn has_executable_comment(backend: DbBackend, sql: &str) -> bool {
    backend == DbBackend::MySql && (sql.contains("/*!") || sql.contains("/*M!"))
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
    /// The column, if the item is one under its own name; `None` for any other expression.
    pub(crate) column: Option<String>,
    /// The column in a cast, as text, under the column's name.
    pub(crate) cast: Option<(String, String)>,
    /// The name of the returned column, where it is known.
    pub(crate) name: Option<String>,
    /// The qualifier of the column: the table's name or alias.
    pub(crate) qualifier: Option<String>,
}

impl Returning {
    /// Whether the returned rows have this column by its name, as it is stored or in the cast that reading it
    /// requires. In a join, only if one of the table's names qualifies it.
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
                // If two columns have the same name, either could be read.
                same.next().is_some_and(is_it) && same.next().is_none()
            }
        }
    }
}

#[cfg(test)]
mod tests;
