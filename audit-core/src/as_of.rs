//! The state of a past moment: of one object, or of all tables.
//!
//! A past state is the present one with the later records taken back, the newest first. So what is read is what changed
//! since the moment, not the whole history. The order of an object's records is the order of their numbers; times only
//! decide which of them are of the moment or before it.
//!
//! What the log does not say is unknown, and never read from today's rows without a word: a value that it keeps out, a
//! column that was added later, a row that is older than the log.

mod connection;
mod events;
mod key;
mod literals;
mod moment;
mod moved;
mod objects;
mod one;
mod open;
mod past;
mod rows;
mod table;
mod temporary;

pub use connection::PastConnection;
pub(crate) use key::{key_of, moved_to};
pub use moment::Moment;
pub(crate) use objects::Objects;
pub(crate) use one::past_of;
pub use one::{AsOfObject, AuditAsOf, PastObject, Snapshot};
pub use open::{AsOf, PastSource, UnknownColumn, UnknownValues};
pub(crate) use past::{Past, PastValue};
pub(crate) use rows::{add_key, add_table, read_rows};
