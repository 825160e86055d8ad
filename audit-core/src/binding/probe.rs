//! How a hook detects that it runs on an audited connection, which then does the capture.
//!
//! Hooks get some `C: ConnectionTrait`, perhaps a wrapper of an audited connection. The hook sets a request in a
//! thread-local slot and calls `get_database_backend`, which every wrapper forwards. An audited connection leaves its
//! answer in the slot.

use std::cell::Cell;
use std::sync::Arc;

use sea_orm::ConnectionTrait;
use sea_orm::prelude::Uuid;

use super::Binding;

/// What an audited connection reports about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbeResult {
    /// The id of its transaction, if it is one.
    pub(crate) transaction_id: Option<Uuid>,
}

#[derive(Clone, Copy)]
enum Slot {
    Idle,
    Asked,
    /// The binding is requested, too.
    AskedInFull,
    Answered(ProbeResult),
}

thread_local! {
    static SLOT: Cell<Slot> = const { Cell::new(Slot::Idle) };
    /// The second part of the answer, which costs more to produce.
    static BINDING: Cell<Option<Arc<Binding>>> = const { Cell::new(None) };
}

/// Asks a connection whether it is audited; `None` when it is not.
pub(crate) fn probe<C: ConnectionTrait>(db: &C) -> Option<ProbeResult> {
    ask(db, Slot::Asked)
}

/// Asks a connection for its binding.
pub(super) fn bound_to<C: ConnectionTrait>(db: &C) -> Binding {
    ask(db, Slot::AskedInFull);
    BINDING.take().as_deref().cloned().unwrap_or_default()
}

fn ask<C: ConnectionTrait>(db: &C, question: Slot) -> Option<ProbeResult> {
    /// Resets the slot to idle, also when the connection panics.
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            SLOT.set(Slot::Idle);
        }
    }
    SLOT.set(question);
    let _reset = Reset;
    let _ = db.get_database_backend();
    match SLOT.get() {
        Slot::Answered(probed) => Some(probed),
        Slot::Idle | Slot::Asked | Slot::AskedInFull => None,
    }
}

/// Answers a pending request.
pub(crate) fn answer(transaction_id: Option<Uuid>, binding: &Arc<Binding>) {
    match SLOT.get() {
        Slot::Idle | Slot::Answered(_) => return,
        Slot::Asked => {}
        Slot::AskedInFull => BINDING.set(Some(Arc::clone(binding))),
    }
    SLOT.set(Slot::Answered(ProbeResult { transaction_id }));
}
