//! Futures that run to completion even if their caller drops them.

use std::pin::Pin;
use std::task::{Context, Poll};

use sea_orm::DbErr;
use tracing::instrument::{Instrument, Instrumented};

use crate::task::{Task, completed};

/// Runs a future in a separate task, and waits for it. Outside of a Tokio runtime the caller runs it.
pub(super) async fn detached<T: Send + 'static>(
    future: impl Future<Output = Result<T, DbErr>> + Send + 'static,
) -> Result<T, DbErr> {
    completed(
        future,
        "an audited write was stopped with its runtime, and rolled back",
    )
    .await
}

/// Completes a future that its caller drops half way.
///
/// The caller polls it, at no cost. If the caller drops it half way, a separate task runs the rest. A future that was
/// never polled never starts; outside of a Tokio runtime, and while a runtime shuts down, it is dropped.
pub(super) fn run_to_end<F>(future: F) -> CompleteOnDrop<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    CompleteOnDrop {
        future: Some(Box::pin(future.in_current_span())),
        begun: false,
    }
}

pub(super) struct CompleteOnDrop<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    /// `None` once it is done, and while it is polled: a future that panicked is not polled again.
    future: Option<Pin<Box<Instrumented<F>>>>,
    begun: bool,
}

impl<F> Future for CompleteOnDrop<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.begun = true;
        let Some(mut future) = self.future.take() else {
            // Like any future that is polled after completion.
            return Poll::Pending;
        };
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            self.future = Some(future);
        }
        polled
    }
}

impl<F> Drop for CompleteOnDrop<F>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn drop(&mut self) {
        if let Some(future) = self.future.take()
            && self.begun
        {
            // Its result has no receiver. Outside of a runtime it cannot go on.
            drop(Task::spawn(async move { drop(future.await) }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::Arc;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn dropped_future_goes_on() {
        let (go, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (inner_go, inner_done) = (Arc::clone(&go), Arc::clone(&done));
        let future = run_to_end(async move {
            inner_go.notified().await;
            inner_done.notify_one();
        });
        tokio::select! {
            biased;
            () = future => {}
            () = async {} => {}
        }
        go.notify_one();
        done.notified().await;
    }

    #[tokio::test]
    async fn future_that_was_never_polled_does_not_begin() {
        let shared = Arc::new(());
        let held = Arc::clone(&shared);
        drop(run_to_end(async move {
            pending::<()>().await;
            drop(held);
        }));
        assert_eq!(Arc::strong_count(&shared), 1, "it is gone, not running");
    }
}
