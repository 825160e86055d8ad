//! The log's own tasks: they write their records even when their callers are dropped.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use sea_orm::DbErr;
use tokio::runtime::{Handle, TryCurrentError};
use tokio::sync::{Notify, oneshot};
use tracing::Instrument;

use crate::context::WithAuditContext;
use crate::error::{AuditError, Cause, ChangeState};
use crate::panic::{Panicked, is_watched, watched_future};

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static NONE_RUNS: Notify = Notify::const_new();

/// A task that is counted until it is dropped.
struct Running;

impl Running {
    fn new() -> Self {
        RUNNING.fetch_add(1, SeqCst);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if RUNNING.fetch_sub(1, SeqCst) == 1 {
            NONE_RUNS.notify_waiters();
        }
    }
}

/// Waits for a moment at which none of the log's own tasks records anything: writes, exports, logins, logouts and views
/// whose callers were dropped.
///
/// Call it before the connections are closed and the runtime ends, when no more requests arrive. Events that were
/// submitted to an [`EventWriter`](crate::EventWriter) are not among them: shut it down after this.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// # async fn stop(writer: sea_orm_audit_core::EventWriter) {
/// // the server has stopped; the timeout limits the wait for an unavailable database
/// let done = tokio::time::timeout(Duration::from_secs(10), sea_orm_audit_core::finish_recording());
/// if done.await.is_err() {
///     tracing::error!("some records could not be written in time");
/// }
/// writer.shutdown().await;
/// # }
/// ```
pub async fn finish_recording() {
    let mut none_runs = std::pin::pin!(NONE_RUNS.notified());
    // From here on no end is missed.
    none_runs.as_mut().enable();
    if RUNNING.load(SeqCst) > 0 {
        // A task that began after that moment belongs to another caller.
        none_runs.await;
    }
}

/// How a task ended.
enum Ended<T> {
    Done(T),
    /// The caller that began it reads the place.
    Panicked(Box<Panicked>),
    /// The panic hook reported it.
    Unwound(Box<dyn Any + Send>),
}

/// A task that was begun, and continues when this is dropped.
///
/// As a future it returns the task's output, or `None` when the runtime stopped the task. A panic of the task continues
/// in the caller that waits for it, with its place and backtrace where those are watched for; if no caller waits, it is
/// recorded by itself where the task was begun under watch, and else by `record_panics` only.
pub struct Task<T: Send + 'static>(oneshot::Receiver<Ended<T>>);

impl<T: Send + 'static> Task<T> {
    /// Begins a task in the current context and span.
    ///
    /// # Errors
    /// Returns an error outside of a Tokio runtime; the future is then dropped.
    pub fn spawn(
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<Self, TryCurrentError> {
        let runtime = Handle::try_current()?;
        let (end, ended) = oneshot::channel();
        let (running, is_watched) = (Running::new(), is_watched());
        let task = async move {
            let _running = running;
            let how = if is_watched {
                match watched_future(future).await {
                    Ok(done) => Ended::Done(done),
                    Err(panicked) => Ended::Panicked(panicked),
                }
            } else {
                match caught(future).await {
                    Ok(done) => Ended::Done(done),
                    Err(panic) => Ended::Unwound(panic),
                }
            };
            if let Err(Ended::Panicked(panicked)) = end.send(how) {
                panicked.record();
            }
        };
        runtime.spawn(task.with_audit_context().in_current_span());
        Ok(Self(ended))
    }
}

/// Runs work on the database as a task, so that it ends even if this future is dropped, and waits for it. Outside of a
/// Tokio runtime the caller runs it.
///
/// # Errors
/// Returns what the work does, or this text if the runtime stopped the task.
pub(crate) async fn completed<T: Send + 'static>(
    future: impl Future<Output = Result<T, DbErr>> + Send + 'static,
    stopped: &'static str,
) -> Result<T, DbErr> {
    if Handle::try_current().is_err() {
        return future.await;
    }
    let done = match Task::spawn(future) {
        Ok(task) => task.await,
        Err(_) => None,
    };
    done.unwrap_or_else(|| Err(DbErr::Custom(stopped.to_owned())))
}

/// Runs a record as a task, and waits for it. A record whose runtime ends is not written.
///
/// # Errors
/// Returns what the record does, or that it was stopped.
pub async fn recorded<T, E>(
    future: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<AuditError> + Send + 'static,
{
    let done = match Task::spawn(future) {
        Ok(task) => task.await,
        Err(_) => None,
    };
    done.unwrap_or_else(|| Err(stopped().into()))
}

/// The error of a record whose task was stopped with its runtime.
#[must_use]
pub const fn stopped() -> AuditError {
    AuditError::NotRecorded {
        state: ChangeState::NoChange,
        cause: Cause::Dropped,
    }
}

impl<T: Send + 'static> Future for Task<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|ended| match ended {
                Ok(Ended::Done(done)) => Some(done),
                Ok(Ended::Panicked(panicked)) => panicked.go_on(),
                Ok(Ended::Unwound(panic)) => resume_unwind(panic),
                Err(_) => None,
            })
    }
}

impl<T: Send + 'static> fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Drop for Task<T> {
    fn drop(&mut self) {
        // From here on the task sees that no caller waits.
        self.0.close();
        if let Ok(Ended::Panicked(panicked)) = self.0.try_recv() {
            panicked.record();
        }
    }
}

/// Does the work of a future, and returns its panic instead of panicking.
async fn caught<F: Future>(future: F) -> std::thread::Result<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn running_task_is_awaited_and_continues_alone() -> Result<(), TryCurrentError> {
        let (go, done) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..2 {
            let (go, done) = (Arc::clone(&go), Arc::clone(&done));
            drop(Task::spawn(async move {
                if let Ok(permit) = go.acquire().await {
                    permit.forget();
                    done.fetch_add(1, SeqCst);
                }
            })?);
        }
        let mut finished = std::pin::pin!(finish_recording());
        for _ in 0..2 {
            tokio::select! {
                biased;
                () = &mut finished => unreachable!("two tasks wait, and then one"),
                () = async {} => {}
            }
            go.add_permits(1);
        }
        finished.await;
        assert_eq!(done.load(SeqCst), 2);
        Ok(())
    }

    #[tokio::test]
    async fn panic_is_returned_to_the_waiting_caller() -> Result<(), TryCurrentError> {
        let task = Task::spawn(async { panic!("in the task") })?;
        let caught: std::thread::Result<Option<()>> = caught(task).await;
        let message = caught
            .err()
            .and_then(|it| it.downcast_ref::<&str>().copied());
        assert_eq!(message, Some("in the task"));

        let place = std::panic::Location::caller().file();
        let watched = watched_future(async {
            let task = Task::spawn(async { panic!("under watch") });
            task.ok()?.await
        });
        let panicked: Option<Box<Panicked>> = watched.await.map(|_: Option<()>| ()).err();
        let seen = panicked.map(|it| (it.message.clone(), it.file.clone()));
        assert_eq!(
            seen,
            Some(("under watch".to_owned(), Some(place.to_owned())))
        );
        Ok(())
    }
}
