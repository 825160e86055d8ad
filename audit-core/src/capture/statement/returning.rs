//! What the database returns of the rows that a statement writes, and whether the application would see it.

use sea_orm::{ConnectionTrait, QueryResult};

use super::row_reader::read_aliased;
use super::{Call, Engine, Image, Request};
use crate::sql::{Kind, Returning, Volatility, quoted};

/// What is known from the rows that a statement returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    /// All columns of the entity, by a clause that is appended.
    Appended,
    /// All columns of the entity, after those of the statement's own clause, which nobody reads.
    Extended,
    /// All columns of the entity, by the statement's own clause.
    Rows,
    /// The key, by the statement's own clause.
    Keys,
    /// Nothing.
    Nothing,
}

impl Returns {
    /// Whether it is known which rows were written.
    pub(super) const fn has_keys(self) -> bool {
        !matches!(self, Self::Nothing)
    }
}

impl<C: ConnectionTrait> Engine<'_, C> {
    /// What a statement returns of the rows that it writes. Columns are appended where the application reads no
    /// rows, and nothing but the count of them differs.
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
            (write.returning).has(column.name, is_cast.then_some(read_as.as_str()))
        };
        let is_insert = matches!(write.kind, Kind::Insert(_));
        // On SQLite the rows of others are read instead, at the same cost. Its RETURNING takes no alias of the
        // table, which columns of a join would need.
        let by_database = self.server.is_postgres()
            || (self.server.is_sqlite()
                && (is_insert || (needs_keys(request) && !is_joined(&write.kind))));
        let is_sent_so = call == Call::Execute || (call == Call::Unprepared && is_insert);
        let takes_more = by_database && is_sent_so && write.appendable && live.takes_returning();
        match &write.returning {
            Returning::Nothing if takes_more => Returns::Appended,
            Returning::Nothing => Returns::Nothing,
            // They may be another table's columns.
            _ if is_joined(&write.kind) => Returns::Nothing,
            _ if takes_more => Returns::Extended,
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

    /// What is appended to a statement.
    pub(super) fn clause(&self, request: Request<'_>, returns: Returns) -> String {
        let backend = self.db.get_database_backend();
        let access = &request.audited.info.access;
        let qualifier = match &request.write.kind {
            Kind::Change(change) if change.joined => Some(request.write.qualifier.as_str()),
            _ => None,
        };
        match returns {
            Returns::Appended => format!("RETURNING {}", (access.list)(backend, qualifier)),
            // Under names of their own, beside which the statement's cannot be mistaken.
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

    /// Reads the rows that a statement returned.
    pub(super) fn read_returned(
        &self,
        request: Request<'_>,
        returns: Returns,
        rows: &[QueryResult],
    ) -> Vec<Image> {
        let backend = self.db.get_database_backend();
        let info = request.audited.info;
        match returns {
            Returns::Extended => (rows.iter())
                .map(|row| read_aliased(backend, info, row, alias))
                .collect(),
            _ => self.read(info, rows),
        }
    }
}

/// The name of an appended column.
pub(super) fn alias(at: usize) -> String {
    format!("sea_orm_audit_{at}")
}

/// Whether the rows that are read before a statement do not tell which it writes, or under which keys.
fn needs_keys(request: Request<'_>) -> bool {
    match &request.write.kind {
        Kind::Change(change) => {
            change.volatility == Volatility::Unordered
                || request.audited.has_key_among(&change.assigned)
        }
        Kind::Insert(_) | Kind::Merge(_) | Kind::Truncate => false,
    }
}

fn is_joined(kind: &Kind) -> bool {
    matches!(kind, Kind::Change(change) if change.joined)
}
