//! The scope that holds context, configuration and migration mode.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};

use super::AuditContext;
use crate::config::AuditConfig;
use crate::suppression::Suppression;

tokio::task_local! {
    static CURRENT: Arc<Scope>;
}

/// One level of nesting. What an inner level does not state it has from the outer one.
#[derive(Default)]
pub(crate) struct Scope {
    /// Zero until the first read. The counter is global, and few scopes need a distinct id.
    id: AtomicU64,
    /// `None` where the level sets none, so that an actor that is set late goes to the level that does.
    context: Option<Mutex<AuditContext>>,
    outer: Option<Arc<Scope>>,
    config: Option<AuditConfig>,
    suppression: Option<Arc<Suppression>>,
    /// Called with the id when the scope ends, once something is kept under it.
    ends: OnceLock<fn(u64)>,
}

impl Scope {
    /// A scope inside the one that applies here.
    fn here(state: impl FnOnce(&mut Self)) -> Arc<Self> {
        let mut scope = Self::default();
        if let Some(outer) = current_scope() {
            scope.put_inside(outer);
        }
        state(&mut scope);
        Arc::new(scope)
    }

    fn put_inside(&mut self, outer: Arc<Self>) {
        self.config.clone_from(&outer.config);
        self.suppression.clone_from(&outer.suppression);
        // A level that sets no context adds nothing: a task that starts further tasks would otherwise build an endless
        // chain.
        self.outer = if outer.context.is_some() {
            Some(outer)
        } else {
            outer.outer.clone()
        };
    }

    pub(crate) fn id(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = self.id.load(Relaxed);
        if id != 0 {
            return id;
        }
        let new = NEXT.fetch_add(1, Relaxed);
        let exchanged = self.id.compare_exchange(0, new, Relaxed, Relaxed);
        exchanged.map_or_else(|another| another, |_| new)
    }

    /// Returns the id, for data that is kept under it; `ends` is called with it when the scope ends.
    pub(crate) fn id_until(&self, ends: fn(u64)) -> u64 {
        self.ends.get_or_init(|| ends);
        self.id()
    }

    #[cfg(test)]
    pub(crate) fn for_test() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn merged(&self) -> AuditContext {
        let own = match &self.context {
            Some(own) => lock(own).clone(),
            None => AuditContext::default(),
        };
        match &self.outer {
            Some(outer) => own.or(&outer.merged()),
            None => own,
        }
    }

    /// The first that a level has, from here outwards.
    pub(super) fn first<T>(&self, of: &impl Fn(&AuditContext) -> Option<T>) -> Option<T> {
        let own = self.context.as_ref().and_then(|own| of(&lock(own)));
        own.or_else(|| self.outer.as_ref()?.first(of))
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut AuditContext)) -> bool {
        match (&self.context, &self.outer) {
            (Some(own), _) => {
                change(&mut lock(own));
                true
            }
            (None, Some(outer)) => outer.update(change),
            (None, None) => false,
        }
    }
}

fn lock(own: &Mutex<AuditContext>) -> MutexGuard<'_, AuditContext> {
    own.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(ends) = self.ends.get() {
            ends(self.id());
        }
    }
}

/// The current scope. `None` outside of all scopes, and on a thread that ends and has dropped its scope.
pub(crate) fn current_scope() -> Option<Arc<Scope>> {
    CURRENT.try_with(Arc::clone).ok()
}

pub(crate) fn scoped_config() -> Option<AuditConfig> {
    let config = CURRENT.try_with(|scope| scope.config.clone());
    config.ok().flatten()
}

pub(crate) fn current_suppression() -> Option<Arc<Suppression>> {
    let suppression = CURRENT.try_with(|scope| scope.suppression.clone());
    suppression.ok().flatten()
}

/// Runs a future in its own scope.
///
/// The outer scope is looked up when the future is first polled: in `outer.scope(inner.scope(f))` the inner scope is
/// created first.
async fn inside<F: Future>(state: impl FnOnce(&mut Scope), future: F) -> F::Output {
    CURRENT.scope(Scope::here(state), future).await
}

/// A context's scope that can be left and entered again: for what a future returned and another caller continues, such
/// as a response body.
///
/// Cheap to clone; all clones share one scope. An actor that is set late applies to all of them.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{Actor, AuditContext};
/// let scope = AuditContext::new().actor(Actor::user(7)).into_scope();
/// scope.run(|| assert_eq!(AuditContext::current().get_actor().id(), Some("7")));
/// ```
#[derive(Clone)]
pub struct AuditScope(Arc<Scope>);

