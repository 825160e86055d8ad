//! The data of axum-login in a session.

use sea_orm::prelude::Json;
use tower_sessions::Session;
use tower_sessions::session::Error;

/// The id of the user who is signed in, in its stored form.
pub(super) async fn user_of(session: &Session, key: &str) -> Result<Option<Json>, Error> {
    let data = session.get_value(key).await?;
    let id = data.and_then(|mut data| data.get_mut("user_id").map(Json::take));
    Ok(id.filter(|id| !id.is_null()))
}
