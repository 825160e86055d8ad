//! How hooks learn that they run on an audited connection, which then does the capture.
//!
//! Hooks get some `C: ConnectionTrait`, perhaps a wrapper around ours. A question is left in a
//! thread-local slot; whoever is asked for the backend, as every wrapper asks what it wraps, and is
//! ours, leaves the answer there.

use std::cell::Cell;

use sea_orm::ConnectionTrait;
use sea_orm::prelude::Uuid;

/// What an audited connection says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Probed {
    /// The id of its transaction, where it is one.
    pub(crate) transaction_id: Option<Uuid>,
}

#[derive(Clone, Copy)]
enum Slot {
    Idle,
    Asked,
    Answered(Probed),
}

thread_local! {
    static SLOT: Cell<Slot> = const { Cell::new(Slot::Idle) };
}

/// Asks a connection whether it is audited; `None` when it is not.
pub(crate) fn probe<C: ConnectionTrait>(db: &C) -> Option<Probed> {
    /// Leaves the slot idle, also when the connection panics.
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            SLOT.set(Slot::Idle);
        }
    }
    SLOT.set(Slot::Asked);
    let _reset = Reset;
    let _ = db.get_database_backend();
    match SLOT.get() {
        Slot::Answered(probed) => Some(probed),
        Slot::Idle | Slot::Asked => None,
    }
}

/// Answers, when asked.
pub(super) fn answer(transaction_id: Option<Uuid>) {
    if matches!(SLOT.get(), Slot::Asked) {
        SLOT.set(Slot::Answered(Probed { transaction_id }));
    }
}
