//! What the database returns of the rows that a statement writes, and whether the application would see it.

use sea_orm::ConnectionTrait;

use super::{Call, Engine, Request};
use crate::sql::{Kind, Returning, quoted};

/// What is known from the rows that a statement returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Returns {
    /// All columns of the entity, by a clause that is appended.
    Appended,
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
        match &write.returning {
            Returning::Nothing => {
                // SQLite also says which row was inserted last, whatever the statement; there the rows are
                // read instead.
                let by_database =
                    self.server.is_postgres() || (self.server.is_sqlite() && is_insert);
                let is_sent_so = call == Call::Execute || (call == Call::Unprepared && is_insert);
                if by_database && is_sent_so && write.appendable && live.takes_returning() {
                    Returns::Appended
                } else {
                    Returns::Nothing
                }
            }
            _ if !call.reads_rows() => Returns::Nothing,
            // They may be another table's columns.
            _ if is_joined(&write.kind) => Returns::Nothing,
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

    /// The clause that returns all columns of the entity.
    pub(super) fn clause(&self, request: Request<'_>) -> String {
        let backend = self.db.get_database_backend();
        let qualifier = match &request.write.kind {
            Kind::Change(change) if change.joined => Some(request.write.qualifier.as_str()),
            _ => None,
        };
        let list = (request.audited.info.access.list)(backend, qualifier);
        format!("RETURNING {list}")
    }
}

fn is_joined(kind: &Kind) -> bool {
    matches!(kind, Kind::Change(change) if change.joined)
}
