//! Authentication and authorization.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum_login::{AuthUser, AuthnBackend};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use sea_orm_audit::value::clean_text;
use sea_orm_audit::web::login::{AuditLogin, AuditedBackend};
use sea_orm_audit::{Actor, AuditEvent, AuditedConnection};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use unicode_normalization::UnicodeNormalization;

use crate::entity::user;
use crate::entity::user::Role;
use crate::error::Error;
use crate::routes::Shop;

/// The backend as axum-login has it: every login and failed login through it is recorded.
pub type Auth = AuditedBackend<Backend, AuditedConnection>;

/// The session of a request.
pub type AuthSession = axum_login::AuthSession<Auth>;

/// The credentials to sign in, or up, with.
#[derive(Clone, Deserialize)]
pub struct Credentials {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// A user who is signed in.
#[derive(Clone)]
pub struct SignedIn(pub user::Model);

impl fmt::Debug for SignedIn {
    /// Leaves the password's hash out: axum-login logs users at the level DEBUG.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignedIn").field(&self.0.id).finish()
    }
}

impl AuthUser for SignedIn {
    type Id = i32;

    fn id(&self) -> i32 {
        self.0.id
    }

    /// A new password ends all sessions.
    fn session_auth_hash(&self) -> &[u8] {
        self.0.password_hash.as_bytes()
    }
}

/// The form in which names are compared: names that look alike (`vic`, `VIC`, `ｖｉｃ`, `vic` with a blank after it) are
/// one. Otherwise one of two could be taken for the other in the log and in the count of failed logins.
#[must_use]
pub fn name_key(name: &str) -> String {
    let plain: String = name.nfkc().collect();
    // Letters with several lower-case forms, such as `ß` and `ss`, share their upper case. But some capitals have none
    // of their own: `ẞ` gets that of its lower case.
    let upper = plain.trim().to_lowercase().to_uppercase();
    upper.to_lowercase().nfkc().collect()
}

/// The shortest password, in characters, as NIST SP 800-63B has it.
pub const PASSWORD_LEAST: usize = 8;

/// Finds users and verifies their passwords.
#[derive(Debug, Clone)]
pub struct Backend {
    db: AuditedConnection,
    hasher: Hasher,
    /// The hash to verify for an unknown name, so that the response takes as long.
    unknown_hash: Arc<str>,
}

impl Backend {
    /// A backend on this database.
    ///
    /// # Errors
    /// Returns [`BackendError::Hashing`] when no password can be hashed.
    pub async fn new(db: AuditedConnection, hasher: Hasher) -> Result<Self, BackendError> {
        let unknown_hash = hasher
            .hash("no account has this password".to_owned())
            .await?;
        Ok(Self {
            db,
            hasher,
            unknown_hash: unknown_hash.into(),
        })
    }

    async fn by_name(&self, name: &str) -> Result<Option<user::Model>, DbErr> {
        // No user has such a name, and PostgreSQL would refuse the query.
        if name.contains('\0') {
            return Ok(None);
        }
        let query = user::Entity::find().filter(user::Column::NameKey.eq(name_key(name)));
        query.one(&self.db).await
    }
}

/// Why a login could be neither accepted nor refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The users cannot be read.
    #[error("the users cannot be read")]
    Database(#[from] DbErr),
    /// The task that hashes passwords was stopped.
    #[error("passwords cannot be hashed")]
    Hashing(#[from] JoinError),
}

impl AuthnBackend for Backend {
    type User = SignedIn;
    type Credentials = Credentials;
    type Error = BackendError;

    async fn authenticate(
        &self,
        Credentials { name, password }: Credentials,
    ) -> Result<Option<SignedIn>, BackendError> {
        let user = self.by_name(&name).await?;
        let hash = match &user {
            Some(user) => user.password_hash.clone(),
            None => self.unknown_hash.to_string(),
        };
        let right = self.hasher.verify(password, hash).await?;
        Ok(user.filter(|_| right).map(SignedIn))
    }

    async fn get_user(&self, id: &i32) -> Result<Option<SignedIn>, BackendError> {
        let user = user::Entity::find_by_id(*id).one(&self.db).await?;
        Ok(user.map(SignedIn))
    }
}

impl AuditLogin for Backend {
    fn username(credentials: &Credentials) -> String {
        credentials.name.clone()
    }

    fn actor(SignedIn(user): &SignedIn) -> Actor {
        Actor::user(user.id).named(&user.name)
    }

    async fn account(&self, name: &str) -> Option<Actor> {
        let user = self.by_name(name).await.ok().flatten()?;
        Some(Self::actor(&SignedIn(user)))
    }
}

/// Hashes passwords, on threads that may block, and not more at a time than there are processors: each takes 19 MiB.
#[derive(Debug, Clone)]
pub struct Hasher(Arc<Semaphore>);

impl Default for Hasher {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new(processors)))
    }
}

impl Hasher {
    /// Hashes a password, with a salt of its own.
    ///
    /// # Errors
    /// Returns an error when the thread was stopped.
    pub async fn hash(&self, password: String) -> Result<String, JoinError> {
        self.run(move || password_auth::generate_hash(password))
            .await
    }

    async fn verify(&self, password: String, hash: String) -> Result<bool, JoinError> {
        self.run(move || password_auth::verify_password(password, &hash).is_ok())
            .await
    }

    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, JoinError> {
        // Never an error: the semaphore is never closed.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        let hashing = spawn_blocking(move || {
            // Held to the end, also if the caller stops waiting.
            let _permit = permit;
            work()
        });
        hashing.await
    }
}

impl FromRequestParts<Shop> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Shop) -> Result<Self, Error> {
        let auth = parts.extensions.get::<AuthSession>();
        let user = auth.and_then(|auth| auth.user.clone());
        user.ok_or(Error::NotSignedIn)
    }
}

/// Client input in stored form: sanitized, and of limited length.
fn shown(text: &str) -> Cow<'_, str> {
    clean_text(text, 512)
}

/// An administrator who is signed in. Other users are refused, which is recorded.
#[derive(Debug, Clone)]
pub struct Admin(pub user::Model);

impl FromRequestParts<Shop> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, shop: &Shop) -> Result<Self, Error> {
        let SignedIn(user) = SignedIn::from_request_parts(parts, shop).await?;
        if user.role == Role::Admin {
            return Ok(Self(user));
        }
        let denied = AuditEvent::access_denied()
            .reason("only administrators may do that")
            .metadata("method", shown(parts.method.as_str()))
            .metadata("path", shown(parts.uri.path()));
        denied.record(&shop.db).await?;
        Err(Error::Denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_in_any_case_and_its_own_key_have_one_key() {
        for letter in (0..=0x0010_ffff).filter_map(char::from_u32) {
            let name = letter.to_string();
            let key = name_key(&name);
            for same in [name.to_lowercase(), name.to_uppercase(), key.clone()] {
                assert_eq!(name_key(&same), key, "{letter:?} U+{:04X}", letter as u32);
            }
        }
        assert_eq!(name_key("stra\u{1e9e}e"), name_key("straße"));
    }
}
