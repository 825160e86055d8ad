//! The errors, and what clients see of them.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use sea_orm::DbErr;
use sea_orm_audit::AuditError;
use sea_orm_audit::web::login::LoginError;

use crate::auth::Auth;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is invalid; says why.
    #[error("{0}")]
    Invalid(&'static str),
    /// The name or the password is wrong.
    #[error("wrong name or password")]
    WrongPassword,
    /// No user is signed in.
    #[error("sign in first")]
    NotSignedIn,
    /// The user is not allowed to do that.
    #[error("not allowed")]
    Denied,
    /// The object does not exist.
    #[error("not found")]
    NotFound,
    /// There is not enough of a product.
    #[error("not enough of product {product_id} in stock")]
    OutOfStock {
        /// The product.
        product_id: i32,
    },
    /// It exists already, or another object refers to it.
    #[error("already taken, or still in use")]
    Conflict,
    /// Too many attempts to sign in have failed, or are in progress.
    #[error("too many attempts to sign in")]
    TooManyAttempts {
        /// How long until the next attempt is allowed.
        retry_after: Duration,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[source] DbErr),
    /// It could not be recorded, and was not done for that reason.
    #[error("a record could not be written")]
    Audit(#[from] AuditError),
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hashing(#[source] tokio::task::JoinError),
    /// A login could be neither accepted nor refused.
    #[error("a login could not be decided")]
    Login(#[source] axum_login::Error<Auth>),
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(_) => Self::Conflict,
            None => Self::Database(error),
        }
    }
}

impl From<axum_login::Error<Auth>> for Error {
    fn from(error: axum_login::Error<Auth>) -> Self {
        match error {
            axum_login::Error::Backend(LoginError::Blocked { retry_after }) => {
                Self::TooManyAttempts { retry_after }
            }
            other => Self::Login(other),
        }
    }
}

impl Error {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::WrongPassword | Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::Denied => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::OutOfStock { .. } | Self::Conflict => StatusCode::CONFLICT,
            Self::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Database(_) | Self::Audit(_) | Self::Hashing(_) | Self::Login(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

impl IntoResponse for Error {
    /// The message, except for the server's own errors: those are for its log only.
    fn into_response(self) -> Response {
        let status = self.status();
        let message = if status.is_server_error() {
            tracing::error!(error = ?self, "{self}");
            "something went wrong".to_owned()
        } else {
            self.to_string()
        };
        let mut response = (status, Json(serde_json::json!({ "error": message }))).into_response();
        if let Self::TooManyAttempts { retry_after } = self {
            // Whole seconds, rounded up: an attempt at that time is allowed.
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
