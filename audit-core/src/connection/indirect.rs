//! Statements that name no audited table, and change rows of one all the same.

use sea_orm::{DatabaseConnection, DbBackend, DbErr};

use crate::binding::Binding;
use crate::capture::ServerInfo;
use crate::config::{AuditConfig, StatementPolicy};
use crate::sql::{ParsedStatement, outline_of};
use crate::transaction_state::UncapturedStatement;

/// Whether no report would come of it, and no trigger is to be notified of who writes.
fn is_of_no_use(config: &AuditConfig) -> bool {
    let is_silent = config.is_suppressed() || config.statement_policy() == StatementPolicy::Allow;
    is_silent && !config.has_triggers()
}

/// Asks the catalogue, where that is of use and was not done lately. Not to be called inside of a transaction.
///
/// # Errors
/// Returns an error of the database that a statement would have met.
pub(super) async fn ask_catalogue(
    db: &DatabaseConnection,
    binding: &Binding,
    server: &ServerInfo,
) -> Result<(), DbErr> {
    if is_of_no_use(&binding.config()) {
        return Ok(());
    }
    server.ask_catalogue(db).await
}

/// What is to be reported of a statement before it runs, if it may change rows of audited tables that it does not name.
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

/// A change of the schema that is under way: what is known of the catalogue is asked anew, and once more when it is done.
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
