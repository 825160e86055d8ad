//! Valid credentials whose login is recorded when the session is signed in.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::prelude::Json;
use sea_orm_audit_core::Actor;
use serde::Serialize;

tokio::task_local! {
    static PENDING: Pending;
}

/// The credentials that were found valid during one request. All clones share one list.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<Mutex<Vec<Success>>>);

struct Success {
    /// The user's id, as axum-login stores it in the session.
    id: Json,
    username: String,
    actor: Actor,
}

impl Pending {
    /// Runs a future whose successes are collected here.
    pub(super) async fn gather<F: Future>(&self, future: F) -> F::Output {
        PENDING.scope(self.clone(), future).await
    }

    /// The name and the actor of this user's last success.
    pub(super) fn of(&self, id: &Json) -> Option<(String, Actor)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let success = kept.iter().rev().find(|success| success.id == *id)?;
        Some((success.username.clone(), success.actor.clone()))
    }
}

/// Stores a success for the outer layer; `false` without a layer that would record it.
pub(super) fn keep(id: impl Serialize, username: String, actor: Actor) -> bool {
    let Ok(id) = serde_json::to_value(id) else {
        return false;
    };
    let success = Success {
        id,
        username,
        actor,
    };
    let kept = PENDING.try_with(|pending| {
        let mut kept = pending.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(success);
    });
    kept.is_ok()
}
