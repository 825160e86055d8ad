//! The rows of the tables after each step, without an audit log.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

use crate::log_replay::{self, Contents, Unreadable};
use crate::op::Op;
use crate::support::TestResult;

/// The rows of the tables after a step.
pub(crate) struct Moment {
    /// The statement of the step; `None` for another client.
    pub(crate) op: Option<Op>,
    pub(crate) contents: Contents,
}

/// A case's moments while it runs.
pub(crate) struct Trace<'a> {
    pub(crate) moments: Vec<Moment>,
    /// The rows that could not be read at some moment.
    pub(crate) unreadable: Unreadable,
    /// How often another client has written.
    others: usize,
    first: &'a Contents,
    tables: BTreeSet<String>,
    /// On MySQL it reads uncommitted rows, so that the transaction gets no snapshot.
    beside: &'a DatabaseConnection,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(
        first: &'a Contents,
        tables: BTreeSet<String>,
        beside: &'a DatabaseConnection,
    ) -> Self {
        Self {
            moments: Vec::new(),
            unreadable: Unreadable::new(),
            others: 0,
            first,
            tables,
            beside,
        }
    }

    /// Records the rows after a step. Returns whether they can be read: not after an error that the driver lost, where
    /// PostgreSQL has aborted the transaction.
    pub(crate) async fn note<C: ConnectionTrait>(
        &mut self,
        db: &C,
        op: Option<Op>,
    ) -> TestResult<bool> {
        if db.get_database_backend() == DbBackend::Postgres
            && db.execute_unprepared("SELECT 1").await.is_err()
        {
            return Ok(false);
        }
        self.others += usize::from(op.is_none());
        let mut contents = self.first.clone();
        let unreadable = if db.get_database_backend() == DbBackend::MySql {
            log_replay::read(self.beside, &self.tables, &mut contents).await?
        } else {
            log_replay::read(db, &self.tables, &mut contents).await?
        };
        self.unreadable.extend(unreadable);
        self.moments.push(Moment { op, contents });
        Ok(true)
    }

    /// The position where a savepoint or transaction begins.
    pub(crate) fn mark(&self) -> (usize, usize) {
        (self.moments.len(), self.others)
    }

    /// Rolls back to a position, except for writes of other clients.
    pub(crate) async fn take_back<C: ConnectionTrait>(
        &mut self,
        db: &C,
        (moments, others): (usize, usize),
    ) -> TestResult {
        self.moments.truncate(moments);
        if self.others > others {
            self.note(db, None).await?;
        }
        Ok(())
    }
}
