//! How a past state is opened for queries: [`AsOf`].

use std::collections::BTreeSet;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, IsolationLevel, SqliteTransactionMode,
    Statement, TransactionOptions, TransactionTrait,
};

use super::connection::PastConnection;
use super::moment::Moment;
use crate::binding::Binding;
use crate::connection::AuditedConnection;
use crate::query::UnknownReason;
use crate::task::completed;

/// Reads queries on the state of a past moment.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::{AsOf, AuditedConnection, Moment};
/// use sea_orm::{ConnectionTrait, DbErr, prelude::DateTimeUtc};
/// # use sea_orm::{EntityTrait, PaginatorTrait};
/// # async fn count<E: EntityTrait>(db: &AuditedConnection, monday: DateTimeUtc) -> Result<u64, DbErr>
/// # where E::Model: Sync {
/// let past = AsOf::new(Moment::time(monday)).open(db).await?;
/// let count = E::find().count(&past).await?;
/// past.close().await?;
/// # Ok(count)
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is read until `open` is awaited"]
pub struct AsOf {
    pub(super) moment: Moment,
    pub(super) values: UnknownValues,
    pub(super) current: BTreeSet<String>,
}

/// What a query gets for a value that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnknownValues {
    /// A query that names the column fails.
    #[default]
    Refuse,
    /// NULL.
    Null,
    /// The value of today's row, or NULL if there is none.
    Current,
}

/// A column of which some or all values are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownColumn {
    /// The model.
    pub model: String,
    /// The column, by its name in the database.
    pub column: String,
    /// Why.
    pub reason: UnknownReason,
    /// The first object with such a value; `None` if no value of the column is known.
    pub object_id: Option<String>,
}

/// A connection that a past state can be read from: SeaORM's, or an audited one.
pub trait PastSource: private::Sealed {}

impl PastSource for DatabaseConnection {}
impl PastSource for AuditedConnection {}

mod private {
    use sea_orm::DatabaseConnection;

    use crate::connection::AuditedConnection;

    pub trait Sealed: Sync {
        fn plain(&self) -> &DatabaseConnection;
    }

    impl Sealed for DatabaseConnection {
        fn plain(&self) -> &DatabaseConnection {
            self
        }
    }

    impl Sealed for AuditedConnection {
        fn plain(&self) -> &DatabaseConnection {
            self.unaudited()
        }
    }
}

impl AsOf {
    /// The state of this moment.
    pub fn new(moment: impl Into<Moment>) -> Self {
        Self {
            moment: moment.into(),
            values: UnknownValues::default(),
            current: BTreeSet::new(),
        }
    }

    /// What queries get for values that are not known. The default is [`UnknownValues::Refuse`].
    pub const fn unknown_values(mut self, values: UnknownValues) -> Self {
        self.values = values;
        self
    }

    /// Reads a table that is not audited as it is now. By default, a query that names it fails.
    pub fn current_table(mut self, name: impl Into<String>) -> Self {
        self.current.insert(name.into());
        self
    }

    /// Begins a transaction for the queries.
    ///
    /// # Errors
    /// Returns the database's error, and [`AuditError::AsOf`](crate::AuditError::AsOf) for a record or a transaction that the log does not have.
    pub async fn open<C: PastSource + ConnectionTrait>(
        self,
        db: &C,
    ) -> Result<PastConnection, DbErr> {
        let config = Binding::to(db).config();
        let pool = db.plain().clone();
        let tx = completed(
            async move { pool.begin_with_options(options()).await },
            "no transaction was begun, as the runtime ends",
        )
        .await?;
        let place = config.clone().scope(self.moment.find(&tx)).await?;
        let database = match tx.get_database_backend() {
            DbBackend::MySql => database(&tx).await?,
            _ => None,
        };
        Ok(PastConnection::new(tx, database, config, place, self))
    }
}

/// The database of the connection (MySQL and MariaDB).
async fn database<C: ConnectionTrait>(db: &C) -> Result<Option<String>, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), "SELECT DATABASE()");
    match db.query_one_raw(statement).await? {
        Some(row) => row.try_get_by_index(0),
        None => Ok(None),
    }
}

/// All reads see one snapshot.
fn options() -> TransactionOptions {
    TransactionOptions {
        isolation_level: Some(IsolationLevel::RepeatableRead),
        sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
        ..TransactionOptions::default()
    }
}
