//! Statement capture: runs a write to an audited table inside a transaction and tells what it changed.
//!
//! The rows are read before and after, by the statement's own WHERE and with its own values, and locked
//! in between; where the database returns what it wrote, that is used. One engine serves the connection
//! and the bulk builders.

mod cascade;
mod change;
mod in_one;
mod insert;
mod rows;
mod server;
mod tell;

use std::sync::Arc;

use sea_orm::sea_query::Value;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, MockDatabase, MockDatabaseTrait, MockExecResult,
    QueryResult, Statement,
};

pub(crate) use change::{is_given_up, roll_back};
pub(crate) use server::Server;

use crate::action::{Action, Source};
use crate::auditable::{EntityInfo, find};
use crate::config::{AuditConfig, Plan};
use crate::connection::{Doubt, Frames};
use crate::context::AuditContext;
use crate::sql::{Composer, ConflictAction, Kind, TableName, Write, is_name};
use cascade::Follower;

/// How a statement was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Execute,
    /// As a text that is not prepared; what is captured of it is run as `Execute`.
    Unprepared,
    QueryOne,
    QueryAll,
}

/// What the database answered.
pub(crate) enum Answer {
    Executed(ExecResult),
    Rows(Vec<QueryResult>),
}

/// Why there is no answer.
pub(crate) enum Problem {
    /// The database, or the log, failed.
    Failed(DbErr),
    /// The changes cannot be captured; nothing was done.
    Uncapturable(&'static str),
}

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        Self::Failed(error)
    }
}

/// The entity that a write is to, and what is recorded of it.
pub(crate) struct Audited {
    info: &'static EntityInfo,
    plan: Arc<Plan>,
    /// The entities whose rows go, or change, along with those that are deleted.
    followers: Vec<Follower>,
    /// Whether the rows that are written themselves are recorded.
    records: bool,
    /// Whether it fires triggers that record, too.
    fires_triggers: bool,
}

impl Audited {
    /// The entity of a table, or `None` where nothing is recorded of this write.
    pub(crate) fn of(config: &AuditConfig, server: &Server, write: &Write) -> Option<Self> {
        let info = Self::entity(&write.table, server)?;
        let plan = config.plan(info);
        let deletes = match &write.kind {
            Kind::Change(change) => change.delete,
            Kind::Truncate => true,
            Kind::Insert(insert) => (insert.conflict.as_ref())
                .is_some_and(|conflict| conflict.action == ConflictAction::Replace),
        };
        let recorded = |action: &Action| !plan.by_trigger && !plan.skips(config, action);
        let records = match &write.kind {
            Kind::Change(change) if change.delete => recorded(&Action::Delete),
            Kind::Truncate => recorded(&Action::Delete),
            Kind::Insert(insert) if insert.conflict.is_some() => {
                recorded(&Action::Create) || recorded(&Action::Update) || recorded(&Action::Delete)
            }
            Kind::Insert(_) => recorded(&Action::Create),
            Kind::Change(_) => recorded(&Action::Update),
        };
        let followers = if deletes {
            cascade::followers(config, server, info)
        } else {
            Vec::new()
        };
        let fires_triggers = plan.by_trigger
            || ((deletes || moves_key(info, write))
                && server.cascades_fire_triggers()
                && cascade::reaches_triggers(config, info));
        (records || !followers.is_empty() || fires_triggers).then_some(Self {
            info,
            plan,
            followers,
            records,
            fires_triggers,
        })
    }

    /// Whether the engine has anything to do.
    pub(crate) fn is_captured(&self) -> bool {
        self.records || !self.followers.is_empty()
    }

    /// Whether triggers are to be told who writes.
    pub(crate) fn fires_triggers(&self) -> bool {
        self.fires_triggers
    }

    /// What is left of it when the engine stands down.
    pub(crate) fn for_triggers_only(self) -> Option<Self> {
        self.fires_triggers.then_some(Self {
            followers: Vec::new(),
            records: false,
            ..self
        })
    }

