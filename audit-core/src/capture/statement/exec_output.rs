//! How a statement is sent, and its output.

use sea_orm::{
    DbBackend, DbErr, ExecResult, MockDatabase, MockDatabaseTrait, MockExecResult, QueryResult,
    Statement,
};

use super::returning::Returns;
use crate::exec_method::ExecMethod;

/// The output of a statement.
pub(crate) enum ExecOutput {
    Executed(ExecResult),
    Rows(Vec<QueryResult>),
}

/// Why there is no output.
pub(crate) enum CaptureError {
    /// The database, or the log, failed.
    Failed(DbErr),
    /// The changes cannot be captured; the statement did not run.
    Uncapturable(&'static str),
}

impl From<DbErr> for CaptureError {
    fn from(error: DbErr) -> Self {
        Self::Failed(error)
    }
}

impl CaptureError {
    /// With the error that the application would have got.
    pub(super) fn own(self, call: ExecMethod) -> Self {
        match self {
            Self::Failed(error) => Self::Failed(call.own_error(error)),
            uncapturable @ Self::Uncapturable(_) => uncapturable,
        }
    }
}

/// Changes of an executed statement that are not recorded in full.
#[derive(Debug)]
pub(crate) struct Gap {
    pub(crate) why: &'static str,
    /// The known keys of the rows concerned.
    pub(crate) keys: String,
    /// The tables concerned, if they differ from the statement's table.
    pub(crate) tables: String,
}

/// The output of a statement whose rows the application does not see.
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

/// The output of a statement that was run as a query. It excludes rows that the statement's own text does not return.
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

/// The result that SeaORM gets for a statement that was run in another way than requested.
///
/// `ExecResult` has no constructor: only SeaORM's drivers create one, and its mock database, a feature without
/// dependencies.
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
