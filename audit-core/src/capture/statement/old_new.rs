//! Writes whose old and new rows PostgreSQL returns, from version 18 on.
//!
//! One statement then returns everything: no other read is needed, and each row has both states, even if its key
//! changes. The older path applies if triggers or foreign keys may change a row after RETURNING has read it, or if
//! the application would see more columns.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr};

use super::returning::Returns;
use super::returning::alias;
use super::row_reader::{is_read_by_type, read_aliased};
use super::{CaptureError, Engine, ExecOutput, Request, RowValues, answer};
use crate::exec_method::ExecMethod;
use crate::sql::{ConflictAction, Kind, Returning};
use crate::value::is_null;

/// Why a MERGE is not captured if the rows are not returned this way.
pub(super) const MERGE: &str = "MERGE does not say what it does with which row";

/// The aliases of the two states, which the statement's own names cannot hide.
const OLD: &str = "sea_orm_audit_old";
const NEW: &str = "sea_orm_audit_new";

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Whether everything that a statement does can be read from the old and new rows that it returns.
    pub(super) fn takes_old_new(&self, request: Request<'_>) -> bool {
        let (audited, live) = (request.audited, request.live);
        let (is_sent_so, assigned) = match &request.write.kind {
            Kind::UpdateOrDelete(change) if !change.delete => (false, &change.assigned),
            Kind::Insert(insert) => match &insert.conflict {
                // An unprepared text is run as a query in any case.
                Some(conflict) if conflict.action == ConflictAction::Update => {
                    (request.call == ExecMethod::Unprepared, &conflict.assigned)
                }
                _ => return false,
            },
            // Rows that refer to a deleted one would not be captured.
            Kind::Merge(merge)
                if !merge.deletes
                    || (audited.followers.is_empty() && !audited.info.access.refers_to_itself) =>
            {
                (false, &merge.assigned)
            }
            _ => return false,
        };
        live.returns_old
            && (is_sent_so || request.call == ExecMethod::Execute)
            && request.write.appendable
            && matches!(request.write.returning, Returning::Nothing)
            && live.takes_returning()
            && !live.has_triggers
            && !live.is_referred(assigned)
            && !audited.info.key.is_empty()
            && live.refuses_reading(&audited.all_columns()).is_none()
            && self.lacks_columns(request).is_none()
            && (audited.info.columns.iter()).all(|column| is_read_by_type(&column.shape))
    }

    /// Runs a statement that [`Self::takes_old_new`] accepts, and records its rows.
    pub(super) async fn capture_old_new(
        &self,
        request: Request<'_>,
    ) -> Result<ExecOutput, CaptureError> {
        let (info, call) = (request.audited.info, request.call);
        let backend = self.db.get_database_backend();
        let clause = self.old_new_clause(request);
        let (rows, doubt) = self.run_query(call, request.statement, &clause).await?;
        for row in &rows {
            let old = read_aliased(backend, info, row, old_alias);
            let new = read_aliased(backend, info, row, alias);
            self.record_old_new(request, old, &new)?;
            self.flush_when_full().await?;
        }
        doubt.disarm();
        Ok(answer(call, Returns::Appended, rows, 0)?)
    }

    fn old_new_clause(&self, request: Request<'_>) -> String {
        let backend = self.db.get_database_backend();
        let info = request.audited.info;
        let column = |at: usize, state: &str, name: String| {
            let value = (info.access.qualified)(backend, at, state);
            format!("{value} AS {name}")
        };
        let columns: Vec<String> = (0..info.columns.len())
            .flat_map(|at| [column(at, OLD, old_alias(at)), column(at, NEW, alias(at))])
            .collect();
        let columns = columns.join(", ");
        format!("RETURNING WITH (OLD AS {OLD}, NEW AS {NEW}) {columns}")
    }

    fn record_old_new(
        &self,
        request: Request<'_>,
        old: RowValues,
        new: &[Value],
    ) -> Result<(), DbErr> {
        let audited = request.audited;
        let assigned = match &request.write.kind {
            Kind::UpdateOrDelete(change) => {
                return self.record_updated(audited, self.source, &change.assigned, old, new);
            }
            Kind::Insert(insert) => match &insert.conflict {
                Some(conflict) => conflict.assigned.as_slice(),
                None => &[],
            },
            Kind::Merge(merge) => merge.assigned.as_slice(),
            Kind::Truncate => &[],
        };
        // A missing state is all NULL, and a key is not.
        let has_key = |row: &[Value]| !audited.info.key_of(row).iter().all(is_null);
        match (has_key(&old), has_key(new)) {
            (true, true) => self.record_updated(audited, self.source, assigned, old, new),
            (false, true) => self.record_created(audited, new),
            (true, false) => self.record_deleted(audited, self.source, &old),
            (false, false) => {
                self.gap("it wrote rows whose key is NULL", &[]);
                Ok(())
            }
        }
    }
}

/// The alias of an appended column with the old value.
fn old_alias(at: usize) -> String {
    format!("sea_orm_audit_old_{at}")
}
