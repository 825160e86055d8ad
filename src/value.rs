//! How values are stored in records, and which entities are audited: for tools that read or compare records.
//!
//! | item | use it |
//! |---|---|
//! | [`encode`], [`EncodeError`] | to get the JSON that a record holds for a value |
//! | [`decode`], [`DecodeError`], [`ColumnKind`] | to get the value back, by the kind of its column |
//! | [`normalize`], [`canonical_eq`] | to compare values as the capture does |
//! | [`clean_text`] | to remove control and direction characters from a text before it is shown |
//! | [`audited_entities`], [`EntityInfo`] | to list the entities that derive `Auditable`, with their columns |

pub use sea_orm_audit_core::{
    ColumnKind, DecodeError, EncodeError, EntityInfo, audited_entities, canonical_eq, clean_text,
    decode, encode, normalize,
};
