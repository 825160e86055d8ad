//! How an audit table is made on each database.

use sea_orm_audit_core::{Action, Tables};
use sea_orm_migration::SchemaManager;
use sea_orm_migration::sea_orm::sea_query::{
    Alias, ColumnDef, ColumnType, ConditionalStatement, Expr, ExprTrait, Index,
    IndexCreateStatement, IndexType, IntoIden, Table,
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
            // PostgreSQL keeps `json` as it was written; `jsonb` takes twice the time, and sorts the members.
            (Self::Json, _) => ColumnType::Json,
            (Self::Uuid, _) => ColumnType::Uuid,
        }
    }
}

/// An audit table: a number, columns and indexes.
pub(crate) struct AuditTable {
    name: &'static str,
    columns: Vec<(String, Kind, bool)>,
    indexes: Vec<AuditIndex>,
}

struct AuditIndex {
    name: &'static str,
    columns: Vec<String>,
    form: IndexForm,
}

/// What an index is of. MySQL has whole indexes only.
enum IndexForm {
    /// All rows.
    Whole,
    /// All rows, in the order of their numbers where the columns are equal.
    Numbered,
    /// The rows that have a value, in the order of their numbers.
    Present,
    /// The rows that are not changes of the application's rows, in the order of their numbers.
    Events,
    /// Ranges of blocks on PostgreSQL, as times come in their order; all rows elsewhere.
    Time,
}

const ID: &str = "id";

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

    /// An index of all rows.
    pub(crate) fn index(self, name: &'static str, columns: &[&dyn Iden]) -> Self {
        self.with_index(name, columns, IndexForm::Whole)
    }

    /// An index of all rows; of equal ones, the newest is the last.
    pub(crate) fn index_of_history(self, name: &'static str, columns: &[&dyn Iden]) -> Self {
        self.with_index(name, columns, IndexForm::Numbered)
    }

    /// An index of the rows that have a value in a column, the newest last.
    pub(crate) fn index_of_present(self, name: &'static str, column: impl Iden) -> Self {
        self.with_index(name, &[&column], IndexForm::Present)
    }

    /// An index of the rows that are not changes by their action, the newest last.
    pub(crate) fn index_of_events(self, name: &'static str, action: impl Iden) -> Self {
        self.with_index(name, &[&action], IndexForm::Events)
    }

    /// An index for ranges of time.
    pub(crate) fn index_of_time(self, name: &'static str, time: impl Iden) -> Self {
        self.with_index(name, &[&time], IndexForm::Time)
    }

    fn with_index(mut self, name: &'static str, columns: &[&dyn Iden], form: IndexForm) -> Self {
        let columns = columns.iter().map(|c| c.unquoted().to_owned()).collect();
        self.indexes.push(AuditIndex {
            name,
            columns,
            form,
        });
        self
    }

    fn index_name(&self, index: &AuditIndex) -> String {
        format!("idx_{}_{}", self.name, index.name)
    }

    /// The names of its indexes, each with the table's.
    pub(crate) fn index_names(&self) -> Vec<(&'static str, String)> {
        let names = self.indexes.iter();
        names
            .map(|index| (self.name, self.index_name(index)))
            .collect()
    }

    fn indexes(&self, tables: Tables, backend: DbBackend) -> Vec<IndexCreateStatement> {
        let statements = self.indexes.iter().map(|one| {
            let mut index = Index::create();
            index
                .name(self.index_name(one))
                .table(tables.reference(self.name))
                .if_not_exists();
            for column in &one.columns {
                index.col(Alias::new(column));
            }
            let first = || Expr::col(Alias::new(&one.columns[0]));
            match (&one.form, backend) {
                (IndexForm::Present, DbBackend::Postgres | DbBackend::Sqlite) => {
                    index.and_where(first().is_not_null());
                }
                (IndexForm::Events, DbBackend::Postgres | DbBackend::Sqlite) => {
                    index.and_where(
                        first().is_not_in(Action::CHANGES.map(|action| action.to_string())),
                    );
                }
                (IndexForm::Time, DbBackend::Postgres) => {
                    index.index_type(IndexType::Custom("brin".into_iden()));
                }
                _ => {}
            }
            // The other databases' indexes contain the primary key anyway.
            let is_whole = matches!(one.form, IndexForm::Whole | IndexForm::Time);
            if backend == DbBackend::Postgres && !is_whole {
                index.col(Alias::new(ID));
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
                ColumnDef::new(Alias::new(ID))
                    .big_integer()
                    .not_null()
                    .auto_increment()
                    .primary_key(),
            );
        for (name, kind, required) in &self.columns {
            let is_indexed = (self.indexes.iter()).any(|index| index.columns.contains(name));
            let column_type = match kind {
                // Byte by byte, as elsewhere: other collations cost each record and each read.
                Kind::Text(limit) if is_indexed && backend == DbBackend::Postgres => {
                    ColumnType::custom(format!("varchar({limit}) COLLATE \"C\""))
                }
                kind => kind.column_type(backend),
            };
            let mut column = ColumnDef::new_with_type(Alias::new(name), column_type);
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
            for mut index in self.indexes(tables, backend) {
                table.index(&mut index);
            }
        }
        manager.create_table(table).await?;
        if backend != DbBackend::MySql {
            for index in self.indexes(tables, backend) {
                manager.create_index(index).await?;
            }
        }
        if backend == DbBackend::Postgres {
            self.summarize_blocks(manager, tables).await?;
        }
        Ok(())
    }

    /// Lets PostgreSQL add new blocks to an index of time when they are full. It would else wait for a VACUUM, and search
    /// all blocks since the last one.
    async fn summarize_blocks(
        &self,
        manager: &SchemaManager<'_>,
        tables: Tables,
    ) -> Result<(), DbErr> {
        let is_of_time = |index: &&AuditIndex| matches!(index.form, IndexForm::Time);
        for index in self.indexes.iter().filter(is_of_time) {
            let name = format!("\"{}\"", self.index_name(index));
            let name = match tables.schema() {
                Some(schema) => format!("\"{schema}\".{name}"),
                None => name,
            };
            let sql = format!("ALTER INDEX {name} SET (autosummarize = on)");
            manager.get_connection().execute_unprepared(&sql).await?;
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
