//! Panics in handlers: where they happened, and the backtrace.
//!
//! Whoever catches a panic is told its message only. Place and backtrace are known to the panic hook, which
//! runs before the stack is unwound; so a hook that chains to the one before it keeps them for the future
//! that is polled on this thread.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use sea_orm_audit_core::{EventType, EventWriter, SystemEvent};

/// What is known of a panic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Panicked {
    pub(crate) message: String,
    file: Option<String>,
    line: Option<u32>,
    backtrace: Option<String>,
}

enum Watch {
    /// Nobody waits for a panic.
    Off,
    On(Option<Panicked>),
}

thread_local! {
    static WATCH: RefCell<Watch> = const { RefCell::new(Watch::Off) };
}

impl Panicked {
    fn of(info: &PanicHookInfo<'_>) -> Self {
        Self {
            message: message(info.payload()),
            file: info.location().map(|at| at.file().to_owned()),
            line: info.location().map(std::panic::Location::line),
            backtrace: Some(Backtrace::force_capture().to_string()),
        }
    }

    /// The system event that tells of it.
    pub(crate) fn event(self, title: &str) -> SystemEvent {
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

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or(payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
        .to_owned()
}

/// Puts the hook that keeps what a watched function panicked of in front of the one that is there.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            WATCH.with_borrow_mut(|watch| {
                if let Watch::On(panicked) = watch {
                    *panicked = Some(Panicked::of(info));
                }
            });
            before(info);
        }));
    });
}

/// Runs a function, and returns what is known of its panic instead of panicking.
pub(crate) fn watched<R>(function: impl FnOnce() -> R) -> Result<R, Panicked> {
    keep_panics();
    let outer = WATCH.replace(Watch::On(None));
    let result = catch_unwind(AssertUnwindSafe(function));
    let kept = WATCH.replace(outer);
    result.map_err(|payload| match kept {
        Watch::On(Some(panicked)) => panicked,
        // Somebody else's hook has taken our place.
        _ => Panicked {
            message: message(payload.as_ref()),
            ..Panicked::default()
        },
    })
}

/// Records every panic of the process as a system event, with its backtrace, through the installed
/// [`EventWriter`]; the hook that was there before is called as well.
///
/// Panics that the [`AuditLayer`](crate::AuditLayer) catches are recorded by it, and not a second time.
pub fn record_panics() {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        let watched = WATCH.with_borrow(|watch| matches!(watch, Watch::On(_)));
        if !watched && let Some(writer) = EventWriter::installed() {
            // A panic while panicking would abort the process.
            let submitted = catch_unwind(AssertUnwindSafe(|| {
                writer.submit(Panicked::of(info).event("a panic"))
            }));
            drop(submitted);
        }
        before(info);
    }));
}
