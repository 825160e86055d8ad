//! Records views of objects.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::Extensions;
use sea_orm::{ConnectionTrait, ModelTrait};
use sea_orm_audit_core::panic::{Panicked, watched_future};
use sea_orm_audit_core::{Action, AuditContext, AuditError, AuditEvent, Auditable, task};

/// A response that shows an object: its JSON, and a `VIEW` in the log (feature `axum`).
///
/// Needs [`AuditLayer::views`](crate::AuditLayer::views). The view is recorded before the response is sent; if it
/// cannot be recorded, the response is replaced by 500. Without a layer, or without its `views`, the response is
/// sent, and a warning is logged.
///
/// # Examples
/// ```
/// # use sea_orm::entity::prelude::*;
/// # mod patient {
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, serde::Serialize)]
/// #     #[sea_orm(table_name = "patient")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i32 }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// use sea_orm_audit_web::Viewed;
/// # fn show<M>(patient: M) -> Viewed<M> {
/// Viewed(patient)
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewed<M>(pub M);

/// Marks a response as one that shows an object; for responses that are not JSON, or not axum's.
///
/// `extensions` are the response's. See [`Viewed`] for the effect.
pub fn mark_viewed<M>(extensions: &mut Extensions, model: &M)
where
    M: ModelTrait,
    M::Entity: Auditable,
{
    let view = View {
        model: <M::Entity as Auditable>::info().model().to_owned(),
        event: AuditEvent::new(Action::View).target(model),
    };
    if AuditContext::current().get_request_id().is_none() {
        tracing::warn!("a view is not recorded: put `AuditLayer` around what answers with it");
    }
    let Pending(mut views) = extensions.remove().unwrap_or_default();
    views.push(view);
    extensions.insert(Pending(views));
}

#[cfg(feature = "axum")]
impl<M> axum::response::IntoResponse for Viewed<M>
where
    M: ModelTrait + serde::Serialize,
    M::Entity: Auditable,
{
    fn into_response(self) -> axum::response::Response {
        let mut response = axum::Json(&self.0).into_response();
        mark_viewed(response.extensions_mut(), &self.0);
        response
    }
}

#[derive(Clone)]
struct View {
    model: String,
    event: AuditEvent,
}

/// The views of a response, to be recorded.
#[derive(Clone, Default)]
pub(crate) struct Pending(Vec<View>);

/// The selection of views to record, and their connection.
///
/// # Examples
/// ```
/// use sea_orm_audit_web::{AuditLayer, Views};
/// # fn build(db: sea_orm::DatabaseConnection) -> AuditLayer {
/// AuditLayer::new().views(Views::new(db).skip("category").one_in("product", 100))
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is recorded until it is given to a layer"]
pub struct Views<C> {
    db: C,
    skip: HashSet<String>,
    one_in: HashMap<String, (u64, AtomicU64)>,
}

impl<C: ConnectionTrait + Clone + Send + Sync + 'static> Views<C> {
    /// Records every view, through this connection.
    pub fn new(db: C) -> Self {
        Self {
            db,
            skip: HashSet::new(),
            one_in: HashMap::new(),
        }
    }

    /// Records no view of the model with this name.
    pub fn skip(mut self, model: impl Into<String>) -> Self {
        self.skip.insert(model.into());
        self
    }

    /// Records the first of every `n` views of the model with this name, in this process. The record's metadata
    /// contains `n` (`one_in`).
    pub fn one_in(mut self, model: impl Into<String>, n: u32) -> Self {
        let n = u64::from(n.max(1));
        self.one_in.insert(model.into(), (n, AtomicU64::new(0)));
        self
    }

    pub(crate) fn erased(self) -> ErasedViews {
        ErasedViews(Arc::new(self))
    }

    /// The record of a view, unless it is excluded.
    fn chosen(&self, view: View) -> Option<AuditEvent> {
        if self.skip.contains(&view.model) {
            return None;
        }
        match self.one_in.get(&view.model) {
            Some((n, seen)) => {
                (seen.fetch_add(1, Relaxed) % n == 0).then(|| view.event.metadata("one_in", *n))
            }
            None => Some(view.event),
        }
    }
}

pub(crate) type Recording = Pin<Box<dyn Future<Output = Recorded> + Send>>;
type Recorded = Result<Result<(), AuditError>, Box<Panicked>>;

trait RecordViews: Send + Sync {
    fn record(self: Arc<Self>, pending: Pending) -> Option<Recording>;
}

impl<C: ConnectionTrait + Clone + Send + Sync + 'static> RecordViews for Views<C> {
    fn record(self: Arc<Self>, Pending(views): Pending) -> Option<Recording> {
        let events: Vec<_> = (views.into_iter())
            .filter_map(|view| self.chosen(view))
            .filter(|event| !event.is_skipped_by(&self.db))
            .collect();
        if events.is_empty() {
            return None;
        }
        let recorded = async move {
            for event in events {
                event.record(&self.db).await?;
            }
            Ok(())
        };
        // In a separate task, started within the request's context: if the client disconnects, all views are
        // recorded, and on MySQL and MariaDB no connection of the pool is lost.
        Some(Box::pin(watched_future(task::recorded(recorded))))
    }
}

/// [`Views`] without the type of their connection.
#[derive(Clone)]
pub(crate) struct ErasedViews(Arc<dyn RecordViews>);

impl ErasedViews {
    pub(crate) fn record(&self, pending: Pending) -> Option<Recording> {
        Arc::clone(&self.0).record(pending)
    }
}
