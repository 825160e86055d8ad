//! What is recorded beside changes of rows: logins, exports, views, system events and your own events.
//!
//! | item | use it |
//! |---|---|
//! | [`AuditEvent`] | to record an event of your own in `audit_log` |
//! | [`Action`], [`CustomAction`], [`Outcome`], [`Target`] | to say what happened in it, how it ended, and to which object |
//! | [`record_view`], [`record_logout`] | to record that an object was viewed, and that a user logged out |
//! | [`LoginAttempt`], [`LoginStatus`] | to record a login |
//! | [`Lockout`], [`LockoutDecision`], [`LoginAdmission`], [`LoginReservation`] | to refuse guesses after too many failures |
//! | [`DataExport`] | to record which data left the system |
//! | [`SystemEvent`], [`EventType`] | to record errors, warnings and security findings |
//! | [`EventWriter`], [`EventWriterBuilder`] | to write system events in the background, in batches |
//! | [`finish_recording`] | at the end of the program, to wait for work that still records |

pub use sea_orm_audit_core::{
    Action, AuditEvent, CustomAction, DataExport, EventType, EventWriter, EventWriterBuilder,
    Lockout, LockoutDecision, LoginAdmission, LoginAttempt, LoginReservation, LoginStatus, Outcome,
    SystemEvent, Target, finish_recording, record_logout, record_view,
};
