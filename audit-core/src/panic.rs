//! Panics in handlers and tasks: where they happened, and the backtrace.
//!
//! A caller that catches a panic receives its message only. The panic hook knows place and backtrace, since it runs
//! before the stack is unwound; so a hook that chains to the one before it stores them for the future that is polled on
//! this thread. What is stored when the future continues was caught inside of it.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::panic::{
    AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook,
};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;

use crate::context::{AuditContext, AuditScope};
use crate::system_event::{EventType, SystemEvent, submit_installed};

/// The details of a panic.
#[derive(Debug, Clone, Default)]
pub struct Panicked {
    pub(crate) message: String,
    pub(crate) file: Option<String>,
    line: Option<u32>,
    backtrace: Option<String>,
    /// Where it happened, for a later report.
    scope: Option<AuditScope>,
}

/// This many panics are stored for one poll: the first ones, and the last.
const MOST_KEPT: usize = 16;

/// Whether panics are recorded that this module does not catch.
static RECORDS_ALL: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Where the innermost watched function has its part of [`KEPT`]. `None` where no caller waits for a panic.
    static WATCHED: Cell<Option<usize>> = const { Cell::new(None) };
    static KEPT: RefCell<Vec<Panicked>> = const { RefCell::new(Vec::new()) };
}

impl Panicked {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        Self {
            message: message(info.payload()),
            file: info.location().map(|at| at.file().to_owned()),
            line: info.location().map(std::panic::Location::line),
            backtrace: Some(Backtrace::force_capture().to_string()),
            // Without a look at the context: it may be locked just now.
            scope: Some(AuditContext::new().into_scope()),
        }
    }

    /// The system event that reports it.
    pub fn event(self, title: &str) -> SystemEvent {
        let place = format!("{:?}:{:?}", self.file, self.line);
        let mut event = SystemEvent::new(EventType::Error, title)
            .fingerprint(format!("panic\n{place}"))
            .error_code("PANIC")
            .description(self.message);
        if let Some(file) = self.file {
            event = event.module(file);
        }
        if let Some(line) = self.line {
            event = event.line(line);
        }
        match self.backtrace {
            Some(trace) => event.stack_trace(trace),
            None => event,
        }
    }
}

impl Panicked {
    /// Resumes the panic in the caller that waited.
    pub fn go_on(self) -> ! {
        let message = self.message.clone();
        if WATCHED.get().is_some() {
            keep(self);
        } else {
            // No caller there reports it.
            self.record();
        }
        resume_unwind(Box::new(message));
    }

    /// Submits a panic that no caller reports to the installed writer.
    pub(crate) fn record(mut self) {
        let scope = self.scope.take();
        let submit = || submit_installed(self.event("a panic"));
        match scope {
            Some(scope) => scope.run(submit),
            None => submit(),
        }
    }
}

/// Whether a caller here waits for a panic.
pub(crate) fn is_watched() -> bool {
    WATCHED.get().is_some()
}

/// Stores a panic for the innermost watched function.
fn keep(panicked: Panicked) {
    if let Some(from) = WATCHED.get() {
        KEPT.with_borrow_mut(|kept| {
            kept.truncate(from + MOST_KEPT - 1);
            kept.push(panicked);
        });
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or(payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
        .to_owned()
}

/// Installs the hook that stores the panics of watched functions, in front of the present one.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if is_watched() {
                keep(Panicked::of(info));
            }
            before(info);
        }));
    });
}

/// Does work, and returns the details of its panic instead of panicking. Panics that were caught inside of it are
/// recorded, where all are.
pub fn watched(work: &mut dyn FnMut()) -> Result<(), Box<Panicked>> {
    keep_panics();
    let from = KEPT.with_borrow(Vec::len);
    let outer = WATCHED.replace(Some(from));
    let result = catch_unwind(AssertUnwindSafe(work));
    WATCHED.set(outer);
    match result {
        Ok(()) if KEPT.with_borrow(Vec::len) == from => Ok(()),
        result => result_of_panics(result, KEPT.with_borrow_mut(|kept| kept.split_off(from))),
    }
}

/// Does the work of a future under watch.
pub async fn watched_future<F: Future>(future: F) -> Result<F::Output, Box<Panicked>> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(move |context| {
        let mut polled = Poll::Pending;
        watched(&mut || polled = future.as_mut().poll(context))?;
        polled.map(Ok)
    })
    .await
}

/// There were panics: that which ended the function, or such as it caught.
#[cold]
fn result_of_panics(
    result: std::thread::Result<()>,
    mut kept: Vec<Panicked>,
) -> Result<(), Box<Panicked>> {
    let result = result.map_err(|payload| {
        let message = message(payload.as_ref());
        let ours = kept.iter().rposition(|kept| kept.message == message);
        Box::new(match ours {
            Some(place) => kept.remove(place),
            // Another hook has replaced this module's hook.
            None => Panicked {
                message,
                ..Panicked::default()
            },
        })
    });
    if RECORDS_ALL.load(Relaxed) {
        kept.into_iter().for_each(Panicked::record);
    }
    result
}

/// Records every panic of the process as a system event, with its backtrace, through the installed
/// [`EventWriter`](crate::EventWriter); the previous hook is called as well.
///
/// The web crate's `AuditLayer` records the panics that it catches; they are not recorded a second time. Those that are
/// caught inside of it, by tower-http's `CatchPanicLayer` or by `catch_unwind`, are recorded as any other. Further
/// calls do nothing.
///
/// The configuration's clock sets the time of the event: an application's clock must not panic, since a panic while
/// another panic is reported ends the process.
pub fn record_panics() {
    if RECORDS_ALL.swap(true, Relaxed) {
        return;
    }
    let before = take_hook();
    set_hook(Box::new(move |info| {
        if !is_watched() {
            Panicked::of(info).record();
        }
        before(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics this many times, and catches each.
    fn cope(times: usize) {
        for number in 0..times {
            let caught = catch_unwind(|| panic!("caught {number}"));
            assert!(caught.is_err());
        }
    }

    #[test]
    fn every_level_finds_its_own_panic_whatever_was_caught_around_it() {
        let outer = watched(&mut || {
            cope(2 * MOST_KEPT);
            let inner = watched(&mut || {
                cope(2 * MOST_KEPT);
                panic!("inner");
            });
            let place = inner.err().map(|it| (it.message, it.line.is_some()));
            assert_eq!(place, Some(("inner".to_owned(), true)));
            let mut done = 0;
            let quiet = watched(&mut || done += 1);
            assert_eq!((quiet.is_ok(), done), (true, 1));
            KEPT.with_borrow(|kept| assert_eq!(kept.len(), MOST_KEPT));
            panic!("outer");
        });
        let place = outer.err().map(|it| (it.message, it.line.is_some()));
        assert_eq!(place, Some(("outer".to_owned(), true)));
        assert!(KEPT.with_borrow(Vec::is_empty) && WATCHED.get().is_none());
    }
}
