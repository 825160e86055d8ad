//! What is on record of a live schema, and what is not.

mod analysis;
mod issue;
mod schema;
mod triggers;

use std::collections::BTreeSet;
use std::fmt;

use sea_orm_audit_core::AuditConfig;
use sea_orm_audit_core::entity_report::{SkippedBy, survey};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};

pub use issue::Finding;
pub(crate) use schema::LiveSchema;

/// How the changes of a table get on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Captured {
    /// By the entity's hooks, and by an `AuditedConnection`.
    Hook,
    /// By triggers.
    Trigger,
    /// Not, since somebody said so.
    Skipped(SkippedBy),
    /// Not at all: no audited entity is of this table.
    NotAtAll,
    /// It is a table of the log itself, or of migrations.
    Own,
}

impl fmt::Display for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hook => "hooks and connection",
            Self::Trigger => "triggers",
            Self::Skipped(SkippedBy::Attribute) => "skipped by its derive",
            Self::Skipped(_) => "skipped by the configuration",
            Self::NotAtAll => "not at all",
            Self::Own => "(audit)",
        })
    }
}

/// A table of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableCoverage {
    /// Its name, with its schema where it is not found by its name alone.
    pub table: String,
    /// The model's name in the log, where there is an entity.
    pub model: Option<String>,
    /// How its changes get on record.
    pub captured: Captured,
}

/// What is on record of a schema, and what is left open.
///
/// `Display` shows it as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a report is there to be read, or asserted to be complete"]
pub struct Coverage {
    /// Every table, in the order of their names.
    pub tables: Vec<TableCoverage>,
    /// What is open.
    pub findings: Vec<Finding>,
    /// What would be open, had it not been [accepted](Self::accept).
    pub accepted: Vec<Finding>,
    /// How the database compares names.
    names: schema::Names,
}

/// The schema has tables, or ways to change them, that leave no record. Its message is the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageIncomplete(pub Coverage);

impl fmt::Display for CoverageIncomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.findings.len();
        let holes = if count == 1 { "hole" } else { "holes" };
        write!(f, "the audit log has {count} {holes}:\n{}", self.0)
    }
}

impl std::error::Error for CoverageIncomplete {}

/// Compares the audited entities with the live schema, under the configuration that applies.
///
/// Looked at are the schemas in which names without one are found (on PostgreSQL those of
/// `search_path`, on MySQL and MariaDB the database, on SQLite `main`), every schema that an audited
/// entity names, and the log's own. Names are compared as the database does.
///
/// A table with partitions is one table, and a key of one partition the whole table's. A view, a
/// materialized view or a foreign table is looked at where an entity is of it. Of several entities of
/// one table each counts as recording its own columns, as hooks do; triggers are made of one of
/// them, and what that one leaves out is found. Known are the entities of the crates that the binary
/// names, so call it where these are linked: in the application, or in a test of it.
///
/// Not found: writes to a partition by its own name; what other connections to SQLite do that are
/// opened with other settings; schemas that neither the connection nor an entity names; what an
/// `AuditedConnection` leaves out of a table of several entities, since it records by one of them.
///
/// # Errors
/// Returns the database's error.
///
/// # Examples
/// ```no_run
/// use sea_orm_audit_migration::coverage;
/// # use sea_orm_migration::sea_orm::DatabaseConnection;
/// # async fn test(db: &DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// coverage(db)
///     .await?
///     .except(["session", "cache"]) // tables that need no record
///     .assert_complete()?;
/// # Ok(())
/// # }
/// ```
pub async fn coverage<C: ConnectionTrait>(db: &C) -> Result<Coverage, DbErr> {
    let config = AuditConfig::current();
    let entities = survey(&config);
    let tables = config.tables();
    let schemas: BTreeSet<String> = (entities.iter())
        .filter_map(|entity| entity.info.schema())
        .chain(tables.schema())
        .map(str::to_owned)
        .collect();
    let schema = LiveSchema::read(db, &schemas).await?;
    let owners = analysis::owners(&schema, &entities);
    let mut coverage = analysis::judge(
        db.get_database_backend(),
        &schema,
        &entities,
        &owners,
        tables,
    );
    if !schema.has(tables.schema(), tables.log()) {
        let table = tables.qualified(tables.log());
        coverage.findings.push(Finding::LogMissing { table });
    }
    if tables.schema().is_none() && !schema.has_path() {
        // The log is nowhere, and so are the functions that triggers would call.
        return Ok(coverage);
    }
    let of_triggers = triggers::findings(db, &schema, &owners).await?;
    coverage.findings.extend(of_triggers);
    Ok(coverage)
}

impl Coverage {
    /// Accepts that these tables leave no record. They are named as in the report; case counts where
    /// it does to the database.
    pub fn except<'a>(self, tables: impl IntoIterator<Item = &'a str>) -> Self {
        let tables: Vec<&str> = tables.into_iter().collect();
        let names = self.names;
        self.accept(|finding| match finding {
            Finding::NotCaptured { table } => {
                (tables.iter()).any(|excepted| names.same_table(excepted, table))
            }
            _ => false,
        })
    }

    /// Accepts what is found: it is no hole any more, and listed apart.
    pub fn accept(mut self, is_accepted: impl Fn(&Finding) -> bool) -> Self {
        let (accepted, open) =
            (self.findings.into_iter()).partition(|finding| is_accepted(finding));
        self.findings = open;
        self.accepted.extend::<Vec<_>>(accepted);
        self
    }

    /// Whether nothing is left open.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.findings.is_empty()
    }

    /// Fails where anything is left open, for a test of the application.
    ///
    /// # Errors
    /// Returns [`CoverageIncomplete`], whose message is the report.
    pub fn assert_complete(self) -> Result<(), CoverageIncomplete> {
        if self.is_complete() {
            Ok(())
        } else {
            Err(CoverageIncomplete(self))
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or_default().max(5);
        let table = width(&mut self.tables.iter().map(|row| row.table.chars().count()));
        let by = width(&mut self.tables.iter().map(|row| row.captured.to_string().len()));
        writeln!(f, "{:table$}  {:by$}  model", "table", "captured by")?;
        for row in &self.tables {
            let model = row.model.as_deref().unwrap_or("-");
            writeln!(f, "{:table$}  {:by$}  {model}", row.table, row.captured)?;
        }
        for (title, findings) in [("open", &self.findings), ("accepted", &self.accepted)] {
            if !findings.is_empty() {
                writeln!(f, "\n{title}:")?;
            }
            for finding in findings {
                writeln!(f, "- {finding}")?;
            }
        }
        Ok(())
    }
}
