//! The kinds of findings.

use std::fmt;

use crate::trigger::TriggerCheck;

/// A change without a record, or content that the log should not hold as it does.
///
/// Tables are named as in [`TableCoverage`](super::TableCoverage). `Display` states what to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finding {
    /// The table has no audited entity.
    NotCaptured {
        /// The table.
        table: String,
    },
    /// The entity is not of a table, but of a view or the like: its rows change without a write to it.
    NotATable {
        /// Its name.
        table: String,
        /// What it is: a `view`, a `materialized view`, a `foreign table`; a `virtual table` of SQLite's
        /// where triggers are to record it.
        kind: &'static str,
        /// Whether triggers are to record it, which cannot exist there.
        by_trigger: bool,
    },
    /// `REPLACE` deletes rows of a table with triggers and fires none for it, as SQLite does while
    /// `recursive_triggers` is off.
    ReplaceNotCaptured {
        /// The table.
        table: String,
    },
    /// A rollback does not undo what a table's engine did (`MyISAM`, `Aria`): changes and records need not agree.
    NotTransactional {
        /// The table, an audited one or one of the log.
        table: String,
        /// Its engine.
        engine: String,
    },
    /// The database itself changes or deletes rows of an audited table, by a foreign key that capture does
    /// not follow.
    CascadeNotCaptured {
        /// The table whose rows change.
        table: String,
        /// The foreign key's name, on SQLite its columns: `(author_id)`.
        key: String,
        /// The table that it refers to.
        parent: String,
        /// What starts it, `ON DELETE` or `ON UPDATE`.
        on: &'static str,
        /// Why it is not followed.
        why: &'static str,
    },
    /// A trigger that is not made by this crate may change rows of an audited table whose own triggers do not record
    /// that: its body, or a function or procedure that it calls, names the table where a write names its tables.
    TriggerNotCaptured {
        /// The table whose rows may change.
        table: String,
        /// The name of the trigger.
        trigger: String,
        /// The table or view whose changes fire it.
        fired_by: String,
        /// Why its writes leave no record.
        why: &'static str,
    },
    /// The triggers of a table do not exist, or not all of them.
    TriggersMissing {
        /// The table.
        table: String,
        /// Which.
        names: Vec<String>,
    },
    /// Triggers of a table do not fire.
    TriggersDisabled {
        /// The table.
        table: String,
        /// Which.
        names: Vec<String>,
    },
    /// The triggers of a table differ from those that its entity, and the configuration, require.
    TriggersOutOfDate {
        /// The table.
        table: String,
        /// Which.
        names: Vec<String>,
    },
    /// What makes every write to a table with triggers fail, or lets another user decide what they record; see
    /// [`TriggerCheck::faults`](crate::TriggerCheck::faults).
    TriggersFaulty {
        /// The table.
        table: String,
        /// What is wrong, in words.
        faults: Vec<String>,
    },
    /// A table has triggers, and its entity hooks: each change is recorded twice.
    RecordedTwice {
        /// The table.
        table: String,
    },
    /// A table is skipped, but its triggers still record it.
    TriggersLeft {
        /// The table.
        table: String,
        /// Which.
        names: Vec<String>,
    },
    /// The log does not exist.
    LogMissing {
        /// The table.
        table: String,
    },
    /// The table of an audited entity does not exist.
    TableMissing {
        /// The model.
        model: String,
        /// The table.
        table: String,
    },
    /// A column of an audited entity does not exist.
    ColumnMissing {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A table has a column that its entity does not have, so that its values are not recorded.
    ColumnNotCaptured {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A column looks like a secret's, and is stored in plain text, although the entity does not allow it
    /// (`#[audit(plain)]`).
    PlainSecret {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
}

impl Finding {
    pub(super) fn of_triggers(table: &str, check: TriggerCheck) -> Vec<Self> {
        let table = || table.to_owned();
        let mut found = Vec::new();
        if !check.missing.is_empty() {
            let (table, names) = (table(), check.missing);
            found.push(Self::TriggersMissing { table, names });
        }
        if !check.disabled.is_empty() {
            let (table, names) = (table(), check.disabled);
            found.push(Self::TriggersDisabled { table, names });
        }
        if !check.faults.is_empty() {
            let (table, faults) = (table(), check.faults);
            found.push(Self::TriggersFaulty { table, faults });
        }
        if !check.out_of_date.is_empty() {
            let (table, names) = (table(), check.out_of_date);
            found.push(Self::TriggersOutOfDate { table, names });
        }
        found
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCaptured { table } => write!(
                f,
                "`{table}` is not captured: derive `Auditable` on its entity, or accept it with `.except([\"{table}\"])`"
            ),
            Self::NotATable {
                table,
                kind,
                by_trigger: true,
            } => write!(
                f,
                "`{table}` is a {kind}, on which triggers that record cannot stand: capture it by hooks"
            ),
            Self::NotATable { table, kind, .. } => write!(
                f,
                "`{table}` is a {kind}: only what is written to it through SeaORM is recorded"
            ),
            Self::ReplaceNotCaptured { table } => write!(
                f,
                "`{table}` loses rows to REPLACE without a record: say `PRAGMA recursive_triggers = ON` on each \
                 connection, or accept that no client replaces rows"
            ),
            Self::NotTransactional { table, engine } => write!(
                f,
                "`{table}` has the engine {engine}, whose changes no rollback undoes: say `ENGINE = InnoDB`"
            ),
            Self::CascadeNotCaptured {
                table,
                key,
                parent,
                on,
                why,
            } => write!(
                f,
                "`{table}` changes with `{parent}` by {on} of `{key}`, without a record: {why}"
            ),
            Self::TriggerNotCaptured {
                table,
                trigger,
                fired_by,
                why,
            } => write!(
                f,
                "`{table}` may be written by the trigger `{trigger}` of `{fired_by}`, without a record: {why}"
            ),
            Self::TriggersMissing { table, names } => write!(
                f,
                "`{table}` lacks triggers ({}): call `AuditTriggers::create` in a migration",
                names.join(", ")
            ),
            Self::TriggersDisabled { table, names } => write!(
                f,
                "`{table}` has triggers that do not fire ({}): enable them",
                names.join(", ")
            ),
            Self::TriggersOutOfDate { table, names } => write!(
                f,
                "`{table}` has triggers that are out of date ({}): call `AuditTriggers::recreate` in a migration",
                names.join(", ")
            ),
            Self::TriggersFaulty { table, faults } => {
                write!(f, "the triggers of `{table}`: {}", faults.join("; "))
            }
            Self::RecordedTwice { table } => write!(
                f,
                "`{table}` has triggers although its entity is captured by hooks, so that changes are recorded twice: \
                 drop them, or say `#[audit(capture = \"trigger\")]`"
            ),
            Self::TriggersLeft { table, names } => write!(
                f,
                "`{table}` is skipped, but its triggers record it ({}): call `AuditTriggers::drop` in a migration",
                names.join(", ")
            ),
            Self::LogMissing { table } => {
                write!(
                    f,
                    "`{table}`, the log itself, is not there: run the audit migrations"
                )
            }
            Self::TableMissing { model, table } => {
                write!(f, "`{table}`, the table of `{model}`, is not there")
            }
            Self::ColumnMissing { table, column } => {
                write!(f, "`{table}` has no column `{column}`, but its entity does")
            }
            Self::ColumnNotCaptured { table, column } => write!(
                f,
                "`{table}`.`{column}` is not recorded: the entity does not have it"
            ),
            Self::PlainSecret { table, column } => write!(
                f,
                "`{table}`.`{column}` looks like a secret and is stored in plain text: mark it `redact`, or `plain` if it is none"
            ),
        }
    }
}
