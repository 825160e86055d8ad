//! The differences that are permitted: what no auditing causes, and what hooks and triggers are documented not to see.

use sea_orm::DbBackend;

use crate::answer::Answer;
use crate::case::Case;
use crate::lane::{CapturePath, Lane};
use crate::op::Op;
use crate::replay::Judgement;
use crate::run_case::Answered;
use crate::tables::TABLES;
use crate::words::words;

/// Whether an answer may differ in this.
pub(crate) fn answer(
    lane: &Lane,
    case: &Case,
    theirs: &Answered,
    ours: &Answered,
    what: &str,
) -> bool {
    let code = |answered: &Answered| match &answered.answer {
        Answer::Failed(failure) => failure.code.clone().unwrap_or_default(),
        _ => String::new(),
    };
    let (is_postgres, our_code) = (lane.db.backend() == DbBackend::Postgres, code(ours));
    // What fails on one row may meet another client's change of another row first, since all are locked before.
    if is_postgres && case.other_isolation && theirs.answer.is_error() && our_code == "40001" {
        return true;
    }
    // In a transaction that is aborted the builder's savepoint fails.
    if is_postgres
        && lane.path == CapturePath::HooksTransaction
        && is_bulk(ours)
        && our_code == "25P02"
    {
        let does_nothing =
            matches!(&theirs.answer, Answer::Called(text) if text == "0" || text == "None");
        // What the builder would be refused for is never sent then.
        return does_nothing || theirs.answer.is_error();
    }
    let Some(Op::Sql(sql)) = &ours.op else {
        return false;
    };
    if lane.db.backend() != DbBackend::MySql || lane.path != CapturePath::TriggersAlone {
        return false;
    }
    // MariaDB counts the deleted row of a REPLACE where a table has triggers, and gives no id for an INSERT … SELECT
    // nor for LAST_INSERT_ID(..), whatever the triggers do. What an audited connection answers is compared with what a bare one does.
    let words = words(&sql.text);
    let has = |word: &str| words.iter().any(|other| other == word);
    match what {
        "rows_affected" => has("REPLACE"),
        "last_insert_id" => has("SELECT") || has("LAST_INSERT_ID"),
        _ => false,
    }
}

/// Whether a transaction may read older rows from here on: on MariaDB the plain read before an upsert gives it a snapshot,
/// and so does the read before a statement whose condition has a subquery.
pub(crate) fn reads_older(lane: &Lane, case: &Case, before: &[Answered]) -> bool {
    let reads = |answered: &Answered| match &answered.op {
        Some(Op::Sql(sql)) => {
            let words = words(&sql.text);
            let has = |among: &[&str]| words.iter().any(|word| among.contains(&word.as_str()));
            has(&["DUPLICATE", "IGNORE", "REPLACE"])
                || has(&["UPDATE", "DELETE"]) && has(&["SELECT"])
        }
        Some(Op::Model(op)) => op.call.kind() == "upsert by builder",
        None => false,
    };
    lane.db.backend() == DbBackend::MySql
        && lane.path.in_transaction()
        && !case.other_isolation
        && case.has_other_client()
        && before.iter().any(reads)
}

fn is_bulk(answered: &Answered) -> bool {
    matches!(&answered.op, Some(Op::Model(op)) if op.call.is_bulk())
}

