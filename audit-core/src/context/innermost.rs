//! Where the scope is kept that applies to what runs on this thread just now.
//!
//! As tokio's task-locals, but for one thing: a scope that is entered is moved in, and moved back out. A request enters
//! its own a handful of times, and counting references each time was a tenth of all that the web layer costs.

use std::cell::RefCell;
use std::mem::swap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::scope::Scope;

/// A place for a scope. While that is entered, the one that it took the place of is here.
pub(super) type Slot = Option<Arc<Scope>>;

thread_local! {
    static INNERMOST: RefCell<Slot> = const { RefCell::new(None) };
}

/// Looks at the innermost scope. `None` outside of all, and where a thread that ends has given it up already.
#[inline]
pub(super) fn innermost<R>(look: impl FnOnce(&Arc<Scope>) -> R) -> Option<R> {
    let looked = INNERMOST.try_with(|innermost| innermost.borrow().as_ref().map(look));
    looked.ok().flatten()
}

/// Runs a function inside of a scope, which is back when it is done or has panicked.
#[inline]
pub(super) fn within<R>(scope: &mut Slot, function: impl FnOnce() -> R) -> R {
    let _inside = Inside::of(scope);
    function()
}

/// Holds the outer scope, for as long as the inner one is where the outer one was.
struct Inside<'s>(&'s mut Slot);

impl<'s> Inside<'s> {
    #[inline]
    fn of(scope: &'s mut Slot) -> Self {
        exchange(scope);
        Self(scope)
    }
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        exchange(self.0);
    }
}

#[inline]
fn exchange(scope: &mut Slot) {
    let exchanged = INNERMOST.try_with(|innermost| swap(&mut *innermost.borrow_mut(), scope));
    // A thread that ends has no scope any more, neither before nor after.
    exchanged.unwrap_or_default();
}

pin_project! {
    /// A future inside of a scope.
    pub(super) struct Within<F> {
        // None when it was dropped.
        #[pin]
        future: Option<F>,
        scope: Slot,
    }

    impl<F> PinnedDrop for Within<F> {
        /// What ends with a future, one that is not waited for to its end, too, ends inside.
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            within(this.scope, || this.future.set(None));
        }
    }
}

impl<F> Within<F> {
    pub(super) const fn new(scope: Arc<Scope>, future: F) -> Self {
        Self {
            future: Some(future),
            scope: Some(scope),
        }
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        within(this.scope, || match this.future.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::{Sender, channel};
    use std::task::Waker;

    use super::*;

    fn is_innermost(scope: &Arc<Scope>) -> bool {
        innermost(|here| Arc::ptr_eq(here, scope)).unwrap_or(false)
    }

    #[test]
    fn a_scope_comes_back_from_what_runs_in_it_though_that_panics() {
        let (outer, inner) = (Scope::for_test(), Scope::for_test());
        let mut slots = [&outer, &inner].map(|scope| Some(Arc::clone(scope)));
        let [out, inn] = &mut slots;
        within(out, || {
            for _ in 0..2 {
                within(inn, || assert!(is_innermost(&inner)));
                let caught = catch_unwind(AssertUnwindSafe(|| within(inn, || panic!("in here"))));
                assert!(caught.is_err() && is_innermost(&outer));
            }
        });
        assert!(innermost(|_| ()).is_none());
        for (slot, scope) in slots.iter().zip([&outer, &inner]) {
            assert!(slot.as_ref().is_some_and(|slot| Arc::ptr_eq(slot, scope)));
            assert_eq!(Arc::strong_count(scope), 2);
        }
    }

    /// Tells where it is dropped.
    struct Told<'s>(&'s Arc<Scope>, Sender<bool>);

    impl Drop for Told<'_> {
        fn drop(&mut self) {
            assert!(self.1.send(is_innermost(self.0)).is_ok());
        }
    }

    #[test]
    fn what_a_future_holds_is_dropped_inside_whenever_that_is() {
        let scope = Scope::for_test();
        let (sender, drops) = channel();
        let told = || Told(&scope, sender.clone());
        let wait = |told| async move {
            let _told = told;
            pending::<()>().await;
        };
        // Never polled, polled and given up, polled to the end.
        drop(Within::new(Arc::clone(&scope), wait(told())));
        let mut context = Context::from_waker(Waker::noop());
        let mut waits = Box::pin(Within::new(Arc::clone(&scope), wait(told())));
        assert!(waits.as_mut().poll(&mut context).is_pending());
        drop(waits);
        let told = told();
        let mut ends = Box::pin(Within::new(Arc::clone(&scope), async { drop(told) }));
        assert!(ends.as_mut().poll(&mut context).is_ready());
        assert_eq!(drops.try_iter().collect::<Vec<_>>(), [true; 3]);
    }

    /// Enters a scope when its thread has ended, and nothing local to it is left.
    struct Late(Sender<bool>);

    impl Drop for Late {
        fn drop(&mut self) {
            let done = within(&mut Some(Scope::for_test()), || innermost(|_| ()).is_none());
            assert!(self.0.send(done).is_ok());
        }
    }

    #[test]
    fn a_thread_that_ends_runs_without_a_scope() {
        thread_local! {
            static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
        }
        let (sender, done) = channel();
        let thread = std::thread::spawn(move || {
            // Made first, and so destroyed last.
            LATE.set(Some(Late(sender)));
            within(&mut Some(Scope::for_test()), || ());
        });
        assert!(thread.join().is_ok());
        assert_eq!(done.try_iter().collect::<Vec<_>>(), [true]);
    }
}
