//! The four tables of the first release, with their indexes.

use async_trait::async_trait;
use sea_orm_audit_core::{Tables, entity, limits};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

use crate::table::{AuditTable, Kind};

pub(crate) struct Migration(pub(crate) Tables);

impl MigrationName for Migration {
    // Spelled out, not taken from the file: two files in two crates can have one name.
    fn name(&self) -> &'static str {
        "m20261123_000001_sea_orm_audit_create_tables"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        if let Some(schema) = self.0.schema() {
            // Plain identifiers only, as `Tables` makes sure.
            let create = match backend {
                DbBackend::Sqlite => {
                    return Err(DbErr::Migration(format!(
                        "SQLite has no schema `{schema}` for the audit tables: leave \
                         `.table_schema(..)` out of the audit configuration"
                    )));
                }
                DbBackend::Postgres => format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""),
                _ => format!("CREATE SCHEMA IF NOT EXISTS `{schema}`"),
            };
            manager.get_connection().execute_unprepared(&create).await?;
        }
        for table in tables(self.0) {
            table.create(manager, self.0).await?;
        }
        if backend == DbBackend::MySql {
            warn_of_character_set(manager).await;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables(self.0).iter().rev() {
            table.drop(manager, self.0).await?;
        }
        Ok(())
    }
}

/// The audit tables take every character. Tables of the application's that name no character set have the database's.
async fn warn_of_character_set(manager: &SchemaManager<'_>) {
    let sql = "SELECT CAST(default_character_set_name AS CHAR) FROM information_schema.schemata \
               WHERE schema_name = DATABASE()";
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let found = manager.get_connection().query_one_raw(statement).await;
    let name = found.and_then(|row| row.map(|row| row.try_get_by_index::<String>(0)).transpose());
    match name {
        Ok(Some(name)) if name != "utf8mb4" => tracing::warn!(
            "the default character set of this database is {name}, in which many names cannot be stored: tables of the \
             application that name no other refuse them, while the audit tables take them. Run `ALTER DATABASE CHARACTER SET utf8mb4` \
             before tables are created, and `ALTER TABLE .. CONVERT TO CHARACTER SET utf8mb4` for those that are there"
        ),
        Ok(_) => {}
        // It is only advice.
        Err(error) => tracing::debug!(%error, "the default character set is not known"),
    }
}

fn tables(names: Tables) -> [AuditTable; 4] {
    [
        log(names),
        login_attempt(names),
        data_export(names),
        system_event(names),
    ]
}

/// The names of the indexes, each with its table.
pub(crate) fn index_names(names: Tables) -> Vec<(&'static str, String)> {
    let tables = tables(names);
    tables.iter().flat_map(AuditTable::index_names).collect()
}

const WORD: Kind = Kind::Text(limits::WORD);
const NAME: Kind = Kind::Text(limits::NAME);

/// Each index serves one way of reading: a period, one object, one actor, one transaction, one request, and what is no
/// change. The newest are the last by number.
fn log(names: Tables) -> AuditTable {
    use entity::audit_log::Column as C;
    AuditTable::new(names.log())
        .required(C::OccurredAt, Kind::Instant)
        .required(C::Action, WORD)
        .required(C::Outcome, WORD)
        .optional(C::Model, Kind::Text(limits::MODEL))
        .optional(C::ObjectId, Kind::Text(limits::OBJECT_ID))
        .optional(C::ObjectRepr, Kind::Text(limits::REPR))
        .optional(C::Changes, Kind::Json)
        .required(C::ActorType, WORD)
        .optional(C::ActorId, NAME)
        .optional(C::ActorName, NAME)
        .optional(C::ImpersonatorId, NAME)
        .optional(C::IpAddress, Kind::Text(limits::ADDRESS))
        .optional(C::UserAgent, Kind::LongText)
        .optional(C::SessionKey, Kind::Text(limits::DIGEST))
        .optional(C::RequestId, NAME)
        .optional(C::TraceId, NAME)
        .optional(C::TransactionId, Kind::Uuid)
        .optional(C::Tenant, NAME)
        .optional(C::Reason, Kind::LongText)
        .optional(C::Module, NAME)
        .required(C::Source, WORD)
        .optional(C::Metadata, Kind::Json)
        .index_of_time("time", C::OccurredAt)
        .index_of_history("object", &[&C::Model, &C::ObjectId])
        .index_of_present("actor", C::ActorId)
        .index_of_present("transaction", C::TransactionId)
        .index_of_present("request", C::RequestId)
        .index_of_events("event", C::Action)
}

