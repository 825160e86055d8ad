//! Why a change was refused, and whether it stands.
//!
//! | item | use it |
//! |---|---|
//! | [`AuditError`] | to find the audit's own error in a `DbErr`: `AuditError::of` |
//! | [`Cause`] | to see what failed |
//! | [`ChangeState`] | to see whether the change was rolled back |

pub use sea_orm_audit_core::{AuditError, Cause, ChangeState};
