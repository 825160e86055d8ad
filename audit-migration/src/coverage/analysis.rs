//! Compares the live schema with the audited entities.

mod cascade;

use std::collections::HashMap;

use sea_orm_audit_core::Tables;
use sea_orm_audit_core::entity_report::EntityReport;
use sea_orm_migration::sea_orm::DbBackend;

use super::schema::{LiveSchema, LiveTable, TableId};
use super::{Captured, Coverage, Finding, Note, TableCoverage};

/// The history of SeaORM's own Migrator.
const SEAORM_HISTORY: &str = "seaql_migrations";

/// The entities of each table: a full one and a partial one, perhaps.
pub(super) type Owners<'a> = HashMap<TableId, Vec<&'a EntityReport>>;

/// Finds the tables of the entities.
pub(super) fn owners<'a>(schema: &LiveSchema, entities: &'a [EntityReport]) -> Owners<'a> {
    let mut owners = Owners::new();
    for entity in entities {
        if let Some(live) = schema.find(entity.info.schema(), entity.info.table()) {
            owners.entry(live.id.clone()).or_default().push(entity);
        }
    }
    owners
}

/// Analyses all but the triggers.
pub(super) fn judge(
    backend: DbBackend,
    schema: &LiveSchema,
    entities: &[EntityReport],
    owners: &Owners<'_>,
    audit: Tables,
) -> Coverage {
    let judge = Analyzer {
        backend,
        schema,
        entities,
        owners,
        audit,
    };
    let mut findings = Vec::new();
    let mut tables = Vec::new();
    for live in
        (schema.tables.iter()).filter(|live| live.kind.has_rows() || judge.has_entity(&live.id))
    {
        let table = judge.table(live);
        findings.extend(judge.findings(live, &table));
        tables.push(table);
    }
    findings.extend(judge.tables_missing());
    findings.extend(judge.cascades());
    Coverage {
        notes: notes(&tables),
        tables,
        findings,
        accepted: Vec::new(),
        names: schema.names,
    }
}

/// What depends on the application's connection.
fn notes(tables: &[TableCoverage]) -> Vec<Note> {
    let by_hook = tables.iter().filter(|row| row.captured == Captured::Hook);
    let names: Vec<String> = by_hook.map(|row| row.table.clone()).collect();
    let noted = !names.is_empty();
    noted
        .then(|| Note::without_triggers(names))
        .into_iter()
        .collect()
}

struct Analyzer<'a> {
    backend: DbBackend,
    schema: &'a LiveSchema,
    entities: &'a [EntityReport],
    owners: &'a Owners<'a>,
    audit: Tables,
}

impl<'a> Analyzer<'a> {
    fn entities_of(&self, id: &TableId) -> impl Iterator<Item = &'a EntityReport> + use<'a> {
        self.owners.get(id).into_iter().flatten().copied()
    }

    /// Those that are recorded.
    fn recorded(&self, id: &TableId) -> impl Iterator<Item = &'a EntityReport> + use<'a> {
        self.entities_of(id)
            .filter(|entity| entity.skipped.is_none())
    }

    fn has_entity(&self, id: &TableId) -> bool {
        self.entities_of(id).next().is_some()
    }

    /// Whether it is a table of the log.
    fn is_log(&self, id: &TableId) -> bool {
        let audit = self.audit;
        let log = [
            audit.log(),
            audit.login_attempt(),
            audit.data_export(),
            audit.system_event(),
            audit.trigger_context(),
        ];
        (log.iter()).any(|name| self.schema.is(id, audit.schema(), name))
    }

    /// Whether it is a history of migrations. SeaORM looks for these tables where unqualified names are found.
    fn is_history(&self, id: &TableId) -> bool {
        ([SEAORM_HISTORY, self.audit.history()].iter()).any(|name| self.schema.is(id, None, name))
    }

    fn table(&self, live: &LiveTable) -> TableCoverage {
        let id = &live.id;
        let mut recorded = self.recorded(id).peekable();
        let entity = (recorded.peek().copied()).or_else(|| self.entities_of(id).next());
        let captured = match entity {
            _ if self.is_log(id) || self.is_history(id) => Captured::Own,
            None => Captured::NotAtAll,
            Some(entity) => match entity.skipped {
                Some(by) => Captured::Skipped(by),
                None if recorded.any(|entity| entity.by_trigger) => Captured::Trigger,
                None => Captured::Hook,
            },
        };
        TableCoverage {
            table: self.schema.shown(id),
            model: entity.map(|entity| entity.info.model().to_owned()),
            captured,
        }
    }

    /// The findings about an existing table.
    fn findings(&self, live: &LiveTable, shown: &TableCoverage) -> Vec<Finding> {
        let table = || shown.table.clone();
        let mut findings = Vec::new();
        if shown.captured == Captured::NotAtAll {
            findings.push(Finding::NotCaptured { table: table() });
        }
        let by_trigger = shown.captured == Captured::Trigger;
        let is_recorded = by_trigger || shown.captured == Captured::Hook;
        let no_trigger_can_stand = by_trigger && !live.kind.takes_triggers();
        if no_trigger_can_stand || is_recorded && !live.kind.has_rows() {
            findings.push(Finding::NotATable {
                table: table(),
                kind: live.kind.as_str(),
                by_trigger,
            });
        }
        if let Some(engine) = &live.unsafe_engine
            && (is_recorded || self.is_log(&live.id))
        {
            findings.push(Finding::NotTransactional {
                table: table(),
                engine: engine.clone(),
            });
        }
        let mut missing = Vec::new();
        let mut secrets = Vec::new();
        for entity in self.recorded(&live.id) {
            missing.extend((entity.info.columns()).filter(|column| !self.has(live, column)));
            // The derive marks these as plain on purpose.
            let open = entity.plain_secrets.iter().filter(|(_, stated)| !stated);
            secrets.extend(open.map(|(column, _)| *column));
        }
        for names in [&mut missing, &mut secrets] {
            names.sort_unstable();
            names.dedup();
        }
        findings.extend(missing.into_iter().map(|column| Finding::ColumnMissing {
            table: table(),
            column: column.to_owned(),
        }));
        // An entity may leave to another one the columns that it does not know.
        let is_known = |there: &str| {
            self.recorded(&live.id).any(|entity| {
                (entity.info.columns()).any(|column| self.schema.same_column(column, there))
            })
        };
        if self.recorded(&live.id).next().is_some() {
            let unknown = live.columns.iter().filter(|there| !is_known(there));
            findings.extend(unknown.map(|there| Finding::ColumnNotCaptured {
                table: table(),
                column: there.clone(),
            }));
        }
        findings.extend(secrets.into_iter().map(|column| Finding::PlainSecret {
            table: table(),
            column: column.to_owned(),
        }));
        findings
    }

    fn has(&self, live: &LiveTable, column: &str) -> bool {
        (live.columns.iter()).any(|there| self.schema.same_column(there, column))
    }

    fn tables_missing(&self) -> impl Iterator<Item = Finding> {
        let recorded = (self.entities.iter()).filter(|entity| entity.skipped.is_none());
        let missing = recorded.filter(|entity| {
            let info = entity.info;
            self.schema.find(info.schema(), info.table()).is_none()
        });
        missing.map(|entity| Finding::TableMissing {
            model: entity.info.model().to_owned(),
            table: match entity.info.schema() {
                Some(schema) => format!("{schema}.{}", entity.info.table()),
                None => entity.info.table().to_owned(),
            },
        })
    }
}
