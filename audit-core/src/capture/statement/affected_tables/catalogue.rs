//! What is known of the catalogue, for all clones of a connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::{DatabaseConnection, DbErr};

use super::ServerInfo;
use super::table_links::Links;
use crate::record::is_contention;

/// How long a result is kept: other clients may change the schema.
const KEPT: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(in crate::capture::statement) struct Catalogue {
    state: Mutex<State>,
    /// One query at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    links: Option<Arc<Links>>,
    /// When it was queried; `None` once the schema may have changed.
    fetched: Option<Instant>,
    /// How often the schema may have changed.
    changes: u64,
}

impl Catalogue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn links(&self) -> Option<Arc<Links>> {
        self.state().links.clone()
    }

    fn is_recent(&self) -> bool {
        (self.state().fetched).is_some_and(|fetched| fetched.elapsed() < KEPT)
    }
}

impl ServerInfo {
    /// Queries the catalogue, unless that was done recently. It must not be called while the task is in a
    /// transaction: it takes a connection from the pool.
    ///
    /// # Errors
    /// Returns a database error that the statement would have got, too: a lock, a lost connection. Any other error is
    /// logged, and the previous result is kept.
    pub(crate) async fn fetch_catalogue(&self, db: &DatabaseConnection) -> Result<(), DbErr> {
        if self.catalogue.is_recent() {
            return Ok(());
        }
        let _asking = match self.catalogue.asking.try_lock() {
            Ok(asking) => asking,
            // The previous result is valid until the other task is done.
            Err(_) if self.catalogue.links().is_some() => return Ok(()),
            Err(_) => self.catalogue.asking.lock().await,
        };
        if self.catalogue.is_recent() {
            return Ok(());
        }
        let changes = self.catalogue.state().changes;
        let fetched = Links::fetch(db).await;
        let mut state = self.catalogue.state();
        match fetched {
            Ok(links) => state.links = Some(Arc::new(links)),
            Err(error) if is_contention(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(
                    %error,
                    "the catalogue could not be asked which tables change along with others: writes to audited tables \
                     by way of other ones may go unreported"
                );
                state.links.get_or_insert_default();
            }
        }
        if state.changes == changes {
            state.fetched = Some(Instant::now());
        }
        Ok(())
    }

    /// The schema may have changed.
    pub(crate) fn forget_catalogue(&self) {
        let mut state = self.catalogue.state();
        state.changes += 1;
        state.fetched = None;
    }
}
