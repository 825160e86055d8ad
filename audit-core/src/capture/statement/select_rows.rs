//! Reading rows of an entity inside the transaction.
//!
//! One file, because all reads of rows build their columns, conditions and locks in one way.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::sync::PoisonError;

use futures_core::Stream;
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, StreamTrait};

use super::image_store::{Budget, ImageStore};
use super::key_conditions::{is_bindable, is_in, is_padded};
use super::row_reader::read_row;
use super::{Engine, Request, RowValues};
use crate::auditable::EntityInfo;
use crate::catalog::{LiveTable, UniqueIndex};
use crate::sql::{SqlBuilder, UpdateOrDelete, is_name, quoted};
use crate::value::is_null;

const UNFINDABLE: &str =
    "rows have a key that is NULL or cannot be read, and could not be searched for";

/// The maximum number of values in one internal statement; every database accepts more.
const MOST_VALUES: usize = 30_000;

/// Whether PostgreSQL reports that a returned row was locked or changed before it was read, as a conflict clause's
/// updated row is.
pub(super) const WAS_THERE: &str = "(xmax::text <> '0') AS sea_orm_audit_met";

/// Reads that flag of a row.
pub(super) fn was_there(row: &QueryResult) -> bool {
    row.try_get("", "sea_orm_audit_met").unwrap_or(true)
}

/// How rows are locked when they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowLock {
    None,
    /// The lock of `INSERT IGNORE` on MySQL.
    Shared,
    /// The lock of an UPDATE that leaves keys unchanged: on PostgreSQL, rows that refer to them can be inserted
    /// meanwhile.
    KeepingKeys,
    /// The lock of a DELETE, and of an UPDATE of keys.
    Full,
}

impl RowLock {
    pub(super) const fn of_keys(are_set: bool) -> Self {
        if are_set {
            Self::Full
        } else {
            Self::KeepingKeys
        }
    }

    /// The lock of a read that finds more rows than the statement may meet.
    ///
    /// In a transaction that keeps its snapshot on PostgreSQL there is none: a row that another client has changed since
    /// fails a locking read, and any statement that changes it, but not one that leaves it alone. So a row that the
    /// statement changed is as the snapshot shows it; whether it did is shown by the read after it.
    pub(super) const fn unless_snapshot(self, live: &LiveTable) -> Self {
        if live.keeps_snapshot {
            Self::None
        } else {
            self
        }
    }

    /// The end of a SELECT.
    pub(super) const fn clause(self, backend: DbBackend) -> &'static str {
        match (self, backend) {
            (Self::None, _) | (_, DbBackend::Sqlite) => "",
            (Self::Shared, DbBackend::MySql) => " LOCK IN SHARE MODE",
            (Self::Shared, _) => " FOR SHARE",
            (Self::KeepingKeys, DbBackend::Postgres) => " FOR NO KEY UPDATE",
            (Self::KeepingKeys | Self::Full, _) => " FOR UPDATE",
        }
    }
}

