//! The record of an export, written by a task of its own.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sea_orm_audit_core::AuditError;
use sea_orm_audit_core::task::{Task, stopped};
use tracing::{Instrument, Span};

/// A record that is being written, whether anybody waits for it or not. Its error is logged.
#[derive(Debug)]
pub(super) enum Recording {
    /// `None` where there is no runtime for it.
    Running(Option<Task<Result<i64, AuditError>>>),
    /// It was waited for, and is still to be taken.
    Written(i64),
    Over,
}

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
            Ok(task) => Self::Running(Some(task)),
            Err(error) => {
                tracing::error!(%error, "an export could not be recorded");
                Self::Running(None)
            }
        }
    }

    /// Waits until it is written, and keeps its id for whoever takes it. An error is taken.
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
        // Else the runtime ends.
        Poll::Ready(written.unwrap_or_else(|| Err(stopped())))
    }
}
