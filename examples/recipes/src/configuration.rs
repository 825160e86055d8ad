use sea_orm_audit::config::{FailurePolicy, HashKey};
use sea_orm_audit::{Action, AuditConfig, AuditError};

pub fn configure() -> Result<(), AuditError> {
    AuditConfig::builder()
        .skip_model("session")
        .skip_action(Action::View)
        .redact_field("email")
        .hash_key(HashKey::from_env("2026", "AUDIT_HASH_KEY")?)
        .failure_policy(FailurePolicy::Fail)
        .build()?
        .install()
}
