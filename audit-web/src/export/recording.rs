//! The record of an export, written by a task of its own.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sea_orm_audit_core::AuditError;
use sea_orm_audit_core::task::{Task, stopped};
use tracing::{Instrument, Span};

/// A record that is being written, whether anybody waits for it or not. Its error is logged.
#[derive(Debug)]
pub(super) struct Recording(Option<Task<Result<i64, AuditError>>>);

impl Recording {
    /// Begins to write, within this span. Outside of a Tokio runtime nobody could, which is an error.
    pub(super) fn start(
        recorded: impl Future<Output = Result<i64, AuditError>> + Send + 'static,
        span: Span,
    ) -> Self {
        let recorded = async move {
            let recorded = recorded.await;
            if let Err(error) = &recorded {
                tracing::error!(%error, "an export could not be recorded");
            }
            recorded
        };
        match Task::spawn(recorded.instrument(span)) {
            Ok(task) => Self(Some(task)),
            Err(error) => {
                tracing::error!(%error, "an export could not be recorded");
                Self(None)
            }
        }
    }
}

impl Future for Recording {
    type Output = Result<i64, AuditError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let recorded = match &mut self.0 {
            Some(task) => ready!(Pin::new(task).poll(context)),
            None => None,
        };
        // Else the runtime ends.
        Poll::Ready(recorded.unwrap_or_else(|| Err(stopped())))
    }
}
