//! The record of an export, written by a separate task.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sea_orm_audit_core::AuditError;
use sea_orm_audit_core::task::{Task, stopped};
use tracing::{Instrument, Span};

/// A record that is being written, with or without a waiter. Its error is logged.
#[derive(Debug)]
pub(super) enum Recording {
    /// `None` where there is no runtime.
    Running(Option<Task<Result<i64, AuditError>>>),
    /// It is written, and its id is not taken yet.
    Written(i64),
    Over,
}

impl Recording {
    /// Starts to write, within this span. Outside of a Tokio runtime this is an error.
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
            Ok(task) => Self::Running(Some(task)),
            Err(error) => {
                tracing::error!(%error, "an export could not be recorded");
                Self::Running(None)
            }
        }
    }

    /// Waits until it is written, and keeps its id. An error is returned only once.
    pub(super) fn poll_known(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AuditError>> {
        if matches!(self, Self::Written(_)) {
            return Poll::Ready(Ok(()));
        }
        let id = ready!(Pin::new(&mut *self).poll(context))?;
        *self = Self::Written(id);
        Poll::Ready(Ok(()))
    }
}

impl Future for Recording {
    type Output = Result<i64, AuditError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let written = match &mut *self {
            Self::Running(Some(task)) => ready!(Pin::new(task).poll(context)),
            Self::Written(id) => Some(Ok(*id)),
            Self::Running(None) | Self::Over => None,
        };
        *self = Self::Over;
        // Without a result, the runtime is shutting down.
        Poll::Ready(written.unwrap_or_else(|| Err(stopped())))
    }
}
