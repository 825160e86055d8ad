//! A connection on which queries read the state of a past moment.
//!
//! A query runs as it was built, with a WITH clause before it for each table that it names: inside the query, the clause
//! hides the table. The application's tables are not touched, and no other connection sees anything.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use tokio::sync::Mutex;

use super::literals::literals;
use super::moment::Place;
use super::objects::Objects;
use super::open::{AsOf, UnknownColumn, UnknownValues};
use super::table::PastTable;
use super::temporary::Temporary;
use crate::auditable::{EntityInfo, find};
use crate::catalog::{LiveTable, TableKind, look_up};
use crate::config::AuditConfig;
use crate::error::AuditError;
use crate::sql::{ReadQuery, TableName, is_name, quoted, read_query};

/// A connection on which queries read the state of a past moment.
///
/// It takes any query of SeaORM, and texts: one SELECT a call, with joins, subqueries and aggregates. Writes are refused.
/// It is one transaction, whose reads all see the same; what a query needs of a table is put together when the first
/// query names it, and kept until the end.
///
/// End it with [`close`](Self::close). On MySQL and MariaDB a connection that is dropped leaves temporary tables on the
/// pooled connection, which the next read of the past on it removes.
pub struct PastConnection {
    tx: DatabaseTransaction,
    /// The schema of tables whose schema the catalogue does not name.
    database: Option<String>,
    config: AuditConfig,
    place: Place,
    as_of: AsOf,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    /// By schema, if a statement named one, and table.
    by_name: BTreeMap<(Option<String>, String), Arc<PastTable>>,
    created: Vec<Temporary>,
}

impl std::fmt::Debug for PastConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PastConnection")
            .field("as_of", &self.as_of)
            .finish_non_exhaustive()
    }
}

impl PastConnection {
    pub(super) fn new(
        tx: DatabaseTransaction,
        database: Option<String>,
        config: AuditConfig,
        place: Place,
        as_of: AsOf,
    ) -> Self {
        Self {
            tx,
            database,
            config,
            place,
            as_of,
            tables: Mutex::default(),
        }
    }

    /// The columns of the tables read so far of which some values are not known.
    pub async fn unknown_columns(&self) -> Vec<UnknownColumn> {
        let tables = self.tables.lock().await;
        let mut columns = Vec::new();
        for table in tables.by_name.values() {
            for (column, (reason, object_id)) in &table.unknown {
                columns.push(UnknownColumn {
                    model: table.info.model().to_owned(),
                    column: (*column).to_owned(),
                    reason: *reason,
                    object_id: object_id.clone(),
                });
            }
        }
        columns
    }

