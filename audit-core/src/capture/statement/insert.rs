//! INSERT without a conflict clause, or with one that only skips rows.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::candidates::{given_keys, insert_columns, listed, number_of};
use super::returning::Returns;
use super::select_rows::RowLock;
use super::{CaptureError, Engine, ExecOutput, Request, RowValues, answer};
use crate::exec_method::ExecMethod;
use crate::sql::{Cell, ConflictAction, Insert, Returning, is_name};

const NO_KEYS: &str = "the keys of its rows are not known";
/// Why writes are not captured if the table's constraints have conflict clauses.
pub(super) const OWN_CONFLICTS: &str =
    "constraints of its table may leave rows out or replace others by ON CONFLICT";
/// SQLite uses the last of the values for its rowid, and the first one for any other column.
const TWICE: &str = "it names a column twice";
const NOT_FOUND: &str = "rows were inserted that are not found under the keys they were to have";

impl<C: ConnectionTrait> Engine<'_, C> {
    pub(super) async fn insert(
        &self,
        request: Request<'_>,
        insert: &Insert,
    ) -> Result<ExecOutput, CaptureError> {
        if let Some(why) = (request.live.refuses_reading(&request.audited.all_columns()))
            .or_else(|| self.lacks_columns(request))
        {
            return Err(CaptureError::Uncapturable(why));
        }
        if request.live.resolves_conflicts {
            return Err(CaptureError::Uncapturable(OWN_CONFLICTS));
        }
        let returns = self.returns(request);
        match &insert.conflict {
            None if returns.has_keys() => self.insert_returning(request, returns).await,
            _ if self.server.is_sqlite() && names_twice(&insert_columns(insert, request.live)) => {
                Err(CaptureError::Uncapturable(TWICE))
            }
            // The key in the statement may be the key of an older row.
            None if request.live.may_skip_inserts => Err(CaptureError::Uncapturable(NO_KEYS)),
            None => self.insert_unreturned(request, insert).await,
            // Only inserted rows are returned.
            Some(conflict) if conflict.action == ConflictAction::Nothing && returns.has_keys() => {
                self.insert_returning(request, returns).await
            }
            Some(conflict) if self.server.is_mysql() => {
                self.upsert_mysql(request, insert, conflict).await
            }
            Some(conflict) if conflict.action == ConflictAction::Nothing => {
                Err(CaptureError::Uncapturable(NO_KEYS))
            }
            Some(conflict) => self.upsert(request, insert, conflict, returns).await,
        }
    }

    /// Runs an INSERT that returns what it inserted.
    async fn insert_returning(
        &self,
        request: Request<'_>,
        returns: Returns,
    ) -> Result<ExecOutput, CaptureError> {
        let (info, call) = (request.audited.info, request.call);
        let clause = self.clause(request, returns);
        let (rows, doubt) = self.run_query(call, request.statement, &clause).await?;
        let id = self.last_insert_id(request).await?;
        let mut now = self.read_returned(request, returns, &rows);
        if returns == Returns::Keys || request.live.has_triggers {
            let keys: Vec<RowValues> = now.iter().map(|row| info.key_of(row)).collect();
            let found = self.by_key(info, &keys).await?;
            let missing: Vec<RowValues> = (keys.iter())
                .filter(|key| !found.contains_key(*key))
                .cloned()
                .collect();
            // A trigger may have deleted or moved them.
            if !missing.is_empty() {
                self.gap(
                    "rows are not found under the keys that they were inserted with",
                    &missing,
                );
            }
            now = keys
                .iter()
                .filter_map(|key| found.get(key).cloned())
                .collect();
        }
        for row in &now {
            self.record_created(request.audited, row)?;
            self.flush_when_full().await?;
        }
        doubt.disarm();
        Ok(answer(call, returns, rows, id)?)
    }

    /// Runs an INSERT whose keys the database does not return, and reads its rows by the keys that they were given.
    async fn insert_unreturned(
        &self,
        request: Request<'_>,
        insert: &Insert,
    ) -> Result<ExecOutput, CaptureError> {
        let info = request.audited.info;
        let Some(rows) = listed(request, insert) else {
            return self.insert_selected(request, insert).await;
        };
        let given = given_keys(request, insert, &rows);
        let numbers = match &given {
            Some(_) => None,
            None => Some(self.numbers(request, insert, &rows)?),
        };
        let ran = self.run(request.call, request.statement).await?;
        // With rows to return, MySQL's answer has neither count nor id.
        let has_count = matches!(ran.answer, ExecOutput::Executed(_))
            && matches!(request.write.returning, Returning::Nothing);
        let affected = if has_count {
            ran.count()
        } else {
            rows.len() as u64
        };
        let is_given = given.is_some();
        let now = match (given, numbers) {
            // A plain read would take the snapshot that the application's first SELECT takes. Other databases need
            // neither the lock nor its privilege.
            (Some(given), _) => {
                let lock = self.lock_after();
                self.conflicting(request, &given, &[], lock).await?
            }
            (None, Some(numbers)) => {
                let first = match &ran.answer {
                    ExecOutput::Executed(result) if has_count => result.last_insert_id(),
                    _ => self.mysql_last_insert_id().await?,
                };
                let ids = self.auto_increment_keys(first, &numbers);
                self.rows_where(info, &info.key, &ids, RowLock::Full)
                    .await?
            }
            (None, None) => Vec::new(),
        };
        // Given keys may match older rows: texts that equal a number, and rows to which a trigger gave another key.
        let is_clear = if is_given {
            now.len() as u64 == affected
        } else {
            now.len() as u64 <= affected
        };
        for row in now.iter().filter(|_| is_clear) {
            self.record_created(request.audited, row)?;
            self.flush_when_full().await?;
        }
        if now.len() as u64 != affected {
            self.gap(NOT_FOUND, &[]);
        }
        ran.doubt.disarm();
        Ok(ran.answer)
    }

    /// Runs an INSERT of a query's rows on MySQL if all of them get consecutive numbers.
    async fn insert_selected(
        &self,
        request: Request<'_>,
        insert: &Insert,
    ) -> Result<ExecOutput, CaptureError> {
        let info = request.audited.info;
        let is_numbered = info.access.numbered && info.key.len() == 1;
        let is_given = insert_columns(insert, request.live).iter().any(|column| {
            request
                .audited
                .key_columns()
                .iter()
                .any(|key| is_name(column, key))
        });
        let has_count =
            request.call == ExecMethod::Execute || request.call == ExecMethod::Unprepared;
        if !(is_numbered && self.numbers_are_consecutive() && has_count)
            || is_given
            || !matches!(request.write.returning, Returning::Nothing)
        {
            return Err(CaptureError::Uncapturable(NO_KEYS));
        }
        let ran = self.run(request.call, request.statement).await?;
        if let ExecOutput::Executed(result) = &ran.answer {
            let rows = usize::try_from(result.rows_affected()).unwrap_or(usize::MAX);
            let ids = self.auto_increment_keys(result.last_insert_id(), &vec![None; rows]);
            let mut found = 0;
            for ids in ids.chunks(usize::try_from(self.config.chunk_rows()).unwrap_or(1)) {
                for row in self.rows_where(info, &info.key, ids, RowLock::Full).await? {
                    self.record_created(request.audited, &row)?;
                    self.flush_when_full().await?;
                    found += 1;
                }
            }
            if found < rows {
                self.gap(NOT_FOUND, &[]);
            }
        }
        ran.doubt.disarm();
        Ok(ran.answer)
    }

    /// The numbers that an INSERT gives its rows on MySQL, if it gives any; `None` for a row whose number the
    /// database generates.
    pub(super) fn numbers(
        &self,
        request: Request<'_>,
        insert: &Insert,
        rows: &[Vec<Cell>],
    ) -> Result<Vec<Option<u64>>, CaptureError> {
        let info = request.audited.info;
        let unknown = || CaptureError::Uncapturable(NO_KEYS);
        if !(self.server.is_mysql() && info.access.numbered && info.key.len() == 1) {
            return Err(unknown());
        }
        let key = info.columns[info.key[0]].name;
        let columns = insert_columns(insert, request.live);
        let position = columns.iter().position(|column| is_name(column, key));
        let values = match &request.statement.values {
            Some(values) => values.0.as_slice(),
            None => &[],
        };
        (rows.iter())
            .map(|row| {
                let cell = position.and_then(|at| row.get(at));
                number_of(cell, values).map_err(|()| unknown())
            })
            .collect()
    }

    /// The keys of rows of one INSERT: InnoDB allocates generated numbers in one range, and continues after a larger
    /// number that the statement gives.
    pub(super) fn auto_increment_keys(
        &self,
        first: u64,
        numbers: &[Option<u64>],
    ) -> Vec<RowValues> {
        let step = self.step().max(1);
        let mut next = first;
        (numbers.iter())
            .map(|number| {
                let id = number.unwrap_or(next);
                if number.is_none() {
                    next = id.saturating_add(step);
                } else if id >= next {
                    next += ((id - next) / step + 1) * step;
                }
                vec![Value::BigUnsigned(Some(id))]
            })
            .collect()
    }

    pub(super) async fn mysql_last_insert_id(&self) -> Result<u64, DbErr> {
        let backend = self.db.get_database_backend();
        let sql = "SELECT CAST(LAST_INSERT_ID() AS UNSIGNED) AS id";
        let row = (self.db)
            .query_one_raw(Statement::from_string(backend, sql))
            .await?;
        row.map_or(Ok(0), |row| row.try_get("", "id"))
    }

    /// The generated key that an application reads from the result of a statement that was run as a query.
    pub(super) async fn last_insert_id(&self, request: Request<'_>) -> Result<u64, DbErr> {
        if request.call.reads_rows() || !self.server.is_sqlite() {
            return Ok(0);
        }
        let sql = "SELECT last_insert_rowid() AS id";
        let backend = self.db.get_database_backend();
        let row = (self.db)
            .query_one_raw(Statement::from_string(backend, sql))
            .await?;
        let id: i64 = row.map_or(Ok(0), |row| row.try_get("", "id"))?;
        Ok(u64::from_ne_bytes(id.to_ne_bytes()))
    }
}

fn names_twice(columns: &[String]) -> bool {
    (columns.iter().enumerate())
        .any(|(at, column)| columns[..at].iter().any(|other| is_name(other, column)))
}