/// Whether these answers may differ, and what follows with them.
pub(crate) fn ends_comparison(
    lane: &Lane,
    theirs: &Answered,
    ours: &Answered,
    before: &[Answered],
) -> bool {
    if let (Answer::Other(_), Answer::Other(text)) = (&theirs.answer, &ours.answer) {
        // A statement that failed has locked what it was to write, or the gap where that is not, and one that others follow
        // the gaps between these.
        let is_locked = text.contains("1205")
            && theirs.answer != ours.answer
            && lane.db.backend() == DbBackend::MySql;
        let locks_more = |answered: &Answered| {
            answered.answer.is_error() || answered.op.as_ref().is_some_and(has_followers)
        };
        return is_locked && lane.path.in_transaction() && before.iter().any(locks_more);
    }
    match (lane.path, lane.db.backend(), &ours.op) {
        // MariaDB may skip a number after it where a trigger inserts into a numbered table, as the log is.
        (CapturePath::TriggersAlone, DbBackend::MySql, Some(Op::Sql(sql))) => {
            let words = words(&sql.text);
            let has = |word: &str| words.iter().any(|other| other == word);
            has("INSERT") && has("ID") && has("NULL")
        }
        // A bulk builder on a plain transaction runs inside a savepoint, so that its failure does not abort the transaction.
        (CapturePath::HooksTransaction, DbBackend::Postgres, Some(_)) => {
            is_bulk(ours) && theirs.answer.is_error()
        }
        _ => false,
    }
}

/// Whether rows of other tables may follow what it writes.
fn has_followers(op: &Op) -> bool {
    match op {
        Op::Sql(sql) => {
            let words = words(&sql.text);
            let has = |among: &[&str]| words.iter().any(|word| among.contains(&word.as_str()));
            has(&["PARENT", "TREE"]) && has(&["UPDATE", "DELETE", "REPLACE"])
        }
        Op::Model(op) => ["parent", "tree"].contains(&op.entity),
    }
}

/// The columns that need not be recorded: what a trigger of the application's own does to a row is not recorded by hooks,
/// but for what INSERT and UPDATE return.
pub(crate) fn ignored(lane: &Lane) -> &'static [(&'static str, &'static str)] {
    match lane.db.backend() {
        _ if !lane.path.has_hooks_only() => &[],
        DbBackend::Sqlite => &[("shop", "stamp"), ("shop", "title")],
        _ => &[("shop", "stamp")],
    }
}

/// Takes out what triggers do not see, and hooks, which do not run after an insert of a negative key on MySQL: SeaORM says
/// that it failed.
pub(crate) fn records(lane: &Lane, ops: &[Op], answers: &[Answered], judgement: &mut Judgement) {
    if lane.path.has_hooks_only() && lane.db.backend() == DbBackend::MySql {
        let is_unseen = |answered: &&Answered| matches!(&answered.answer, Answer::Failed(failure) if failure.variant == "UnpackInsertId");
        for answered in answers.iter().filter(is_unseen) {
            if let Some(Op::Model(op)) = &answered.op {
                judgement.forget(op.entity);
            }
        }
    }
    if !lane.path.has_triggers() {
        return;
    }
    let unseen: &[&str] = match lane.db.backend() {
        // It fires no DELETE triggers then, unless `recursive_triggers` is on.
        DbBackend::Sqlite => &["REPLACE"],
        // Its triggers see the value that is out of range or NULL, not the one that IGNORE stores, and the rows that it
        // leaves as they are; TRUNCATE fires none.
        DbBackend::MySql => &["IGNORE", "TRUNCATE"],
        _ => return,
    };
    for table in ops.iter().flat_map(|op| written(op, &[unseen])) {
        judgement.forget(table);
    }
    if lane.db.backend() == DbBackend::MySql {
        // Where the table has a BEFORE trigger, they see the NULL that a joined UPDATE stores as 0.
        for table in ops
            .iter()
            .flat_map(|op| written(op, &[&["JOIN"], &["NULL"]]))
        {
            judgement.forget(table);
        }
    }
}

/// The tables that statements with one word of each of these lists write.
fn written(op: &Op, among: &[&[&str]]) -> Vec<&'static str> {
    let Op::Sql(sql) = op else {
        return Vec::new();
    };
    let parts = sql.text.split(";\n").map(words);
    let has =
        |part: &[String], list: &[&str]| part.iter().any(|word| list.contains(&word.as_str()));
    parts
        .filter(|part| among.iter().all(|list| has(part, list)))
        .filter_map(|part| {
            part.iter().find_map(|word| {
                let mut names = TABLES.iter().map(|table| table.name);
                names.find(|name| name.eq_ignore_ascii_case(word))
            })
        })
        .collect()
}
