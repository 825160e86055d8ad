//! A detail row and its record in `audit_log`, in one transaction.

use sea_orm::{ConnectionTrait, DbErr, TransactionSession, TransactionTrait};

use super::manual::transaction_of;
use crate::action::{Action, Outcome, Source};
use crate::begin::{Begun, begin};
use crate::config::{AuditConfig, Tables};
use crate::connection_kind::ConnectionKind;
use crate::context::AuditContext;
use crate::error::{AuditError, ChangeState};
use crate::record::{Record, cause_in, insert_record, keeping_last_insert_id};
use crate::stats::{COUNTERS, count};

/// A record that has a row in another audit table.
pub(super) struct LinkedRecord {
    pub(super) config: AuditConfig,
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    pub(super) context: AuditContext,
    /// The table of the detail row.
    pub(super) table: fn(&Tables) -> &'static str,
}

impl LinkedRecord {
    /// Writes the record, then the detail row by what `detail` does with the transaction and the
    /// record's id; both or neither. Returns the detail row's id.
    pub(super) async fn write<C, F>(self, db: &C, detail: F) -> Result<i64, AuditError>
    where
        C: ConnectionTrait + TransactionTrait + 'static,
        F: AsyncFnOnce(&Begun<'_, C::Transaction>, i64) -> Result<i64, DbErr>,
    {
        let config = self.config.clone();
        let tables = config.tables();
        let log = tables.qualified(tables.log());
        let detailed = tables.qualified((self.table)(&tables));
        let failed = |table: &str, error| {
            count(&COUNTERS.failed);
            AuditError::NotRecorded {
                state: ChangeState::NoChange,
                cause: cause_in(&config, table.to_owned(), error),
            }
        };
        let tx = begin(db).await.map_err(|error| failed(&log, error))?;
        let record = Record {
            occurred_at: config.now(),
            action: self.action,
            outcome: self.outcome,
            target: None,
            changes: None,
            tenant: None,
            module: None,
            source: Source::Manual,
            context: self.context,
            transaction_id: transaction_of(&tx),
        };
        let written = async {
            match insert_record(&tx, &config, record).await {
                Ok(id) => {
                    let written = detail(&tx, id).await;
                    written.map_err(|error| failed(&detailed, error))
                }
                Err(cause) => {
                    count(&COUNTERS.failed);
                    let state = ChangeState::NoChange;
                    Err(AuditError::NotRecorded { state, cause })
                }
            }
        };
        // A separate connection from a pool has no value that matters to the application.
        let written = if ConnectionKind::of::<C>() == ConnectionKind::Pool {
            written.await
        } else {
            keeping_last_insert_id(&tx, written).await
        };
        match written {
            Ok(id) => {
                tx.commit().await.map_err(|error| failed(&log, error))?;
                count(&COUNTERS.recorded);
                Ok(id)
            }
            Err(error) => {
                // That error matters more than whether this succeeds.
                if let Err(error) = tx.rollback().await {
                    tracing::warn!(%error, "a failed audit record could not be rolled back");
                }
                Err(error)
            }
        }
    }
}
