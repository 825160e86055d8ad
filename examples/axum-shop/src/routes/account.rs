//! Signing up, in and out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sea_orm::{ActiveModelTrait, Set};
use serde_json::{Value, json};

use super::Shop;
use crate::auth::{AuthSession, Credentials, PASSWORD_LEAST, SignedIn, name_key};
use crate::entity::user;
use crate::entity::user::Role;
use crate::error::Error;

/// The longest name, in characters.
const NAME_LIMIT: usize = 64;
/// The longest form in which names are compared, in characters.
const NAME_KEY_LIMIT: usize = 250;

pub(super) async fn sign_up(
    State(shop): State<Shop>,
    Json(Credentials { name, password }): Json<Credentials>,
) -> Result<(StatusCode, Json<Value>), Error> {
    if name.trim().is_empty() || name.chars().count() > NAME_LIMIT {
        return Err(Error::Invalid("a name has 1 to 64 characters"));
    }
    let name_key = name_key(&name);
    if name_key.chars().count() > NAME_KEY_LIMIT {
        return Err(Error::Invalid(
            "the name is too long in its compatible form",
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::Invalid("a name has no control characters"));
    }
    if password.chars().count() < PASSWORD_LEAST {
        return Err(Error::Invalid("a password has at least 8 characters"));
    }
    let hash = shop.hasher.hash(password).await;
    let user = user::ActiveModel {
        name_key: Set(name_key),
        name: Set(name),
        password_hash: Set(hash.map_err(Error::Hashing)?),
        role: Set(Role::Customer),
        ..Default::default()
    };
    // No user is signed in yet: the log records ANONYMOUS, and the address.
    let user = user.insert(&shop.db).await?;
    Ok((
        StatusCode::CREATED,
        Json(json!({ "id": user.id, "name": user.name })),
    ))
}

/// The backend records it; see [`Auth`](crate::auth::Auth).
pub(super) async fn log_in(
    mut auth: AuthSession,
    Json(credentials): Json<Credentials>,
) -> Result<Json<Value>, Error> {
    let user = auth.authenticate(credentials).await?;
    let user = user.ok_or(Error::WrongPassword)?;
    // A planted session, or one of another user, must not become the session that is signed in.
    (auth.session.cycle_id().await).map_err(axum_login::Error::Session)?;
    auth.login(&user).await?;
    Ok(Json(json!({ "id": user.0.id, "name": user.0.name })))
}

/// `AuditAuthLayer` records it: it detects that the session has lost its user.
pub(super) async fn log_out(_: SignedIn, mut auth: AuthSession) -> Result<StatusCode, Error> {
    auth.logout().await?;
    Ok(StatusCode::NO_CONTENT)
}