    fn entity(name: &TableName, server: &Server) -> Option<&'static EntityInfo> {
        find(&name.table, |info| {
            (!server.minds_case() || info.table() == name.table)
                && match (&name.schema, info.schema()) {
                    (Some(named), Some(own)) => named == own,
                    (Some(named), None) => server.is_default_schema(named),
                    // Found by the search path, whichever it is.
                    (None, _) => true,
                }
        })
    }

    /// Whether one of these tables is an audited entity's.
    pub(crate) fn any(config: &AuditConfig, server: &Server, tables: &[TableName]) -> bool {
        tables
            .iter()
            .any(|name| Self::entity(name, server).is_some_and(|info| !config.plan(info).skip))
    }

    fn key_columns(&self) -> Vec<&'static str> {
        let name = |at: &usize| self.info.columns[*at].name;
        self.info.key.iter().map(name).collect()
    }

    /// Whether one of these columns is of the key.
    fn has_key_among(&self, columns: &[String]) -> bool {
        let is_among = |key: &&str| columns.iter().any(|column| is_name(column, key));
        self.key_columns().iter().any(is_among)
    }
}

/// Whether a write may change a key, so that rows follow by ON UPDATE.
fn moves_key(info: &EntityInfo, write: &Write) -> bool {
    let is_key =
        |column: &String| (info.key.iter()).any(|at| is_name(column, info.columns[*at].name));
    match &write.kind {
        Kind::Change(change) => change.assigned.iter().any(is_key),
        Kind::Insert(_) | Kind::Truncate => false,
    }
}

/// The prefix of columns that are added to what a statement returns.
const PREFIX: &str = "sea_orm_audit_";

/// Captures statements inside one transaction.
pub(crate) struct Engine<'a, C: ConnectionTrait> {
    pub(crate) db: &'a C,
    pub(crate) frames: &'a Frames,
    pub(crate) server: &'a Server,
    pub(crate) config: &'a AuditConfig,
    pub(crate) context: &'a AuditContext,
    pub(crate) source: Source,
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Runs a write and records what it changed.
    pub(crate) async fn capture(
        &self,
        call: Call,
        statement: Statement,
        write: &Write,
        audited: &Audited,
    ) -> Result<Answer, Problem> {
        self.take_write_lock().await?;
        match &write.kind {
            Kind::Insert(insert) => self.insert(call, statement, write, insert, audited).await,
            Kind::Change(change) => self.change(call, statement, write, change, audited).await,
            Kind::Truncate => self.truncate(statement, write, audited).await,
        }
    }

    /// A SQLite transaction that reads before it writes loses to another writer.
    async fn take_write_lock(&self) -> Result<(), DbErr> {
        if self.server.is_sqlite() && self.frames.needs_write_lock() {
            super::hook::take_write_lock(self.db, self.config).await?;
            self.frames.has_write_lock();
        }
        Ok(())
    }

    fn composer<'v>(&self, statement: &'v Statement) -> Composer<'v> {
        let values: &[Value] = match &statement.values {
            Some(values) => &values.0,
            None => &[],
        };
        Composer::new(self.db.get_database_backend(), values)
    }

    /// Runs the business statement as it was sent.
    ///
    /// What it did is in doubt until it is told.
    async fn run(&self, call: Call, statement: Statement) -> Result<(Answer, Doubt<'_>), DbErr> {
        let doubt = self.frames.doubt(self.config.failure_policy());
        let answer = match call {
            Call::Execute | Call::Unprepared => {
                self.db.execute_raw(statement).await.map(Answer::Executed)
            }
            Call::QueryOne | Call::QueryAll => {
                self.db.query_all_raw(statement).await.map(Answer::Rows)
            }
        };
        match answer {
            Ok(answer) => Ok((answer, doubt)),
            Err(error) => {
                // The database has undone what it did of it.
                doubt.settle();
                Err(error)
            }
        }
    }

    /// Runs the business statement so that it returns all columns of what it wrote, and reads them.
    async fn run_returning(
        &self,
        call: Call,
        statement: Statement,
        write: &Write,
        audited: &Audited,
        shape: Shape,
    ) -> Result<(Returned, Vec<Vec<Value>>, Doubt<'_>), DbErr> {
        let info = audited.info;
        let complete = info
            .columns
            .iter()
            .all(|column| write.returning.has(column.name));
        let (statement, prefix) =
            if complete && call != Call::Execute && !shape.qualified && !shape.meets {
                (statement, "")
            } else {
                let own = matches!(write.returning, crate::sql::Returning::Nothing);
                let backend = self.db.get_database_backend();
                let qualifier = shape.qualified.then_some(write.qualifier.as_str());
                let list = write
                    .returned
                    .of(info, || (info.access.list)(backend, qualifier, PREFIX));
                let joint = if own { "\nRETURNING " } else { ", " };
                // A row that was there has been locked by the statement itself.
                let met = if shape.meets {
                    ", (xmax::text <> '0') AS sea_orm_audit_met"
                } else {
                    ""
                };
                let statement = self.extended(statement, write, shape, &[joint, &list, met]);
                (statement, PREFIX)
            };
        let (answer, doubt) = self.run(Call::QueryAll, statement).await?;
        let Answer::Rows(rows) = answer else {
            return Ok((Returned::default(), Vec::new(), doubt));
        };
        let images = (rows.iter())
            .map(|row| (info.access.read)(row, prefix))
            .collect::<Result<Vec<_>, _>>()?;
        let met = if shape.meets {
            rows.iter()
                .map(|row| row.try_get("", "sea_orm_audit_met"))
                .collect::<Result<Vec<bool>, _>>()?
        } else {
            Vec::new()
        };
        let returned = Returned {
            met,
            count: rows.len() as u64,
            rows: match write.returning {
                crate::sql::Returning::Nothing => Vec::new(),
                _ => rows,
            },
            last_insert_id: 0,
        };
        Ok((returned, images, doubt))
    }

    /// A statement with something added to its end.
    fn extended(
        &self,
        mut statement: Statement,
        write: &Write,
        shape: Shape,
        more: &[&str],
    ) -> Statement {
        if let Some(clean) = write.clean.as_ref().filter(|_| shape.whole) {
            let mut composer = self.composer(&statement);
            composer.template(clean);
            statement = composer.finish();
        } else {
            let end = statement
                .sql
                .trim_end_matches(|c: char| c == ';' || c.is_whitespace())
                .len();
            statement.sql.truncate(end);
        }
        for text in more {
            statement.sql.push_str(text);
        }
        statement
    }

    fn is_rewriting_allowed(&self) -> bool {
        self.config.statement_policy() != crate::config::StatementPolicy::Warn
    }
}