impl AuditScope {
    pub(super) fn new(context: AuditContext) -> Self {
        Self(Scope::here(|scope| {
            scope.context = Some(Mutex::new(context));
        }))
    }

    /// The current scope, with its configuration and migration mode; `None` where no level sets a context, so that an
    /// actor that is set late would be lost.
    ///
    /// # Examples
    /// ```
    /// use sea_orm_audit_core::{AuditContext, AuditScope};
    /// assert!(AuditScope::current().is_none());
    /// let scope = AuditContext::new().into_scope();
    /// assert!(scope.run(AuditScope::current).is_some());
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        let scope = current_scope()?;
        // The outer scope of one that states none does, if there is one.
        (scope.context.is_some() || scope.outer.is_some()).then_some(Self(scope))
    }

    /// Runs a function inside.
    ///
    /// # Panics
    /// Panics where the thread ends, and destroys what is local to it, as all of tokio's task-locals do.
    pub fn run<R>(&self, function: impl FnOnce() -> R) -> R {
        CURRENT.sync_scope(Arc::clone(&self.0), function)
    }

    /// Runs a future inside. What it still holds when it is dropped is dropped inside, too.
    pub fn enter<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        CURRENT.scope(Arc::clone(&self.0), future)
    }

    /// Runs inside what drops or ends something; outside, where the thread ends.
    #[doc(hidden)]
    pub fn run_at_end(&self, drops: impl FnOnce()) {
        // As tokio drops a future that was not polled to its end.
        drop(self.enter(OnDrop(Some(drops))));
    }

    /// The context as it is now, outer scopes merged in.
    pub fn context(&self) -> AuditContext {
        self.0.merged()
    }
}

/// Calls a function when it is dropped.
struct OnDrop<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Future for OnDrop<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl<F: FnOnce()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        if let Some(function) = self.0.take() {
            function();
        }
    }
}

impl std::fmt::Debug for AuditScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AuditScope").field(&self.context()).finish()
    }
}

pub(super) fn with_context<F: Future>(
    context: AuditContext,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    inside(|scope| scope.context = Some(Mutex::new(context)), future)
}

pub(super) fn with_config<F: Future>(
    config: AuditConfig,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    inside(|scope| scope.config = Some(config), future)
}

/// The suppression begins when the future is first polled.
pub(crate) fn with_suppression<F: Future>(
    begin: impl FnOnce() -> Arc<Suppression>,
    future: F,
) -> impl Future<Output = F::Output> {
    inside(|scope| scope.suppression = Some(begin()), future)
}

/// Takes the context along into a spawned task.
pub trait WithAuditContext: Future + Sized {
    /// Runs this future in the context, configuration and migration mode that apply where this is
    /// called.
    ///
    /// # Examples
    /// ```
    /// use sea_orm_audit_core::{Actor, AuditContext, WithAuditContext};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// AuditContext::new()
    ///     .actor(Actor::service("import"))
    ///     .scope(async {
    ///         tokio::spawn(
    ///             async {
    ///                 assert_eq!(AuditContext::current().get_actor().id(), Some("import"));
    ///             }
    ///             .with_audit_context(),
    ///         )
    ///         .await
    ///     })
    ///     .await
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn with_audit_context(self) -> impl Future<Output = Self::Output>;
}

impl<F: Future> WithAuditContext for F {
    fn with_audit_context(self) -> impl Future<Output = Self::Output> {
        CURRENT.scope(Scope::here(|_| ()), self)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Drops in a scope when its thread has ended, and nothing local to it is left.
    struct Late(AuditScope, Sender<bool>);

    impl Drop for Late {
        fn drop(&mut self) {
            let scope = self.0.clone();
            scope.run_at_end(|| assert!(self.1.send(AuditScope::current().is_none()).is_ok()));
        }
    }

    #[test]
    fn future_dropped_at_thread_end_is_outside_of_the_scope() {
        thread_local! {
            static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
        }
        let (sender, done) = channel();
        let scope = AuditContext::new().into_scope();
        let thread = std::thread::spawn(move || {
            // Made first, and so destroyed last.
            LATE.set(Some(Late(scope.clone(), sender)));
            scope.run(|| ());
        });
        assert!(thread.join().is_ok());
        assert_eq!(done.try_iter().collect::<Vec<_>>(), [true]);
    }
}
