//! How an audit table is made on each database.

use sea_orm_audit_core::Tables;
use sea_orm_migration::SchemaManager;
use sea_orm_migration::sea_orm::sea_query::{
    Alias, ColumnDef, ColumnType, Index, IndexCreateStatement, Table,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Iden};

/// The types that audit tables use, each in the form that suits the database.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A 64-bit integer.
    Integer,
    /// A truth value.
    Bool,
    /// UTC, to the microsecond.
    Instant,
    /// Text of at most so many characters.
    Text(u32),
    /// Text of any length.
    LongText,
    /// A JSON document.
    Json,
    /// A UUID.
    Uuid,
}

impl Kind {
    fn column_type(self, backend: DbBackend) -> ColumnType {
        match (self, backend) {
            (Self::Integer, _) => ColumnType::BigInteger,
            (Self::Bool, _) => ColumnType::Boolean,
            // MySQL's TIMESTAMP ends in 2038, and without (6) both types drop the fraction.
            (Self::Instant, DbBackend::MySql) => ColumnType::custom("datetime(6)"),
            (Self::Instant, _) => ColumnType::TimestampWithTimeZone,
            (Self::Text(limit), _) => ColumnType::string(Some(limit)),
            // MySQL's TEXT ends at 64 KiB.
            (Self::LongText, DbBackend::MySql) => ColumnType::custom("mediumtext"),
            (Self::LongText, _) => ColumnType::Text,
            (Self::Json, DbBackend::Postgres) => ColumnType::JsonBinary,
            (Self::Json, _) => ColumnType::Json,
            (Self::Uuid, _) => ColumnType::Uuid,
        }
    }
}

/// An audit table: a number, columns and indexes.
pub(crate) struct AuditTable {
    name: &'static str,
    columns: Vec<(String, Kind, bool)>,
    indexes: Vec<(&'static str, Vec<String>)>,
}

impl AuditTable {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            columns: Vec::new(),
            indexes: Vec::new(),
        }
    }

    pub(crate) fn required(mut self, column: impl Iden, kind: Kind) -> Self {
        self.columns
            .push((column.unquoted().to_owned(), kind, true));
        self
    }

    pub(crate) fn optional(mut self, column: impl Iden, kind: Kind) -> Self {
        self.columns
            .push((column.unquoted().to_owned(), kind, false));
        self
    }

    pub(crate) fn index(mut self, name: &'static str, columns: &[&dyn Iden]) -> Self {
        let columns = columns.iter().map(|c| c.unquoted().to_owned()).collect();
        self.indexes.push((name, columns));
        self
    }

    fn indexes(&self, tables: Tables) -> Vec<IndexCreateStatement> {
        let statements = self.indexes.iter().map(|(name, columns)| {
            let mut index = Index::create();
            index
                .name(format!("idx_{}_{name}", self.name))
                .table(tables.reference(self.name))
                .if_not_exists();
            for column in columns {
                index.col(Alias::new(column));
            }
            index.take()
        });
        statements.collect()
    }

    pub(crate) async fn create(
        &self,
        manager: &SchemaManager<'_>,
        tables: Tables,
    ) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let mut table = Table::create();
        table
            .table(tables.reference(self.name))
            .if_not_exists()
            .col(
                ColumnDef::new(Alias::new("id"))
                    .big_integer()
                    .not_null()
                    .auto_increment()
                    .primary_key(),
            );
        for (name, kind, required) in &self.columns {
            let mut column = ColumnDef::new_with_type(Alias::new(name), kind.column_type(backend));
            if *required {
                column.not_null();
            } else {
                column.null();
            }
            table.col(column);
        }
        if backend == DbBackend::MySql {
            // Whatever the database's default is; binary, so that ids differ by case.
            table
                .engine("InnoDB")
                .character_set("utf8mb4")
                .collate("utf8mb4_bin");
            // MySQL's DDL is not transactional and its CREATE INDEX has no IF NOT EXISTS: what is created with the
            // table cannot be left half done.
            for mut index in self.indexes(tables) {
                table.index(&mut index);
            }
        }
        manager.create_table(table).await?;
        if backend != DbBackend::MySql {
            for index in self.indexes(tables) {
                manager.create_index(index).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn drop(
        &self,
        manager: &SchemaManager<'_>,
        tables: Tables,
    ) -> Result<(), DbErr> {
        let mut table = Table::drop();
        table.table(tables.reference(self.name)).if_exists();
        manager.get_connection().execute(&table).await?;
        Ok(())
    }
}
