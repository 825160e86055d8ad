//! The scope that holds context, configuration and migration mode.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::AuditContext;
use super::innermost::{Slot, Within, innermost, within};
use super::suppression::Suppression;
use crate::actor::Actor;
use crate::capture;
use crate::config::AuditConfig;

/// One level of nesting. What an inner level does not state it has from the outer one.
pub(crate) struct Scope<M: ?Sized = dyn MakeContext> {
    /// Zero until somebody asks. The counter is everybody's, and few scopes need to be told apart.
    id: AtomicU64,
    context: Stated,
    outer: Option<Arc<Scope>>,
    config: Option<AuditConfig>,
    suppression: Option<Arc<Suppression>>,
    /// An image was kept for an operation in here. The store is everybody's, and not asked without need.
    has_images: AtomicBool,
    /// In here, and not elsewhere with a pointer to it: a request's scope is one allocation.
    maker: M,
}

/// Makes the context of a scope when somebody first asks for it.
pub trait MakeContext: Any + Send + Sync {
    /// Makes it. Runs once at most, wherever that is: what it needs of its surroundings it has with it, and
    /// it asks for no context itself, and does not panic: the scope is locked meanwhile.
    fn make_context(&self) -> AuditContext;
}

/// Makes nothing: of levels that state their context, or none.
#[derive(Default)]
struct Nobody;

impl MakeContext for Nobody {
    fn make_context(&self) -> AuditContext {
        AuditContext::new()
    }
}

/// The context that a level states.
#[derive(Default)]
enum Stated {
    /// None, so that a late actor goes to the level that does.
    #[default]
    Nothing,
    Context(Mutex<OwnContext>),
}

/// `None` until somebody asks the maker's.
type OwnContext = Option<Box<AuditContext>>;

impl Stated {
    fn context(context: AuditContext) -> Self {
        Self::Context(Mutex::new(Some(Box::new(context))))
    }
}

/// A scope that makes no context.
type Plain = Scope<Nobody>;

impl<M: Default> Default for Scope<M> {
    #[inline]
    fn default() -> Self {
        Self {
            id: AtomicU64::new(0),
            context: Stated::Nothing,
            outer: None,
            config: None,
            suppression: None,
            has_images: AtomicBool::new(false),
            maker: M::default(),
        }
    }
}

impl<M: Default> Scope<M> {
    /// A scope inside the one that applies here, put together where it stays: a request's is large, and what was just
    /// written is slow to move.
    #[inline]
    fn here(state: impl FnOnce(&mut Self)) -> Arc<Self> {
        let mut scope = Arc::<Self>::default();
        // Nobody else has it yet.
        if let Some(scope) = Arc::get_mut(&mut scope) {
            if let Some(outer) = current_scope() {
                scope.put_inside(outer);
            }
            state(scope);
        }
        scope
    }

    fn put_inside(&mut self, outer: Arc<Scope>) {
        self.config.clone_from(&outer.config);
        self.suppression.clone_from(&outer.suppression);
        // A level that states no context has nothing to add: a task that goes on in tasks of its own
        // would else make a chain without end.
        self.outer = if outer.states_context() {
            Some(outer)
        } else {
            outer.outer.clone()
        };
    }
}

impl<M: ?Sized> Scope<M> {
    const fn states_context(&self) -> bool {
        matches!(self.context, Stated::Context(_))
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

    /// An image is kept for an operation in this scope. Returns its id.
    pub(crate) fn keeps_image(&self) -> u64 {
        self.has_images.store(true, Relaxed);
        self.id()
    }
}

impl Scope {
    #[cfg(test)]
    pub(crate) fn for_test() -> Arc<Self> {
        Arc::<Plain>::default()
    }

    pub(crate) fn merged(&self) -> AuditContext {
        let own = match &self.context {
            Stated::Context(own) => self.made(&mut lock(own)).clone(),
            Stated::Nothing => AuditContext::default(),
        };
        match &self.outer {
            Some(outer) => own.or(&outer.merged()),
            None => own,
        }
    }

    /// Looks at the maker of the innermost level here whose maker is of this kind.
    fn look_at_maker<M: MakeContext, R>(&self, look: impl FnOnce(&M) -> R) -> Option<R> {
        match (&self.maker as &dyn Any).downcast_ref() {
            Some(maker) => Some(look(maker)),
            None => self.outer.as_ref()?.look_at_maker(look),
        }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut AuditContext)) -> bool {
        match (&self.context, &self.outer) {
            (Stated::Context(own), _) => {
                change(self.made(&mut lock(own)));
                true
            }
            (Stated::Nothing, Some(outer)) => outer.update(change),
            (Stated::Nothing, None) => false,
        }
    }

    /// The context, made where it was not yet.
    fn made<'c>(&self, context: &'c mut OwnContext) -> &'c mut AuditContext {
        context.get_or_insert_with(|| Box::new(self.maker.make_context()))
    }
}

fn lock(own: &Mutex<OwnContext>) -> MutexGuard<'_, OwnContext> {
    own.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<M: ?Sized> Drop for Scope<M> {
    fn drop(&mut self) {
        // What still waits belongs to writes that failed or were dropped.
        if *self.has_images.get_mut() {
            capture::store().forget_scope(self.id());
        }
    }
}

pub(crate) fn current_scope() -> Option<Arc<Scope>> {
    innermost(Arc::clone)
}