fn login_attempt(names: Tables) -> AuditTable {
    use entity::audit_login_attempt::Column as C;
    AuditTable::new(names.login_attempt())
        .required(C::OccurredAt, Kind::Instant)
        .optional(C::LogId, Kind::Integer)
        .optional(C::Username, NAME)
        .optional(C::UsernameKey, NAME)
        .required(C::Status, WORD)
        .optional(C::FailureReason, Kind::LongText)
        .required(C::ActorType, WORD)
        .optional(C::ActorId, NAME)
        .optional(C::ActorName, NAME)
        .optional(C::IpAddress, Kind::Text(limits::ADDRESS))
        .optional(C::Network, Kind::Text(limits::ADDRESS))
        .optional(C::UserAgent, Kind::LongText)
        .optional(C::Country, NAME)
        .optional(C::City, NAME)
        .optional(C::RequestId, NAME)
        .index("newest", &[&C::OccurredAt])
        .index("user", &[&C::Username, &C::OccurredAt])
        .index("address", &[&C::IpAddress, &C::OccurredAt])
        .index("network", &[&C::Network, &C::OccurredAt])
}

fn data_export(names: Tables) -> AuditTable {
    use entity::audit_data_export::Column as C;
    AuditTable::new(names.data_export())
        .required(C::OccurredAt, Kind::Instant)
        .optional(C::LogId, Kind::Integer)
        .required(C::Outcome, WORD)
        .required(C::ActorType, WORD)
        .optional(C::ActorId, NAME)
        .optional(C::ActorName, NAME)
        .required(C::ExportType, NAME)
        .optional(C::FileFormat, WORD)
        .optional(C::RecordCount, Kind::Integer)
        .optional(C::FileSize, Kind::Integer)
        .optional(C::FiltersApplied, Kind::Json)
        .optional(C::FilePath, Kind::LongText)
        .required(C::DownloadCount, Kind::Integer)
        .optional(C::LastDownloadedAt, Kind::Instant)
        .optional(C::IpAddress, Kind::Text(limits::ADDRESS))
        .optional(C::RequestId, NAME)
        .index("newest", &[&C::OccurredAt])
        .index("actor", &[&C::ActorId, &C::OccurredAt])
}

fn system_event(names: Tables) -> AuditTable {
    use entity::audit_system_event::Column as C;
    AuditTable::new(names.system_event())
        .required(C::OccurredAt, Kind::Instant)
        .required(C::EventType, WORD)
        .required(C::Title, NAME)
        .optional(C::Description, Kind::LongText)
        .optional(C::Module, NAME)
        .optional(C::FunctionName, NAME)
        .optional(C::LineNumber, Kind::Integer)
        .optional(C::ErrorCode, NAME)
        .optional(C::StackTrace, Kind::LongText)
        .required(C::ActorType, WORD)
        .optional(C::ActorId, NAME)
        .optional(C::ActorName, NAME)
        .optional(C::IpAddress, Kind::Text(limits::ADDRESS))
        .optional(C::RequestId, NAME)
        .optional(C::Fingerprint, Kind::Text(limits::DIGEST))
        .required(C::Occurrences, Kind::Integer)
        .required(C::Resolved, Kind::Bool)
        .optional(C::ResolvedAt, Kind::Instant)
        .optional(C::ResolvedBy, NAME)
        .optional(C::ResolutionNote, Kind::LongText)
        .optional(C::Metadata, Kind::Json)
        .index("newest", &[&C::OccurredAt])
        .index("type", &[&C::EventType, &C::OccurredAt])
        .index("fingerprint", &[&C::Fingerprint, &C::OccurredAt])
}
