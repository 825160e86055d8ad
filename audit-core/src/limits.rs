//! The longest texts that the bounded columns of `audit_log` hold, in characters.
//!
//! `audit-migration` makes the columns this long.

pub const WORD: u32 = 32;
pub const MODEL: u32 = 160;
pub const OBJECT_ID: u32 = crate::target::OBJECT_ID_LIMIT;
pub const REPR: u32 = crate::target::REPR_LIMIT;
pub const NAME: u32 = 255;
pub const ADDRESS: u32 = 64;
pub const DIGEST: u32 = 128;