/// How a statement is made to return rows.
#[derive(Clone, Copy)]
struct Shape {
    /// The statement has its own text.
    whole: bool,
    /// The columns must be told from other tables'.
    qualified: bool,
    /// Whether a row was there before is asked, too.
    meets: bool,
}

/// What a statement with RETURNING gave.
#[derive(Default)]
struct Returned {
    /// For each row, whether it was there before; where that was asked.
    met: Vec<bool>,
    count: u64,
    /// The rows that the statement itself asked for.
    rows: Vec<QueryResult>,
    last_insert_id: u64,
}

impl Returned {
    fn add(&mut self, more: Self) {
        self.count += more.count;
        self.rows.extend(more.rows);
    }

    fn answer(self, call: Call) -> Result<Answer, DbErr> {
        Ok(match call {
            Call::Execute => Answer::Executed(result_of(self.last_insert_id, self.count)?),
            _ => Answer::Rows(self.rows),
        })
    }
}

/// What SeaORM is told of a statement that was run in another way than it asked for.
///
/// `ExecResult` has no constructor: only SeaORM's drivers make one, and its mock database, which is a
/// feature without dependencies.
pub(crate) fn result_of(last_insert_id: u64, rows_affected: u64) -> Result<ExecResult, DbErr> {
    let result = MockExecResult {
        last_insert_id,
        rows_affected,
    };
    // The backend makes no difference.
    let backend = DbBackend::Postgres;
    MockDatabase::new(backend)
        .append_exec_results([result])
        .execute(0, Statement::from_string(backend, ""))
}
