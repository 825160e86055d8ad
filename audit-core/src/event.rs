//! Events that the application records itself, and those of the system.

mod data_export;
mod linked_record;
mod lockout;
mod login;
mod manual;
mod system;
mod writer;

pub use data_export::DataExport;
pub use lockout::key::{network_of, site_of, unknown_name};
pub use lockout::{Lockout, LockoutDecision, LoginAdmission, LoginReservation};
pub use login::{LoginAttempt, LoginStatus, record_logout};
pub use manual::{AuditEvent, record_view};
pub use writer::{EventWriter, EventWriterBuilder};
