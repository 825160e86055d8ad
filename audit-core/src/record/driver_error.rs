//! The code of a database's error, from the driver's own type.
//!
//! SeaORM has the types of a driver only under the feature of that driver, which the application sets. This crate has
//! no feature that follows it. A glob import inside of a function hides the names of the module around it, so each
//! name that SeaORM may lack is defined in [`absent`], and SeaORM's own is used where it exists. An error of a driver
//! can only exist where SeaORM has its type; nothing is read from texts, which contain values of the application.

use std::any::Any;
use std::sync::Arc;

use sea_orm::DbErr;

#[allow(unused_imports)]
use absent::{SqlxError, SqlxMySqlError, SqlxPostgresError, SqlxSqliteError};

/// A driver's error.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DriverError {
    /// An error of PostgreSQL, with its SQLSTATE.
    Postgres(String),
    /// An error of MySQL or MariaDB, with its number.
    MySql(u16),
    /// An error of SQLite, with its extended result code and its message.
    Sqlite(u32, String),
    /// The database did not answer, or there was no connection to it.
    Unreached,
    /// A value is not of the requested type.
    Decode,
}

impl DriverError {
    /// Finds the driver's error inside of an error of SeaORM's.
    pub(super) fn of(error: &DbErr) -> Option<Self> {
        match error {
            DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error) => {
                of_sqlx(driver::error_in(error)?)
            }
            _ => None,
        }
    }
}

mod driver {
    use std::any::Any;

    // Replaces the variant where SeaORM has none.
    #[allow(unused_imports)]
    use sea_orm::RuntimeErr::Internal as SqlxError;

    /// The error of sqlx, else a text of SeaORM's own.
    pub(super) fn error_in(error: &sea_orm::RuntimeErr) -> Option<&dyn Any> {
        #[allow(clippy::enum_glob_use, unused_imports)]
        use sea_orm::RuntimeErr::*;
        #[allow(unreachable_patterns, clippy::match_wildcard_for_single_variants)]
        match error {
            SqlxError(error) => Some(error),
            _ => None,
        }
    }
}

fn of_sqlx(error: &dyn Any) -> Option<DriverError> {
    #[allow(clippy::wildcard_imports, unused_imports)]
    use sea_orm::error::*;

    let error = match error.downcast_ref::<Arc<SqlxError>>()?.as_ref() {
        SqlxError::Database(error) => error.as_ref(),
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed => return Some(DriverError::Unreached),
        SqlxError::ColumnDecode { .. } | SqlxError::Decode(_) => {
            return Some(DriverError::Decode);
        }
        _ => return None,
    };
    let kind = error.as_error();
    if let Some(error) = kind.downcast_ref::<SqlxMySqlError>() {
        return Some(DriverError::MySql(error.number()));
    }
    let code = error.code()?;
    if kind.is::<SqlxPostgresError>() {
        return Some(DriverError::Postgres(code.into_owned()));
    }
    if kind.is::<SqlxSqliteError>() {
        let message = error.message().to_owned();
        return Some(DriverError::Sqlite(code.parse().ok()?, message));
    }
    None
}

/// What SeaORM lacks without a driver. No value of these types is ever made.
#[allow(dead_code)]
mod absent {
    use std::borrow::Cow;
    use std::error::Error;
    use std::fmt;

    #[non_exhaustive]
    pub(super) enum SqlxError {
        Database(Box<NoError>),
        Io(NoError),
        Tls(NoError),
        PoolTimedOut,
        PoolClosed,
        WorkerCrashed,
        ColumnDecode { index: String },
        Decode(NoError),
        Other,
    }

    macro_rules! no_error {
        ($($name:ident),*) => {
            $(
                #[derive(Debug)]
                pub(super) enum $name {}

                impl fmt::Display for $name {
                    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                        match *self {}
                    }
                }

                impl Error for $name {}
            )*
        };
    }
    no_error!(NoError, SqlxMySqlError, SqlxPostgresError, SqlxSqliteError);

    impl NoError {
        pub(super) fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        pub(super) fn code(&self) -> Option<Cow<'_, str>> {
            match *self {}
        }

        pub(super) fn message(&self) -> &str {
            match *self {}
        }
    }

    impl SqlxMySqlError {
        pub(super) fn number(&self) -> u16 {
            match *self {}
        }
    }
}
