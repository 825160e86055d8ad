//! Statement capture: runs a write to an audited table inside a transaction and records what it changed.
//!
//! One file, because it is the list of the engine's parts and the steps that all statements share.
//!
//! The application's statement runs unchanged, whole and once. The rows that it writes are read before and after;
//! rows that the database returns are used instead. The policy decides about what cannot be captured this way. One
//! engine serves the connection and the bulk builders.

mod affected_tables;
mod candidates;
mod cascade;
mod delete;
mod exec_output;
mod guarded;
mod image_store;
mod insert;
mod key_conditions;
mod live_table;
mod old_new;
mod record_rows;
mod returning;
mod row_reader;
mod select_rows;
mod server;
mod session;
mod spilled;
mod target;
mod truncate;
mod update;
mod update_followers;
mod upsert;
mod upsert_mysql;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement};

pub(crate) use affected_tables::Affected;
pub(crate) use exec_output::{CaptureError, ExecOutput, Gap, result_of};
use exec_output::{answer, answer_of};
pub(crate) use guarded::Located;
pub(crate) use server::ServerInfo;
pub(crate) use target::CaptureTarget;
pub(crate) use update_followers::UpdateFollower;

use crate::action::Source;
use crate::auditable::EntityInfo;
use crate::catalog::LiveTable;
use crate::config::AuditConfig;
use crate::context::AuditContext;
use crate::exec_method::ExecMethod;
use crate::record::{is_contention, is_no_transaction, prepare_again};
use crate::sql::{Kind, SqlBuilder, Write};
use crate::transaction_state::Frames;
use crate::transaction_state::UnrecordedGuard;

/// The values of a row, in the order of the entity's columns; or of its key.
type RowValues = Vec<Value>;

/// A statement and what is known of it.
#[derive(Clone, Copy)]
struct Request<'a> {
    backend: DbBackend,
    call: ExecMethod,
    statement: &'a Statement,
    write: &'a Write,
    audited: &'a CaptureTarget,
    live: &'a LiveTable,
    /// Whether each statement of the transaction reads what is committed when it begins, if that matters here.
    reads_committed: bool,
}

impl Request<'_> {
    /// Whether one of these columns is a key column, by its name or as SQLite's rowid.
    fn sets_key(&self, columns: &[String]) -> bool {
        self.audited.has_key_among(columns)
            || (self.live.row_id.is_some()
                && (columns.iter()).any(|column| self.live.is_row_id_alias(column)))
    }

    /// Whether one of these columns is a key column, or one that rows of other tables refer to.
    fn sets_keys(&self, columns: &[String]) -> bool {
        self.sets_key(columns) || self.live.is_referred(columns)
    }
}

