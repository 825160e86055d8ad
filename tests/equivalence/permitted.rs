//! The differences that are permitted: what no auditing causes, and what hooks and triggers are documented not to see.

use sea_orm::DbBackend;

use crate::lane::{Lane, Road};
use crate::op::Op;
use crate::replay::Judgement;

/// Whether an answer may differ in this.
pub(crate) fn answer(lane: &Lane, what: &str) -> bool {
    // MariaDB counts the deleted row of a REPLACE where a table has triggers, and gives no id for an INSERT … SELECT,
    // whatever the triggers do. What an audited connection answers is compared with what a bare one does.
    lane.db.backend() == DbBackend::MySql
        && lane.road == Road::TriggersAlone
        && matches!(what, "rows_affected" | "last_insert_id")
}

/// Takes out what need not be recorded.
pub(crate) fn records(lane: &Lane, ops: &[Op], judgement: &mut Judgement) {
    let has = |op: &Op, word: &str| format!("{op:?}").to_uppercase().contains(word);
    let any = |word: &str| ops.iter().any(|op| has(op, word));
    if lane.road.has_hooks_only() {
        // What its AFTER triggers do to the row that a hook was given is not recorded.
        for lines in [&mut judgement.wrong, &mut judgement.missing] {
            lines.retain(|line| !line.contains(" of shop "));
        }
    }
    if lane.road.has_triggers() {
        let unseen = match lane.db.backend() {
            // It fires no DELETE triggers then, unless `recursive_triggers` is on.
            DbBackend::Sqlite => any("REPLACE"),
            // Its triggers see the value that is out of range or NULL, not the one that IGNORE stores; TRUNCATE fires none,
            // which an audited connection reports.
            DbBackend::MySql => any("IGNORE") || any("TRUNCATE"),
            _ => false,
        };
        if unseen {
            judgement.wrong.clear();
            judgement.missing.clear();
        }
    }
}