/// The rows among which those of an UPDATE or DELETE are searched.
enum Among<'a> {
    All,
    /// All, without locking them.
    Unlocked,
    /// Those with these keys, which this index finds.
    Keys(&'a str, &'a [RowValues]),
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// The lock of a read after the statement. InnoDB's plain reads see the rows of the transaction's start; a row
    /// that the statement leaves unchanged would seem changed back.
    pub(super) fn lock_after(&self) -> RowLock {
        if self.server.is_mysql() {
            RowLock::Full
        } else {
            RowLock::None
        }
    }

    /// The rows that an UPDATE or DELETE is going to write, locked: read once with the statement's own condition and
    /// values.
    pub(super) async fn read_before(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
    ) -> Result<ImageStore, DbErr> {
        let info = request.audited.info;
        let budget = Budget::new(self.config.before_row_bytes());
        let mut store = ImageStore::new(self.config, &request.audited.plan, info, &budget);
        // A row that several others join appears several times.
        let mut seen = change.joined.then(HashSet::new);
        let mut push = |row: RowValues| {
            if (seen.as_mut()).is_none_or(|seen| seen.insert(info.key_of(&row))) {
                store.push(row);
            }
        };
        if !change.delete && request.reads_committed {
            self.each_row_by_key(request, change, &mut push).await?;
        } else {
            let statement = self.select_of(request, change, &Among::All);
            self.each_row(info, statement, &mut push).await?;
        }
        store.finish();
        Ok(store)
    }

    /// Reads and locks the rows of an UPDATE at READ COMMITTED on MySQL. The keys are read without a lock. Unlike a
    /// locking read, it does not wait for a row that another client has locked and whose committed version does not
    /// match.
    async fn each_row_by_key(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        each: &mut (dyn FnMut(RowValues) + Send),
    ) -> Result<(), DbErr> {
        let info = request.audited.info;
        let mut keys = Vec::new();
        let statement = self.select_of(request, change, &Among::Unlocked);
        let mut push = |row: RowValues| keys.push(info.key_of(&row));
        self.each_row(info, statement, &mut push).await?;
        let index = (self.forced_index(info, &info.key, keys.len(), RowLock::Full)).await;
        let statements = if change.reads_others {
            // Rows read from other tables stay unlocked; only the statement shows whether these rows still match.
            self.statements_where(info, &info.key, &keys, &index, "", RowLock::Full)
        } else {
            (keys.chunks(self.chunk_of(info.key.len())))
                .map(|keys| self.select_of(request, change, &Among::Keys(&index, keys)))
                .collect()
        };
        for statement in statements {
            self.each_row(info, statement, each).await?;
        }
        Ok(())
    }

    /// A SELECT of the rows that an UPDATE or DELETE is going to write.
    fn select_of(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        among: &Among<'_>,
    ) -> Statement {
        let backend = self.db.get_database_backend();
        let (info, write) = (request.audited.info, request.write);
        let list =
            (write.selected).of(info, || (info.access.list)(backend, Some(&write.qualifier)));
        let mut sql = self.composer(request.statement);
        if let Some(with) = &change.with {
            sql.template(with).text(" ");
        }
        sql.text("SELECT ")
            .text(&list)
            .text(" FROM ")
            .template(&change.from);
        if let Among::Keys(index, _) = among {
            sql.text(index);
        }
        match (among, &change.filter) {
            (Among::Keys(_, keys), filter) => {
                sql.text(" WHERE ");
                if let Some(filter) = filter {
                    sql.text("(").template(filter).text(") AND ");
                }
                is_in(&mut sql, backend, info, &info.key, keys);
            }
            (Among::All | Among::Unlocked, filter) => {
                if let Some(filter) = filter {
                    sql.text(" WHERE ").template(filter);
                }
                if let Some(tail) = &change.tail {
                    sql.template(tail);
                }
            }
        }
        if !matches!(among, Among::Unlocked) {
            // The lock that the statement takes itself; a stronger one would block inserts that refer to the row.
            let lock = RowLock::of_keys(change.delete || request.sets_keys(&change.assigned));
            sql.text(lock.clause(backend));
            if backend == DbBackend::Postgres {
                sql.text(" OF ").text(&write.reference);
            }
        }
        sql.finish()
    }

    /// The number of keys or values with so many columns that one statement takes.
    fn chunk_of(&self, columns: usize) -> usize {
        let most = usize::try_from(self.config.chunk_rows()).unwrap_or(usize::MAX);
        (MOST_VALUES / columns.max(1)).min(most).max(1)
    }

    /// Reads rows that have the entity's columns, one by one if the connection can stream.
    async fn each_row(
        &self,
        info: &EntityInfo,
        statement: Statement,
        each: &mut (dyn FnMut(RowValues) + Send),
    ) -> Result<(), DbErr> {
        let backend = self.db.get_database_backend();
        let statement = self.own(info, statement);
        if let Some(tx) = self.stream {
            let mut rows = std::pin::pin!(tx.stream_raw(statement).await?);
            while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
                each(read_row(backend, info, &row?));
            }
        } else {
            for row in self.db.query_all_raw(statement).await? {
                each(read_row(backend, info, &row));
            }
        }
        Ok(())
    }

    /// Reads rows that have the entity's columns.
    pub(super) fn read(&self, info: &EntityInfo, rows: &[QueryResult]) -> Vec<RowValues> {
        let backend = self.db.get_database_backend();
        (rows.iter())
            .map(|row| read_row(backend, info, row))
            .collect()
    }

    /// The table's name for a statement: with its schema if the search path might resolve to another table.
    pub(super) fn table(&self, info: &EntityInfo) -> String {
        let located = self.located.lock().unwrap_or_else(PoisonError::into_inner);
        let found = located
            .as_ref()
            .filter(|located| located.entity == info.type_id);
        let mut sql = SqlBuilder::new(self.db.get_database_backend(), &[]);
        if let Some(schema) =
            (info.schema()).or(found.and_then(|located| located.schema.as_deref()))
        {
            sql.name(schema).text(".");
        }
        sql.name(info.table());
        sql.finish().sql
    }

    /// The rows with these values in these columns.
    pub(super) async fn rows_where(
        &self,
        info: &'static EntityInfo,
        columns: &[usize],
        values: &[RowValues],
        lock: RowLock,
    ) -> Result<Vec<RowValues>, DbErr> {
        let mut images = Vec::new();
        self.each_row_where(info, columns, values, lock, &mut |row| images.push(row))
            .await?;
        Ok(images)
    }

    /// The same, one by one if the connection can stream. Returns whether all rows could be read.
    pub(super) async fn each_row_where(
        &self,
        info: &'static EntityInfo,
        columns: &[usize],
        values: &[RowValues],
        lock: RowLock,
        each: &mut (dyn FnMut(RowValues) + Send),
    ) -> Result<bool, DbErr> {
        let mut is_complete = self.report_unfindable(info, columns, values);
        let is_any_padded = self.server.is_postgres() && values.iter().flatten().any(is_padded);
        let index = self.forced_index(info, columns, values.len(), lock).await;
        let statements = self.statements_where(info, columns, values, &index, "", lock);
        // Texts that MySQL compares as equal, such as `a` and `A`, find one row in two chunks.
        let is_text = |value: &Value| matches!(value, Value::String(_) | Value::Char(_));
        let may_repeat =
            statements.len() > 1 && self.server.is_mysql() && values.iter().flatten().any(is_text);
        let mut seen = HashSet::new();
        let mut push = |row: RowValues| {
            // In a column other than `char(n)`, texts without the spaces match as well.
            let is_meant =
                |value: &RowValues| columns.iter().zip(value).all(|(at, v)| row[*at] == *v);
            if is_any_padded && !values.iter().any(is_meant) {
                return;
            }
            if !may_repeat || seen.insert(info.key_of(&row)) {
                each(row);
            }
        };
        for statement in statements {
            let read = self.each_row(info, statement, &mut push);
            is_complete &= self.read_after(info, read).await?.is_some();
        }
        Ok(is_complete)
    }

    /// The same, with one more column.
    pub(super) async fn rows_with(
        &self,
        info: &'static EntityInfo,
        columns: &[usize],
        values: &[RowValues],
        more: &str,
    ) -> Result<Vec<(RowValues, QueryResult)>, DbErr> {
        let mut found = Vec::new();
        self.report_unfindable(info, columns, values);
        let statements = self.statements_where(info, columns, values, "", more, RowLock::None);
        for statement in statements {
            let rows = self
                .read_after(info, self.db.query_all_raw(self.own(info, statement)))
                .await?;
            let rows = rows.unwrap_or_default();
            found.extend(self.read(info, &rows).into_iter().zip(rows));
        }
        if self.server.is_postgres() && values.iter().flatten().any(is_padded) {
            // In a column other than `char(n)`, texts without the spaces matched as well.
            found.retain(|(row, _)| {
                (values.iter()).any(|value| columns.iter().zip(value).all(|(at, v)| row[*at] == *v))
            });
        }
        Ok(found)
    }

    fn statements_where(
        &self,
        info: &EntityInfo,
        columns: &[usize],
        values: &[RowValues],
        index: &str,
        more: &str,
        lock: RowLock,
    ) -> Vec<Statement> {
        let backend = self.db.get_database_backend();
        let list = (info.access.list)(backend, None);
        let chunk = self.chunk_of(columns.len());
        let statement = |values: &[RowValues]| {
            let mut sql = SqlBuilder::new(backend, &[]);
            sql.text("SELECT ").text(&list);
            if !more.is_empty() {
                sql.text(", ").text(more);
            }
            sql.text(" FROM ").text(&self.table(info)).text(index);
            sql.text(" WHERE ");
            is_in(&mut sql, backend, info, columns, values);
            sql.text(lock.clause(backend));
            sql.finish()
        };
        values.chunks(chunk).map(statement).collect()
    }

    /// Makes MySQL look up several values in their unique index. Otherwise it scans a small table, and a locking read
    /// locks every row that it reads.
    pub(super) async fn forced_index(
        &self,
        info: &'static EntityInfo,
        columns: &[usize],
        values: usize,
        lock: RowLock,
    ) -> String {
        if lock == RowLock::None || !self.server.is_mysql() || values < 2 {
            return String::new();
        }
        let names: Vec<&str> = columns.iter().map(|at| info.columns[*at].name).collect();
        self.forced_index_of(info, &names).await
    }

    /// The same, for an index of these columns.
    pub(super) async fn forced_index_of(
        &self,
        info: &'static EntityInfo,
        columns: &[&str],
    ) -> String {
        let live = match self.live_table(&info.table_name()).await {
            Ok(live) => live,
            Err(error) => {
                // The following read gets the error, too, if it matters.
                tracing::debug!(%error, "the indexes of a table could not be looked up");
                return String::new();
            }
        };
        let is_of = |index: &&UniqueIndex| {
            index.columns.as_ref().is_some_and(|parts| {
                parts.len() == columns.len()
                    && (parts.iter())
                        .all(|part| columns.iter().any(|name| is_name(&part.name, name)))
            })
        };
        match live.unique.iter().find(is_of) {
            Some(index) => {
                let name = quoted(self.db.get_database_backend(), &index.name);
                format!(" FORCE INDEX ({name})")
            }
            None => String::new(),
        }
    }

    /// The rows with these keys, by key.
    pub(super) async fn by_key(
        &self,
        info: &'static EntityInfo,
        keys: &[RowValues],
    ) -> Result<HashMap<RowValues, RowValues>, DbErr> {
        Ok(self.by_key_if_read(info, keys).await?.unwrap_or_default())
    }

    /// The same; `None` if some rows could not be read, and so may or may not exist.
    pub(super) async fn by_key_if_read(
        &self,
        info: &'static EntityInfo,
        keys: &[RowValues],
    ) -> Result<Option<HashMap<RowValues, RowValues>>, DbErr> {
        let mut rows = HashMap::new();
        let mut repeated = HashSet::new();
        let mut each = |row: RowValues| {
            let key = info.key_of(&row);
            if rows.insert(key.clone(), row).is_some() {
                repeated.insert(key);
            }
        };
        let lock = self.lock_after();
        let is_complete = (self.each_row_where(info, &info.key, keys, lock, &mut each)).await?;
        for key in &repeated {
            rows.remove(key);
        }
        self.report_same(&repeated);
        Ok(is_complete.then_some(rows))
    }

    /// Reports those of these values by which no row can be searched for: that cannot be read, or NULL in a key. Returns
    /// whether there are none.
    pub(super) fn report_unfindable(
        &self,
        info: &EntityInfo,
        columns: &[usize],
        values: &[RowValues],
    ) -> bool {
        let is_key = columns == info.key;
        let is_unfindable = |(at, value): (&usize, &Value)| {
            !is_bindable(&info.columns[*at].shape, value) || (is_key && is_null(value))
        };
        let unfindable: Vec<RowValues> = (values.iter())
            .filter(|row| columns.iter().zip(*row).any(is_unfindable))
            .cloned()
            .collect();
        if !unfindable.is_empty() {
            self.gap(UNFINDABLE, &unfindable);
        }
        unfindable.is_empty()
    }
}