/// Captures statements inside one transaction.
pub(crate) struct Engine<'a, C: ConnectionTrait> {
    pub(crate) db: &'a C,
    /// The same transaction, if it can stream rows.
    pub(crate) stream: Option<&'a DatabaseTransaction>,
    pub(crate) frames: &'a Frames,
    pub(crate) server: &'a ServerInfo,
    pub(crate) config: &'a AuditConfig,
    pub(crate) context: &'a AuditContext,
    pub(crate) source: Source,
    pub(crate) gaps: Mutex<Vec<Gap>>,
    /// Whether the application's statement has run.
    pub(crate) has_run: AtomicBool,
    /// The location of the table that a statement writes.
    pub(crate) located: Mutex<Option<Located>>,
    /// The foreign keys by which other rows may change along with those that a statement writes.
    pub(crate) followers: Mutex<Vec<UpdateFollower>>,
    /// A hash that distinguishes its columns from others.
    pub(crate) shape: AtomicU32,
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Runs a write and records what it changed. Unrecorded changes are available from [`Self::take_gaps`].
    pub(crate) async fn capture(
        &self,
        call: ExecMethod,
        statement: Statement,
        write: &Write,
        audited: &CaptureTarget,
    ) -> Result<ExecOutput, CaptureError> {
        (self.take_write_lock().await).map_err(|error| call.own_error(error))?;
        self.has_run.store(false, Relaxed);
        self.take_gaps();
        if (self.is_another_table(write, audited).await).map_err(|error| call.own_error(error))? {
            return Ok(self.run(call, &statement).await?.settled());
        }
        let mut live = if Self::needs_live_table(self.server, write) {
            (self.live_table_of(write).await).map_err(|error| call.own_error(error))?
        } else {
            LiveTable::default()
        };
        self.shape.store(live.shape, Relaxed);
        (self.apply_settings(write, audited, &mut live).await)
            .map_err(|error| call.own_error(error))?;
        let resolved = audited.resolve(self.config, self.server, write, &live);
        let audited = match &resolved {
            target::Resolved::Same => audited,
            target::Resolved::Other(other) => other,
            target::Resolved::None => return Ok(self.run(call, &statement).await?.settled()),
        };
        (Box::pin(self.find_followers(write, audited, &mut live)).await)
            .map_err(|error| call.own_error(error))?;
        *self.located.lock().unwrap_or_else(PoisonError::into_inner) = Some(Located {
            entity: audited.info.type_id,
            schema: live.schema.clone().filter(|_| !self.server.is_mysql()),
            is_secured: live.is_secured,
        });
        let reads_committed =
            (self.reads_committed(write, audited).await).map_err(|error| error.own(call))?;
        let request = Request {
            reads_committed,
            backend: self.db.get_database_backend(),
            call,
            statement: &statement,
            write,
            audited,
            live: &live,
        };
        if self.takes_old_new(request) {
            return self.capture_old_new(request).await;
        }
        let answer = match &write.kind {
            Kind::Insert(insert) => Box::pin(self.insert(request, insert)).await,
            Kind::UpdateOrDelete(change) if change.delete => {
                Box::pin(self.delete(request, change)).await
            }
            Kind::UpdateOrDelete(change) => Box::pin(self.update(request, change)).await,
            Kind::Merge(_) => Err(CaptureError::Uncapturable(old_new::MERGE)),
            Kind::Truncate => self.truncate(request).await,
        };
        self.report_followers();
        answer
    }

    /// The changes that were left without record since the last call.
    pub(crate) fn take_gaps(&self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn gap(&self, why: &'static str, keys: &[RowValues]) {
        self.gap_of_many(why, keys, keys.len() as u64);
    }

    /// The same, if only the first keys of so many are given.
    fn gap_of_many(&self, why: &'static str, keys: &[RowValues], all: u64) {
        const MOST: usize = 20;
        let mut text: Vec<String> = (keys.iter().take(MOST))
            .map(|key| crate::target::object_id(key).unwrap_or_else(|_| "?".to_owned()))
            .collect();
        if all > text.len() as u64 {
            text.push(format!("and {} more", all - text.len() as u64));
        }
        let gap = Gap {
            why,
            keys: text.join(", "),
            tables: String::new(),
        };
        (self.gaps.lock().unwrap_or_else(PoisonError::into_inner)).push(gap);
    }

    /// Whether the catalogue decides how a statement is captured. On MySQL only conflict clauses and
    /// INSERTs that name no columns depend on it.
    fn needs_live_table(server: &ServerInfo, write: &Write) -> bool {
        !server.is_mysql()
            || matches!(&write.kind, Kind::Insert(insert)
                if insert.conflict.is_some() || insert.columns.is_empty())
    }

    /// Whether a name that differs from the entity's table only in case names another table, as on most MySQL
    /// servers.
    async fn is_another_table(
        &self,
        write: &Write,
        audited: &CaptureTarget,
    ) -> Result<bool, DbErr> {
        if !self.server.is_mysql() || write.table.table == audited.info.table() {
            return Ok(false);
        }
        let sql = "SELECT CAST(@@lower_case_table_names AS CHAR) AS mode";
        let query = Statement::from_string(DbBackend::MySql, sql);
        let row = self.db.query_one_raw(query).await?;
        let mode: String = row.map_or(Ok(String::new()), |row| row.try_get("", "mode"))?;
        Ok(mode == "0")
    }

    /// A SQLite transaction that reads before it writes fails if there is another writer.
    async fn take_write_lock(&self) -> Result<(), DbErr> {
        if !(self.server.is_sqlite() && self.frames.needs_write_lock()) {
            return Ok(());
        }
        super::hook::take_write_lock(self.db, self.config).await?;
        self.frames.has_write_lock();
        Ok(())
    }

    fn composer<'v>(&self, statement: &'v Statement) -> SqlBuilder<'v> {
        let values: &[Value] = match &statement.values {
            Some(values) => &values.0,
            None => &[],
        };
        SqlBuilder::new(self.db.get_database_backend(), values)
    }

    /// An internal statement that reads or returns rows of an entity. On PostgreSQL a prepared one fails once a
    /// column has another type, as in another schema: the comment in its text identifies the types.
    fn own(&self, info: &EntityInfo, mut statement: Statement) -> Statement {
        if self.server.is_postgres() {
            let shape = self.frames.live_tables.shape_of(info.table());
            add_comment(&mut statement, shape);
        }
        prepare_again(statement)
    }

    /// The application's statement with an appended clause, which returns rows of the written table.
    fn appended(&self, statement: &Statement, clause: &str) -> Statement {
        let mut statement = appended_to(statement, clause);
        if clause.is_empty() {
            return statement;
        }
        if self.server.is_postgres() {
            add_comment(&mut statement, self.shape.load(Relaxed));
        }
        prepare_again(statement)
    }

    /// Runs the application's statement as it was sent.
    async fn run(&self, call: ExecMethod, statement: &Statement) -> Result<Ran<'_>, DbErr> {
        let doubt = self.frames.guard(self.config.failure_policy());
        let answer = match call {
            ExecMethod::Execute => {
                (self.db.execute_raw(statement.clone()).await).map(ExecOutput::Executed)
            }
            ExecMethod::Unprepared => {
                (self.db.execute_unprepared(&statement.sql).await).map(ExecOutput::Executed)
            }
            ExecMethod::QueryOne | ExecMethod::QueryAll => {
                (self.db.query_all_raw(statement.clone()).await).map(ExecOutput::Rows)
            }
        };
        self.ran(call, answer, doubt)
            .map(|(answer, doubt)| Ran { answer, doubt })
    }

    /// Runs the application's statement as a query, with an appended clause.
    async fn run_query(
        &self,
        call: ExecMethod,
        statement: &Statement,
        appended: &str,
    ) -> Result<(Vec<QueryResult>, UnrecordedGuard<'_>), DbErr> {
        let doubt = self.frames.guard(self.config.failure_policy());
        let rows = self
            .db
            .query_all_raw(self.appended(statement, appended))
            .await;
        self.ran(call, rows, doubt)
    }

    /// The output of a statement, and the guard for its unrecorded effect.
    fn ran<'d, T>(
        &self,
        call: ExecMethod,
        answer: Result<T, DbErr>,
        doubt: UnrecordedGuard<'d>,
    ) -> Result<(T, UnrecordedGuard<'d>), DbErr> {
        match answer {
            Ok(answer) => {
                self.has_run.store(true, Relaxed);
                Ok((answer, doubt))
            }
            Err(error) => {
                // The database has undone the effects of the failed statement.
                doubt.disarm();
                Err(call.own_error(error))
            }
        }
    }

    /// Runs an internal read before the application's statement.
    ///
    /// PostgreSQL accepts no further statement after an error. A read that may fail where the statement would not, or
    /// would with another error, therefore runs under a savepoint.
    async fn guarded_read<T>(
        &self,
        call: ExecMethod,
        may_fail: bool,
        read: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, CaptureError> {
        const POINT: &str = "sea_orm_audit_read";
        if !(may_fail && self.server.is_postgres()) {
            return read.await.map_err(|error| self.extra_read(call, error));
        }
        let own = |error| CaptureError::Failed(call.own_error(error));
        let set = format!("SAVEPOINT {POINT}");
        match self.db.execute_unprepared(&set).await {
            Ok(_) => {}
            // After a COMMIT by the application there is no transaction that the read could abort.
            Err(error) if is_no_transaction(&error) => {
                return read.await.map_err(|error| unreadable(call, error));
            }
            Err(error) => return Err(own(error)),
        }
        match read.await {
            Ok(value) => {
                let release = format!("RELEASE SAVEPOINT {POINT}");
                self.db.execute_unprepared(&release).await.map_err(own)?;
                Ok(value)
            }
            // The statement would have aborted the transaction, too.
            Err(error) if is_contention(&error) => Err(own(error)),
            Err(error) => {
                let undo = format!("ROLLBACK TO SAVEPOINT {POINT}; RELEASE SAVEPOINT {POINT}");
                self.db.execute_unprepared(&undo).await.map_err(own)?;
                Err(unreadable(call, error))
            }
        }
    }

    /// What an error of an internal read before the application's statement means for that statement.
    fn extra_read(&self, call: ExecMethod, error: DbErr) -> CaptureError {
        if self.server.is_postgres() {
            // The transaction accepts no more statements.
            CaptureError::Failed(call.own_error(error))
        } else {
            unreadable(call, error)
        }
    }

    /// What an error of an internal read means: once the statement has run it must not fail, unless the transaction
    /// is over.
    async fn unread(&self, error: DbErr) -> Result<(), DbErr> {
        let goes_on = self.has_run.load(Relaxed)
            && !self.server.is_postgres()
            && !crate::record::has_ended_transaction(&error);
        if !goes_on {
            return Err(error);
        }
        // A lock wait timeout may have ended it, too.
        self.frames.failed(&error);
        self.frames.look_whether_open(self.db).await?;
        tracing::debug!(%error, "the rows of a statement could not be read after it");
        self.gap("the rows that it wrote cannot be read", &[]);
        Ok(())
    }
}