    /// Ends the transaction.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn close(self) -> Result<(), DbErr> {
        for table in &self.tables.lock().await.created {
            table.drop(&self.tx).await?;
        }
        self.tx.rollback().await
    }

    /// The statement with a WITH clause for each table.
    async fn rewritten(&self, mut statement: Statement) -> Result<Statement, DbErr> {
        let backend = self.tx.get_database_backend();
        let query = read_query(backend, &statement.sql).map_err(|why| {
            refused(format!(
                "a statement was refused, since {why}: only a SELECT reads the past"
            ))
        })?;
        let mut clauses: BTreeMap<String, Arc<PastTable>> = BTreeMap::new();
        // What replaces which bytes of the text.
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        for table in &query.tables {
            let Some(past) = self.table(&table.name).await? else {
                continue;
            };
            self.check_columns(&past, &query)?;
            let name = match backend {
                DbBackend::Sqlite => table.name.table.to_lowercase(),
                _ => table.name.table.clone(),
            };
            let is_hidden = query.with.contains(&name);
            let is_other = (clauses.get(&name)).is_some_and(|other| !Arc::ptr_eq(other, &past));
            if is_hidden || is_other {
                return Err(refused(format!(
                    "the query has two tables with the name `{name}`"
                )));
            }
            if table.name.schema.is_some() {
                edits.push((table.place.clone(), quoted(backend, &name)));
            }
            clauses.insert(name, past);
        }
        if clauses.is_empty() {
            return Ok(statement);
        }
        let hint = match backend {
            DbBackend::Postgres => "NOT MATERIALIZED ",
            _ => "",
        };
        let clauses: Vec<String> = (clauses.iter())
            .map(|(name, past)| format!("{} AS {hint}({})", quoted(backend, name), past.select))
            .collect();
        let clauses = clauses.join(", ");
        edits.push(match query.first_with {
            Some(at) => (at..at, format!(" {clauses},")),
            None => (0..0, format!("WITH {clauses} ")),
        });
        if backend == DbBackend::MySql {
            edits.extend(literals(&mut statement, &query.marks));
        }
        edits.sort_by_key(|(place, _)| place.start);
        for (place, text) in edits.into_iter().rev() {
            statement.sql.replace_range(place, &text);
        }
        Ok(statement)
    }

    fn check_columns(&self, past: &PastTable, query: &ReadQuery) -> Result<(), DbErr> {
        if self.as_of.values != UnknownValues::Refuse {
            return Ok(());
        }
        let is_named = |column: &str| {
            query.has_wildcard || query.words.iter().any(|word| is_name(word, column))
        };
        let Some((column, (reason, object_id))) =
            past.unknown.iter().find(|(column, _)| is_named(column))
        else {
            return Ok(());
        };
        let of = object_id
            .as_ref()
            .map_or_else(String::new, |id| format!(" of the object {id}"));
        Err(AuditError::PastUnknown {
            model: past.info.model().to_owned(),
            moment: self.as_of.moment.to_string(),
            why: format!(
                "the value of `{column}`{of} is {reason}. Select other columns, or choose other \
                 `AsOf::unknown_values`"
            ),
        }
        .into())
    }

    /// The table of the moment; `None` if the query reads the table itself.
    async fn table(&self, name: &TableName) -> Result<Option<Arc<PastTable>>, DbErr> {
        let mut tables = self.tables.lock().await;
        let key = (name.schema.clone(), name.table.clone());
        if let Some(known) = tables.by_name.get(&key) {
            return Ok(Some(known.clone()));
        }
        if self.as_of.current.contains(&name.table) {
            return Ok(None);
        }
        let live = look_up(&self.tx, name).await?;
        if live.kind == TableKind::Missing {
            // The database says so.
            return Ok(None);
        }
        let info = match live.kind {
            TableKind::Table => self.entity(name, &live),
            _ => None,
        };
        let Some(info) = info else {
            return Err(refused(format!(
                "`{}` is not the table of an audited entity, so the log does not have its past. Name it in \
                 `AsOf::current_table` to read it as it is now",
                name.table
            )));
        };
        let temporary = Temporary::new(
            self.tx.get_database_backend(),
            info,
            live.schema
                .as_deref()
                .or(info.schema())
                .or(self.database.as_deref()),
            tables.created.len(),
        );
        tables.created.push(temporary.clone());
        let plan = self.config.plan(info);
        let objects = Objects {
            db: &self.tx,
            config: &self.config,
            plan: &plan,
            moment: self.as_of.moment,
            place: self.place,
        };
        let table = Arc::new(objects.table(temporary, self.as_of.values).await?);
        tables.by_name.insert(key, table.clone());
        Ok(Some(table))
    }

    fn entity(&self, name: &TableName, live: &LiveTable) -> Option<&'static EntityInfo> {
        let is_postgres = self.tx.get_database_backend() == DbBackend::Postgres;
        let is_same = |a: &str, b: &str| a == b || !is_postgres && is_name(a, b);
        find(&name.table, |info| {
            let in_schema = match (info.schema(), live.schema.as_deref()) {
                (Some(own), Some(found)) => is_same(own, found),
                (Some(own), None) => name
                    .schema
                    .as_deref()
                    .is_some_and(|named| is_same(own, named)),
                (None, _) => name.schema.is_none() || live.is_found_by_name,
            };
            is_same(info.table(), &name.table) && in_schema && !self.config.plan(info).skip
        })
    }
}

fn refused(why: String) -> DbErr {
    AuditError::AsOf { why }.into()
}

#[async_trait]
impl ConnectionTrait for PastConnection {
    fn get_database_backend(&self) -> DbBackend {
        self.tx.get_database_backend()
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(refused(
            "the past cannot be changed: use another connection for writes".to_owned(),
        ))
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(refused(
            "the past cannot be changed: use another connection for writes".to_owned(),
        ))
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let rewritten = self.config.clone().scope(self.rewritten(statement));
        self.tx.query_one_raw(rewritten.await?).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let rewritten = self.config.clone().scope(self.rewritten(statement));
        self.tx.query_all_raw(rewritten.await?).await
    }
}
