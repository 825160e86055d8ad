//! Methods that SeaORM's types have beside its traits, so that code that uses them compiles unchanged.

use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, IsolationLevel, Schema, SchemaBuilder,
    TransactionError, TransactionTrait,
};

use super::{AuditedConnection, AuditedTransaction};

macro_rules! inherent_methods {
    ($type:ty) => {
        impl $type {
            /// The database's kind.
            #[must_use]
            pub fn get_database_backend(&self) -> DbBackend {
                ConnectionTrait::get_database_backend(self)
            }

            /// Runs a function in a transaction. Commits it, or rolls it back if the function returns an error.
            ///
            /// # Errors
            /// Returns the function's error, or the database's of BEGIN, COMMIT and ROLLBACK.
            pub async fn transaction_async<F, T, E>(
                &self,
                callback: F,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> AsyncFnOnce(&'c AuditedTransaction) -> Result<T, E> + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                self.transaction_with_config_async(callback, None, None)
                    .await
            }

            /// As [`transaction_async`](Self::transaction_async), with an isolation level and an access mode.
            ///
            /// # Errors
            /// Returns the function's error, or the database's of BEGIN, COMMIT and ROLLBACK.
            pub async fn transaction_with_config_async<F, T, E>(
                &self,
                callback: F,
                isolation_level: Option<IsolationLevel>,
                access_mode: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> AsyncFnOnce(&'c AuditedTransaction) -> Result<T, E> + Send,
                T: Send,
                E: std::fmt::Display + std::fmt::Debug + Send,
            {
                let begun = self.begin_with_config(isolation_level, access_mode).await;
                let tx = begun.map_err(TransactionError::Connection)?;
                let result = callback(&tx).await;
                tx.end_with(result).await
            }
        }
    };
}

inherent_methods!(AuditedConnection);
inherent_methods!(AuditedTransaction);

impl AuditedConnection {
    /// Checks whether the database answers.
    ///
    /// # Errors
    /// Returns SeaORM's error.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.unaudited().ping().await
    }

    /// A builder of the tables of entities. Its `sync` needs SeaORM's own connection: `.sync(db.unaudited())`.
    #[must_use]
    pub fn get_schema_builder(&self) -> SchemaBuilder {
        Schema::new(self.get_database_backend()).builder()
    }

    /// Closes the connection and all its clones.
    ///
    /// # Errors
    /// Returns SeaORM's error.
    pub async fn close_by_ref(&self) -> Result<(), DbErr> {
        self.unaudited().close_by_ref().await
    }
}
