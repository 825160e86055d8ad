//! What the log records of a live schema, and what it does not.

mod analysis;
mod issue;
mod note;
mod other_triggers;
mod schema;
mod triggers;

use std::collections::BTreeSet;
use std::fmt;

use sea_orm_audit_core::AuditConfig;
use sea_orm_audit_core::entity_report::{SkippedBy, entity_reports};
#[cfg(feature = "statements")]
use sea_orm_audit_core::{EntityInfo, tables_without_baseline};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};

pub use issue::Finding;
pub use note::Note;
pub(crate) use schema::LiveSchema;

/// How the changes of a table are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Captured {
    /// By the entity's hooks, and by an `AuditedConnection`.
    Hook,
    /// By triggers.
    Trigger,
    /// Not recorded, since it is skipped.
    Skipped(SkippedBy),
    /// Not at all: the table has no audited entity.
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
    /// How its changes are recorded.
    pub captured: Captured,
}

/// What is recorded of a schema, the open findings, and notes.
///
/// `Display` shows it as a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "a report is there to be read, or asserted to be complete"]
pub struct Coverage {
    /// Every table, in the order of their names.
    pub tables: Vec<TableCoverage>,
    /// The open findings.
    pub findings: Vec<Finding>,
    /// The findings that are [accepted](Self::accept).
    pub accepted: Vec<Finding>,
    /// What depends on how the application writes, such as on its connection. Notes are no gaps.
    pub notes: Vec<Note>,
    /// How the database compares names.
    names: schema::Names,
}

/// The schema has tables, or ways to change them, that leave no record. Its message is the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageIncomplete(pub Coverage);

impl fmt::Display for CoverageIncomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.findings.len();
        let gaps = if count == 1 { "gap" } else { "gaps" };
        write!(f, "the audit log has {count} {gaps}:\n{}", self.0)
    }
}

impl std::error::Error for CoverageIncomplete {}

/// Compares the audited entities with the live schema, under the configuration that applies.
///
/// The report covers the schemas in which unqualified names are found (on PostgreSQL those of `search_path`, on MySQL
/// and MariaDB the database, on SQLite `main`), every schema that an audited entity names, and the log's own. Names are
/// compared as the database does.
///
/// A table with partitions is one table, and a key of one partition the whole table's. A view, a materialized view or a
/// foreign table is covered where it has an entity. Of several entities of one table each counts as recording its own
/// columns, as hooks do; triggers are made from one of them, and what that one leaves out is a finding. The report
/// covers the entities of the crates that the binary names, so call it where these are linked: in the application, or
/// in a test of it.
///
/// It does not know on which connections the application writes. [`Coverage::notes`] names the tables that have no
/// triggers, and the forms of writes that leave no record where SeaORM's own connection runs them.
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
    let entities = entity_reports(&config);
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
    let of_others = other_triggers::findings(db, &schema, &owners, tables).await?;
    coverage.findings.extend(of_others);
    if tables.schema().is_none() && !schema.has_path() {
        // The log does not exist, nor do the functions that triggers would call.
        return Ok(coverage);
    }
    let of_triggers = triggers::findings(db, &schema, &owners).await?;
    coverage.findings.extend(of_triggers);
    #[cfg(feature = "statements")]
    if schema.has(tables.schema(), tables.log()) {
        let has_all = |info: &EntityInfo| {
            let columns = schema.columns_of(info.schema(), info.table());
            info.columns().all(|name| {
                columns
                    .iter()
                    .any(|column| column.eq_ignore_ascii_case(name))
            })
        };
        let without = tables_without_baseline(db, has_all).await?;
        let note = (!without.is_empty()).then(|| Note::without_baseline(without));
        coverage.notes.extend(note);
    }
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

    /// Accepts findings: they are no gaps any more, and are listed separately.
    pub fn accept(mut self, is_accepted: impl Fn(&Finding) -> bool) -> Self {
        let (accepted, open) =
            (self.findings.into_iter()).partition(|finding| is_accepted(finding));
        self.findings = open;
        self.accepted.extend::<Vec<_>>(accepted);
        self
    }

    /// Whether no finding is open. [Notes](Self::notes) do not count.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.findings.is_empty()
    }

    /// Fails where any finding is open, for a test of the application. [Notes](Self::notes) do not count.
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
        if !self.notes.is_empty() {
            writeln!(f, "\nnotes:")?;
        }
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        Ok(())
    }
}
