//! What the triggers of a table must record: an entity under a configuration, in a form that
//! `audit-migration` makes SQL of.

use sea_orm::sea_query::ArrayType;

use crate::action::Action;
use crate::auditable::{EntityInfo, Part, audited_entities};
use crate::config::{AuditConfig, Plan, RecordingMode, Tables};
use crate::value::ColumnKind;

pub use crate::redact::SecretKeys;

/// Stands before each value of the context that the library sets for PostgreSQL's triggers.
pub const CONTEXT_SEPARATOR: &str = "\u{1f}";

/// The setting on PostgreSQL from which triggers read the context: local to a transaction, or of the session.
pub const CONTEXT_SETTING: &str = "sea_orm_audit.context";

/// The user variable on MySQL and MariaDB from which triggers read a context that is the connection's, where no
/// transaction has its own.
pub const CONTEXT_VARIABLE: &str = "@sea_orm_audit_context";

/// What the triggers of one table record.
#[derive(Debug, Clone)]
pub struct TriggerPlan {
    /// The model's name in the log.
    pub model: String,
    /// The table, and its schema where the entity names one.
    pub table: &'static str,
    pub schema: Option<String>,
    /// The `module` of the derive.
    pub module: Option<&'static str>,
    /// The columns, in the entity's order.
    pub columns: Vec<TriggerColumn>,
    /// The positions of the key's columns.
    pub key: Vec<usize>,
    /// The label; empty for the model and the object id (`post #7`).
    pub label: Vec<LabelPart>,
    /// The position of the column that names the tenant.
    pub tenant: Option<usize>,
    /// The position of the column that says that a row is deleted.
    pub soft_delete: Option<usize>,
    /// Which actions are recorded.
    pub create: bool,
    pub update: bool,
    pub delete: bool,
    /// The names of the audit tables.
    pub tables: Tables,
    /// Which keys inside JSON are secrets'.
    pub secrets: SecretKeys,
    /// The other entities that triggers capture: where the database's cascades fire no triggers, those of
    /// this table record what becomes of the others' rows. Theirs is empty.
    pub others: Vec<TriggerPlan>,
}

/// A column of the table.
#[derive(Debug, Clone)]
pub struct TriggerColumn {
    /// Its name in the database, which is its name in `changes`.
    pub name: &'static str,
    /// What kind of value it holds.
    pub shape: ColumnKind,
    /// What is recorded of it.
    pub treatment: TriggerTreatment,
    /// Whether its value may be read in the object id; else `[redacted]` replaces it.
    pub open: bool,
}

/// What a trigger records of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerTreatment {
    /// Its values; a JSON document with a key that is a secret's is redacted.
    Record,
    /// Its values as they are.
    Plain,
    /// That it changed: `{"redacted": true}`.
    Redact,
    /// Nothing.
    Leave,
}

/// A segment of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelPart {
    Text(String),
    /// The value of a column, by its position; nothing where it is NULL.
    Column(usize),
}

impl TriggerPlan {
    /// What triggers record of an entity under a configuration.
    #[must_use]
    pub fn of(info: &'static EntityInfo, config: &AuditConfig) -> Self {
        let mut others: Vec<Self> = audited_entities()
            .filter(|other| config.plan(other).by_trigger && other.type_id != info.type_id)
            .map(|other| Self::alone(other, config))
            .collect();
        // In an order that does not change from one process to the next.
        others.sort_by(|a, b| (&a.schema, a.table).cmp(&(&b.schema, b.table)));
        Self {
            others,
            ..Self::alone(info, config)
        }
    }

    /// The column that says that a row is deleted, and whether its values are `true` and `false`.
    #[must_use]
    pub fn deletion_mark(&self) -> Option<(&'static str, bool)> {
        let column = &self.columns[self.soft_delete?];
        let is_bool = column.shape == ColumnKind::One(ArrayType::Bool);
        Some((column.name, is_bool))
    }

    fn alone(info: &'static EntityInfo, config: &AuditConfig) -> Self {
        let plan = config.plan(info);
        let recorded = |action: &Action| !plan.skips(config, action);
        Self {
            model: info.model().to_owned(),
            table: info.table(),
            schema: info.schema().map(str::to_owned),
            module: info.module(),
            columns: columns(&plan),
            key: info.key.clone(),
            label: label(&plan),
            tenant: info.tenant.filter(|at| plan.columns[*at].is_open()),
            soft_delete: (info.soft_delete).filter(|at| {
                matches!(
                    plan.columns[*at],
                    RecordingMode::Record | RecordingMode::Plain
                )
            }),
            create: recorded(&Action::Create),
            update: recorded(&Action::Update),
            delete: recorded(&Action::Delete),
            tables: config.tables(),
            secrets: config.sensitive().for_triggers(),
            others: Vec::new(),
        }
    }
}

fn columns(plan: &Plan) -> Vec<TriggerColumn> {
    (plan.info.columns.iter().zip(&plan.columns))
        .map(|(column, treatment)| TriggerColumn {
            name: column.name,
            shape: column.shape.clone(),
            treatment: match treatment {
                RecordingMode::Record => TriggerTreatment::Record,
                RecordingMode::Plain => TriggerTreatment::Plain,
                // There is no key in the database.
                RecordingMode::Redact | RecordingMode::Hash => TriggerTreatment::Redact,
                RecordingMode::Skip | RecordingMode::LeftOut => TriggerTreatment::Leave,
            },
            open: treatment.is_open(),
        })
        .collect()
}

fn label(plan: &Plan) -> Vec<LabelPart> {
    let part = |part: &Part| match part {
        Part::Text(text) => LabelPart::Text((*text).to_owned()),
        Part::Column(at) if plan.columns[*at].is_open() => LabelPart::Column(*at),
        Part::Column(_) => LabelPart::Text(crate::redact::REDACTED.to_owned()),
    };
    plan.info.display.iter().map(part).collect()
}
