//! Runs a case's steps on a connection.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, IsolationLevel, Statement, TransactionSession,
    TransactionTrait,
};

use crate::answer::{Answer, answer, failure, rows_of};
use crate::case::Step;
use crate::choice::Choices;
use crate::connection::{AsConnection, Connection};
use crate::op::Op;
use crate::other_client::OtherClient;
use crate::support::TestResult;
use crate::trace::Trace;

/// An answer, and its statement if that was one of the case's.
pub(crate) struct Answered {
    pub(crate) op: Option<Op>,
    pub(crate) answer: Answer,
}

/// Begins a transaction on a connection without state of the case before.
pub(crate) async fn begin<C: TransactionTrait<Transaction: ConnectionTrait>>(
    db: &C,
    level: Option<IsolationLevel>,
) -> Result<C::Transaction, sea_orm::DbErr> {
    let tx = match level {
        Some(_) => db.begin_with_config(level, None).await?,
        None => db.begin().await?,
    };
    if tx.get_database_backend() == DbBackend::MySql {
        let forget = Statement::from_string(DbBackend::MySql, "SELECT LAST_INSERT_ID(0)");
        tx.query_one_raw(forget).await?;
    }
    Ok(tx)
}

pub(crate) struct Run<'a> {
    pub(crate) backend: DbBackend,
    pub(crate) models_only: bool,
    pub(crate) audited: bool,
    pub(crate) answers: Vec<Answered>,
    pub(crate) client: &'a DatabaseConnection,
    pub(crate) trace: Option<Trace<'a>>,
}

impl Run<'_> {
    /// Runs one. Returns whether it failed.
    async fn op(
        &mut self,
        db: &Connection<'_>,
        made: &[u32],
        in_transaction: bool,
    ) -> TestResult<bool> {
        let op = Op::of(&mut Choices::again(made), self.backend, self.models_only);
        if !op.runs(self.backend, in_transaction) {
            return Ok(false);
        }
        let answer = answer(db, &op, self.audited).await;
        let mut failed = answer.is_error();
        // An aborted transaction cannot read, and keeps nothing.
        let is_aborted = in_transaction && failed && self.backend == DbBackend::Postgres;
        if let Some(trace) = self.trace.as_mut().filter(|_| !is_aborted) {
            failed |= !trace.note(db, Some(op.clone())).await?;
        }
        self.answers.push(Answered {
            op: Some(op),
            answer,
        });
        Ok(failed)
    }

    fn answered(&mut self, answer: Answer) {
        self.answers.push(Answered { op: None, answer });
    }

    /// Each by itself.
    pub(crate) async fn alone(&mut self, db: &Connection<'_>, steps: &[Step]) -> TestResult {
        for step in steps {
            match step {
                Step::Do(made) => {
                    self.op(db, made, false).await?;
                }
                Step::Savepoint { steps, .. } => Box::pin(self.alone(db, steps)).await?,
                Step::Other(_) => {}
            }
        }
        Ok(())
    }

    /// Another client's write, and the transaction's reads before and after it.
    async fn other(&mut self, db: &Connection<'_>, other: &OtherClient) -> TestResult {
        if other.reads_before {
            let read = read(db, &other.read()).await;
            self.answered(read);
        }
        let written = match self.client.execute_unprepared(other.write()).await {
            Ok(done) => format!("{} rows", done.rows_affected()),
            Err(error) => format!("{error}"),
        };
        self.answered(Answer::Other(written));
        if other.reads_after {
            let read = read(db, &other.read()).await;
            self.answered(read);
        }
        if let Some(trace) = &mut self.trace {
            trace.note(db, None).await?;
        }
        Ok(())
    }

    pub(crate) async fn transaction<T>(
        &mut self,
        begun: Result<T, sea_orm::DbErr>,
        steps: &[Step],
        commit: bool,
        outside: &Connection<'_>,
    ) -> TestResult
    where
        T: TransactionTrait<Transaction = T> + TransactionSession + AsConnection + Send + Sync,
    {
        let tx = match begun {
            Ok(tx) => tx,
            Err(error) => {
                self.answered(Answer::Called(format!("BEGIN: {error}")));
                return Ok(());
            }
        };
        let mark = self.trace.as_ref().map(Trace::mark);
        let mut aborted = false;
        for step in steps {
            match step {
                Step::Do(made) => {
                    let failed = self.op(&tx.as_connection(), made, true).await?;
                    aborted |= failed && self.backend == DbBackend::Postgres;
                }
                Step::Savepoint { steps, commit } => {
                    if aborted {
                        continue;
                    }
                    let begun = tx.begin().await;
                    let outside = tx.as_connection();
                    Box::pin(self.transaction(begun, steps, *commit, &outside)).await?;
                }
                Step::Other(_) if aborted => {}
                Step::Other(other) => self.other(&tx.as_connection(), other).await?,
            }
        }
        // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, which is reported as an error.
        let commits = commit && !aborted;
        let ended = if commits {
            tx.commit().await
        } else {
            tx.rollback().await
        };
        if let (Some(trace), Some(mark)) = (&mut self.trace, mark)
            && (!commits || ended.is_err())
        {
            trace.take_back(outside, mark).await?;
        }
        if let Err(error) = ended {
            self.answered(Answer::Called(format!("end: {error}")));
        }
        Ok(())
    }
}

/// Reads inside of a transaction.
async fn read(db: &Connection<'_>, sql: &str) -> Answer {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    match db.query_all_raw(statement).await {
        Ok(rows) => rows_of(&rows),
        Err(error) => Answer::Failed(failure(&error)),
    }
}
