//! How a statement is sent, and what comes of it.

use sea_orm::{
    DbBackend, DbErr, ExecResult, MockDatabase, MockDatabaseTrait, MockExecResult, QueryResult,
    Statement,
};

use super::returning::Returns;
use crate::exec_method::ExecMethod;

/// What the database answered.
pub(crate) enum ExecOutput {
    Executed(ExecResult),
    Rows(Vec<QueryResult>),
}

/// Why there is no answer.
pub(crate) enum CaptureError {
    /// The database, or the log, failed.
    Failed(DbErr),
    /// The changes cannot be captured; nothing was done.
    Uncapturable(&'static str),
}

impl From<DbErr> for CaptureError {
    fn from(error: DbErr) -> Self {
        Self::Failed(error)
    }
}

/// Changes of a statement that ran without being recorded in full.
#[derive(Debug)]
pub(crate) struct Gap {
    pub(crate) why: &'static str,
    /// The keys that are known of the rows concerned.
    pub(crate) keys: String,
    /// The tables concerned, where they are not the one that the statement names.
    pub(crate) tables: String,
}

/// The answer to a statement whose rows the application does not see.
pub(super) fn answer_of(
    call: ExecMethod,
    count: u64,
    last_insert_id: u64,
) -> Result<ExecOutput, DbErr> {
    Ok(if call.reads_rows() {
        ExecOutput::Rows(Vec::new())
    } else {
        ExecOutput::Executed(result_of(last_insert_id, count)?)
    })
}

/// The answer to a statement that was run as a query. Rows that its own text does not return are no part of it.
pub(super) fn answer(
    call: ExecMethod,
    returns: Returns,
    rows: Vec<QueryResult>,
    last_insert_id: u64,
) -> Result<ExecOutput, DbErr> {
    if call.reads_rows() && returns != Returns::Appended {
        return Ok(ExecOutput::Rows(rows));
    }
    answer_of(call, rows.len() as u64, last_insert_id)
}

/// What SeaORM is given for a statement that was run in another way than it asked for.
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
