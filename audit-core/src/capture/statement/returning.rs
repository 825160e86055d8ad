//! What the database returns of the rows that a statement writes, and whether the application would see it.

use std::future::poll_fn;

use futures_core::Stream;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, StreamTrait};

use super::row_reader::{read_aliased, read_labelled, read_row};
use super::{Engine, Request, RowValues};
use crate::exec_method::ExecMethod;
use crate::sql::{Kind, Returning, Volatility, quoted};
use crate::transaction_state::UnrecordedGuard;

/// What the returned rows of a statement provide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    /// All columns of the entity, by an appended clause.
    Appended,
    /// All columns of the entity, after those of the statement's own clause; no caller reads the appended ones.
    Extended,
    /// All columns of the entity, by the statement's own clause.
    Rows,
    /// The key, by the statement's own clause.
    Keys,
    /// Nothing.
    Nothing,
}

impl Returns {
    /// Whether the written rows are known.
    pub(super) const fn has_keys(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// What a statement returns of the rows that it writes. Columns are appended if the application reads no rows and
    /// only the column count differs.
    pub(super) fn returns(&self, request: Request<'_>) -> Returns {
        let Request {
            call,
            write,
            audited,
            live,
            ..
        } = request;
        let backend = self.db.get_database_backend();
        let has = |at: usize| {
            let column = &audited.info.columns[at];
            let read_as = (audited.info.access.expression)(backend, at);
            let is_cast = read_as != quoted(backend, column.name);
            // They may be another table's columns.
            let names = is_joined(&write.kind)
                .then_some([write.qualifier.as_str(), write.reference.as_str()]);
            (write.returning).has(column.name, is_cast.then_some(read_as.as_str()), names)
        };
        let is_insert = matches!(write.kind, Kind::Insert(_));
        // On SQLite the rows of other statements are read instead, at the same cost. SQLite's RETURNING accepts no
        // alias of the table, which columns of a join would need.
        let by_database = self.server.is_postgres()
            || (self.server.is_sqlite()
                && (is_insert || (needs_keys(request) && !is_joined(&write.kind))));
        // The application does not receive the rows that the statement returns without its own clause.
        let is_sent_so = match call {
            ExecMethod::Execute => true,
            ExecMethod::Unprepared => is_insert,
            ExecMethod::QueryOne | ExecMethod::QueryAll => {
                matches!(write.returning, Returning::Nothing)
            }
        };
        let takes_more = by_database && is_sent_so && write.appendable && live.takes_returning();
        match &write.returning {
            Returning::Nothing if takes_more => Returns::Appended,
            Returning::Nothing => Returns::Nothing,
            _ if takes_more && !is_joined(&write.kind) => Returns::Extended,
            _ if !call.reads_rows() => Returns::Nothing,
            _ if self.server.is_mysql() && !is_insert => Returns::Nothing,
            Returning::Everything | Returning::Items(_) => {
                if (0..audited.info.columns.len()).all(has) {
                    Returns::Rows
                } else if audited.info.key.iter().all(|at| has(*at)) {
                    Returns::Keys
                } else {
                    Returns::Nothing
                }
            }
        }
    }

    /// The clause to append to a statement.
    pub(super) fn clause(&self, request: Request<'_>, returns: Returns) -> String {
        let backend = self.db.get_database_backend();
        let access = &request.audited.info.access;
        let qualifier = match &request.write.kind {
            Kind::UpdateOrDelete(change) if change.joined => Some(request.write.qualifier.as_str()),
            _ => None,
        };
        match returns {
            Returns::Appended => format!("RETURNING {}", (access.list)(backend, qualifier)),
            // Under unique names, which cannot be confused with the statement's.
            Returns::Extended => {
                let column = |at| format!("{} AS {}", (access.expression)(backend, at), alias(at));
                let columns: Vec<String> = (0..request.audited.info.columns.len())
                    .map(column)
                    .collect();
                format!(", {}", columns.join(", "))
            }
            Returns::Rows | Returns::Keys | Returns::Nothing => String::new(),
        }
    }

    /// Runs a statement with an appended clause, and passes on the rows that it returns, one by one if the connection
    /// can stream. Returns their number.
    pub(super) async fn run_appended(
        &self,
        request: Request<'_>,
        returns: Returns,
        each: &mut (dyn FnMut(RowValues) + Send),
    ) -> Result<(u64, UnrecordedGuard<'_>), DbErr> {
        let (call, clause) = (request.call, self.clause(request, returns));
        let Some(tx) = self.stream else {
            let (rows, doubt) = self.run_query(call, request.statement, &clause).await?;
            let count = rows.len() as u64;
            (self.read_returned(request, returns, &rows).into_iter()).for_each(each);
            return Ok((count, doubt));
        };
        let doubt = self.frames.guard(self.config.failure_policy());
        let ran = async {
            let mut count = 0;
            let statement = self.appended(request.statement, &clause);
            let mut rows = std::pin::pin!(tx.stream_raw(statement).await?);
            while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
                each(self.read_one(request, returns, &row?));
                count += 1;
            }
            Ok(count)
        };
        self.ran(call, ran.await, doubt)
    }

    fn read_one(&self, request: Request<'_>, returns: Returns, row: &QueryResult) -> RowValues {
        let (backend, info) = (self.db.get_database_backend(), request.audited.info);
        match returns {
            Returns::Extended => read_aliased(backend, info, row, alias),
            // MySQL names a column as the statement writes it.
            Returns::Rows | Returns::Keys if self.server.is_mysql() => {
                read_labelled(backend, info, row)
            }
            _ => read_row(backend, info, row),
        }
    }

    /// Reads the rows that a statement returned.
    pub(super) fn read_returned(
        &self,
        request: Request<'_>,
        returns: Returns,
        rows: &[QueryResult],
    ) -> Vec<RowValues> {
        (rows.iter())
            .map(|row| self.read_one(request, returns, row))
            .collect()
    }
}

/// The name of an appended column.
pub(super) fn alias(at: usize) -> String {
    format!("sea_orm_audit_{at}")
}

/// Whether the rows that are read before a statement do not show which rows it writes, or under which keys.
fn needs_keys(request: Request<'_>) -> bool {
    match &request.write.kind {
        Kind::UpdateOrDelete(change) => {
            change.volatility == Volatility::Unordered
                || change.reads_clock
                || request.sets_key(&change.assigned)
        }
        Kind::Insert(_) | Kind::Merge(_) | Kind::Truncate => false,
    }
}

fn is_joined(kind: &Kind) -> bool {
    matches!(kind, Kind::UpdateOrDelete(change) if change.joined)
}