pub(crate) fn scoped_config() -> Option<AuditConfig> {
    innermost(|scope| scope.config.clone()).flatten()
}

pub(crate) fn suppression() -> Option<Arc<Suppression>> {
    innermost(|scope| scope.suppression.clone()).flatten()
}

/// Runs a future in a new innermost scope.
///
/// What is outside is looked up when the future is first polled: in `outer.scope(inner.scope(f))`
/// the inner scope is made first.
async fn inside<F: Future>(state: impl FnOnce(&mut Plain), future: F) -> F::Output {
    Within::new(Plain::here(state), future).await
}

/// A context's scope that can be left and entered again: for what a future returned and somebody else
/// goes on with, such as the body of a response.
///
/// Cheap to clone; all clones are one scope, in which an actor that is set late is everybody's.
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
        Self(Plain::here(|scope| {
            scope.context = Stated::context(context);
        }))
    }

    /// A scope inside the one that applies here, whose context is made when somebody first asks for it: for
    /// what is entered often and asked for seldom, such as requests. `fill` says of what.
    ///
    /// # Examples
    /// ```
    /// use sea_orm_audit_core::{Actor, AuditContext, AuditScope, MakeContext};
    /// #[derive(Default)]
    /// struct Job(u32);
    /// impl MakeContext for Job {
    ///     fn make_context(&self) -> AuditContext {
    ///         AuditContext::new().actor(Actor::service(format!("job {}", self.0)))
    ///     }
    /// }
    /// let scope = AuditScope::when_asked(|job: &mut Job| job.0 = 7).scope();
    /// scope.run(|| assert_eq!(AuditContext::current().get_actor().id(), Some("job 7")));
    /// ```
    #[inline]
    pub fn when_asked<M: MakeContext + Default>(fill: impl FnOnce(&mut M)) -> LateScope<M> {
        LateScope(Scope::here(|scope: &mut Scope<M>| {
            scope.context = Stated::Context(Mutex::default());
            fill(&mut scope.maker);
        }))
    }

    /// The scope that applies here, with its configuration and migration mode; `None` where nothing states a context,
    /// so that a late actor would be lost.
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
        let innermost = current_scope()?;
        // What is outside of one that states none does, if there is something.
        (innermost.states_context() || innermost.outer.is_some()).then_some(Self(innermost))
    }

    /// Looks at what the context that applies here is made of, where the innermost such thing is one of this type.
    pub fn look_at_maker<M: MakeContext, R>(look: impl FnOnce(&M) -> R) -> Option<R> {
        // Not lent: the function may enter other scopes.
        current_scope()?.look_at_maker(look)
    }

    /// Runs a function inside.
    pub fn run<R>(&self, function: impl FnOnce() -> R) -> R {
        within(&mut Some(Arc::clone(&self.0)), function)
    }

    /// Runs a future inside.
    pub fn enter<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Within::new(Arc::clone(&self.0), future)
    }

    /// The context as it is now, outer scopes merged in.
    pub fn context(&self) -> AuditContext {
        self.0.merged()
    }
}

/// A scope in the hands of one owner, who enters it often: that takes less than [`AuditScope::run`].
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{Actor, AuditContext, HeldScope};
/// let mut scope = HeldScope::from(AuditContext::new().actor(Actor::user(7)).into_scope());
/// for _ in 0..2 {
///     scope.run(|| {
///         assert_eq!(AuditContext::current().get_actor().id(), Some("7"));
///         HeldScope::default().run(|| assert!(AuditContext::current().get_actor().id().is_some()));
///     });
/// }
/// ```
#[derive(Default)]
#[must_use = "a scope does nothing until something is run in it"]
pub struct HeldScope(Slot);

impl HeldScope {
    /// Runs a function inside; where there is no scope, in the one that applies here.
    #[inline]
    pub fn run<R>(&mut self, function: impl FnOnce() -> R) -> R {
        if self.0.is_none() {
            return function();
        }
        within(&mut self.0, function)
    }
}

impl From<AuditScope> for HeldScope {
    fn from(scope: AuditScope) -> Self {
        Self(Some(scope.0))
    }
}

/// A scope whose context is made when somebody asks, and what it is made of.
#[must_use = "a scope does nothing until something is run in it"]
pub struct LateScope<M>(Arc<Scope<M>>);

impl<M: MakeContext> LateScope<M> {
    /// What the context is made of.
    #[must_use]
    pub fn maker(&self) -> &M {
        &self.0.maker
    }

    /// Sets the actor if the context is made already: for what its maker was told after that.
    pub fn set_actor_if_made(&self, actor: Actor) {
        if let Stated::Context(own) = &self.0.context
            && let Some(context) = &mut *lock(own)
        {
            context.actor = Some(actor);
        }
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> AuditScope {
        AuditScope(Arc::clone(&self.0) as Arc<Scope>)
    }
}

impl<M> std::fmt::Debug for LateScope<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LateScope").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for HeldScope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HeldScope").finish_non_exhaustive()
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
    inside(|scope| scope.context = Stated::context(context), future)
}

pub(crate) fn with_config<F: Future>(
    config: AuditConfig,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    inside(|scope| scope.config = Some(config), future)
}

/// The suppression begins when the future is first polled.
pub(super) fn with_suppression<F: Future>(
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
        Within::new(Plain::here(|_| ()), self)
    }
}
