//! The catalogue's links from one table to another whose rows change along.

mod mysql;
mod postgres;
mod sqlite;

use std::borrow::Cow;
use std::collections::HashMap;

use sea_orm::{DatabaseConnection, DbBackend, DbErr};

use crate::sql::{TableName, is_name};

/// A link from one table to another.
#[derive(Debug)]
pub(super) struct Link {
    from: TableName,
    /// `None` if the catalogue does not know it.
    pub(super) to: Option<TableName>,
    pub(super) by: By,
    /// Whether the row triggers of that table fire.
    pub(super) fires_triggers: bool,
}

#[derive(Debug)]
pub(super) enum By {
    /// The table is a partition of it, or inherits from it.
    Parent,
    /// It is a partition of the table, or inherits from it.
    Child,
    /// The table is a view of it.
    View,
    /// A rule of the table, or a trigger of the view on SQLite, names it.
    Rule,
    /// A foreign key with an action of ON DELETE, which deletes the rows or sets their columns.
    Delete { deletes: bool },
    /// A foreign key with an action of ON UPDATE, to these columns; `None` where any column may change them.
    Update { columns: Option<Vec<String>> },
}

/// All links of a database, by the table that they lead from.
#[derive(Debug, Default)]
pub(super) struct Links(HashMap<String, Vec<Link>>);

impl Links {
    /// Queries the catalogue.
    pub(super) async fn fetch(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let links = match db.get_database_backend() {
            DbBackend::Postgres => postgres::fetch(db).await?,
            DbBackend::Sqlite => sqlite::fetch(db).await?,
            _ => mysql::fetch(db).await?,
        };
        let mut by_table: HashMap<String, Vec<Link>> = HashMap::new();
        for link in links {
            let table = key(&link.from).into_owned();
            by_table.entry(table).or_default().push(link);
        }
        Ok(Self(by_table))
    }

    /// Whether a table has links.
    pub(super) fn has(&self, name: &TableName) -> bool {
        self.of(name).next().is_some()
    }

    /// The links of a table. A name without a schema may match any schema: the session decides that.
    pub(super) fn of(&self, name: &TableName) -> impl Iterator<Item = &Link> {
        let known = self.0.get(&*key(name));
        known.into_iter().flatten().filter(|link| {
            let (named, own) = (name.schema.as_ref(), link.from.schema.as_ref());
            named.is_none_or(|named| own.is_none_or(|own| is_name(named, own)))
        })
    }
}

/// Names that differ only in case are treated as one: some databases are case-sensitive, others are not.
fn key(name: &TableName) -> Cow<'_, str> {
    if name.table.chars().any(char::is_uppercase) {
        name.table.to_lowercase().into()
    } else {
        name.table.as_str().into()
    }
}
