use std::time::Duration;

use sea_orm_audit::event::{Lockout, LoginAdmission, LoginAttempt};
use sea_orm_audit::{Actor, AuditedConnection};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Whether the password is right. The account is that of the name, where there is one.
pub async fn log_in(
    db: &AuditedConnection,
    name: &str,
    password: &str,
    account: Option<Actor>,
) -> Result<bool> {
    let lockout = Lockout::per_user_and_address(5, Duration::from_mins(15));
    match lockout.reserve(db, name, account.as_ref()).await? {
        LoginAdmission::Admitted(reservation) => {
            let attempt = match &account {
                Some(account) if verify(account, password) => {
                    LoginAttempt::succeeded(name, account.clone())
                }
                Some(account) => {
                    LoginAttempt::failed(name, "wrong password").account(account.clone())
                }
                None => LoginAttempt::failed(name, "unknown name"),
            };
            attempt.settles(reservation).record(db).await?;
            Ok(account.is_some_and(|account| verify(&account, password)))
        }
        LoginAdmission::Blocked { .. } => {
            LoginAttempt::blocked(name, "too many failed attempts")
                .record(db)
                .await?;
            Ok(false)
        }
        LoginAdmission::Busy { .. } => Ok(false), // ask the client to try again
    }
}

/// In place of the hash of a password.
fn verify(account: &Actor, password: &str) -> bool {
    account.name() == Some(password)
}

#[cfg(test)]
mod tests {
    use sea_orm::EntityTrait;
    use sea_orm_audit::AuditContext;
    use sea_orm_audit::entity::audit_login_attempt;
    use sea_orm_audit::test::TestDatabase;

    use super::*;

    #[tokio::test]
    async fn sixth_guess_is_blocked() -> Result<()> {
        let db = AuditedConnection::new((*TestDatabase::new().await?).clone());
        let ann = Actor::user(7).named("right");
        let client = AuditContext::new().ip_address([192, 0, 2, 1].into());
        for _ in 0..6 {
            let guess = log_in(&db, "ann", "wrong", Some(ann.clone()));
            assert!(!client.clone().scope(guess).await?);
        }
        let right = log_in(&db, "ann", "right", Some(ann));
        assert!(!client.scope(right).await?);
        let attempts = audit_login_attempt::Entity::find().all(&db).await?;
        let of = |status: &str| {
            attempts
                .iter()
                .filter(|attempt| attempt.status == status)
                .count()
        };
        assert_eq!((of("FAILED"), of("BLOCKED"), of("PENDING")), (5, 2, 0));
        Ok(())
    }
}