/// If another client blocks the read, or the transaction is over, the statement would have failed the same way.
fn unreadable(call: ExecMethod, error: DbErr) -> CaptureError {
    if is_contention(&error) {
        CaptureError::Failed(call.own_error(error))
    } else {
        tracing::debug!(%error, "the rows of a statement could not be read");
        CaptureError::Uncapturable("the rows that it writes cannot be read")
    }
}

/// The output of a statement. Its effect is unrecorded until it is recorded.
struct Ran<'a> {
    answer: ExecOutput,
    doubt: UnrecordedGuard<'a>,
}

impl Ran<'_> {
    fn settled(self) -> ExecOutput {
        self.doubt.disarm();
        self.answer
    }

    /// The number of rows it wrote, according to the output.
    fn count(&self) -> u64 {
        match &self.answer {
            ExecOutput::Executed(result) => result.rows_affected(),
            ExecOutput::Rows(rows) => rows.len() as u64,
        }
    }
}

/// Distinguishes a text from others that are equal without the comment.
fn add_comment(statement: &mut Statement, number: u32) {
    // Writing to a `String` cannot fail.
    let _ = write!(statement.sql, " /* {number:x} */");
}

/// A statement with an appended clause.
fn appended_to(statement: &Statement, appended: &str) -> Statement {
    let mut statement = statement.clone();
    if !appended.is_empty() {
        let end = (statement.sql)
            .trim_end_matches(|c: char| c == ';' || c.is_whitespace())
            .len();
        statement.sql.truncate(end);
        // The text may end in a comment.
        statement.sql.push('\n');
        statement.sql.push_str(appended);
    }
    statement
}
