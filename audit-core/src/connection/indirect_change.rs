//! Statements that change rows of an audited table without naming it.

use sea_orm::{DatabaseConnection, DbBackend, DbErr};

use crate::binding::Binding;
use crate::capture::ServerInfo;
use crate::config::{AuditConfig, StatementPolicy};
use crate::sql::{ParsedStatement, outline_of};
use crate::transaction_state::UncapturedStatement;

/// Whether the statement would cause no report, and triggers need no context.
fn is_of_no_use(config: &AuditConfig) -> bool {
    let is_silent = config.is_suppressed() || config.statement_policy() == StatementPolicy::Allow;
    is_silent && !config.has_triggers()
}

/// Queries the catalogue if needed, unless that was done recently. It must not be called inside of a transaction.
///
/// # Errors
/// Returns a database error that the statement would have returned, too.
pub(super) async fn fetch_catalogue(
    db: &DatabaseConnection,
    binding: &Binding,
    server: &ServerInfo,
) -> Result<(), DbErr> {
    if is_of_no_use(&binding.config()) {
        return Ok(());
    }
    server.fetch_catalogue(db).await
}

/// The report to make before a statement runs, if it may change rows of audited tables that it does not name.
///
/// # Errors
/// Returns [`AuditError::Refused`](crate::AuditError::Refused).
pub(super) fn reported(
    binding: &Binding,
    server: &ServerInfo,
    understood: &ParsedStatement,
    (backend, sql): (DbBackend, &str),
) -> Result<Option<UncapturedStatement>, DbErr> {
    if matches!(
        understood,
        ParsedStatement::Read | ParsedStatement::DdlOrTransaction
    ) {
        return Ok(None);
    }
    let config = binding.config();
    if is_of_no_use(&config) {
        return Ok(None);
    }
    match server.affected(&config, understood) {
        Some(affected) => {
            let outline = outline_of(backend, sql);
            UncapturedStatement::of_affected(binding, config, affected, &outline).map(Some)
        }
        None => Ok(None),
    }
}

/// A schema change in progress: the cached catalogue is queried again now, and once more when the change is done.
#[derive(Debug)]
pub(super) struct SchemaChange(ServerInfo);

impl SchemaChange {
    pub(super) fn begin(server: ServerInfo) -> Self {
        server.forget_catalogue();
        Self(server)
    }
}

impl Drop for SchemaChange {
    fn drop(&mut self) {
        self.0.forget_catalogue();
    }
}
