//! The permitted differences: those that auditing does not cause, and the documented gaps of hooks and triggers.

use sea_orm::DbBackend;

use crate::answer::Answer;
use crate::case::Case;
use crate::lane::{CapturePath, Dump, Lane};
use crate::log_replay::Judgement;
use crate::model_op::ModelOp;
use crate::op::Op;
use crate::run_case::Answered;
use crate::tables::TABLES;
use crate::words::words;

/// Whether an answer may differ in this respect.
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
    // All rows are locked first, so another client's change of a row may fail the statement before its own failing row.
    if is_postgres && case.other_isolation && theirs.answer.is_error() && our_code == "40001" {
        return true;
    }
    // In an aborted transaction the builder's savepoint fails.
    if is_postgres
        && lane.path == CapturePath::HooksTransaction
        && is_bulk(ours)
        && our_code == "25P02"
    {
        let does_nothing =
            matches!(&theirs.answer, Answer::Called(text) if text == "0" || text == "None");
        // The builder then never sends the statement that would be refused.
        return does_nothing || theirs.answer.is_error();
    }
    let Some(Op::Sql(sql)) = &ours.op else {
        return false;
    };
    if lane.db.backend() != DbBackend::MySql || lane.path != CapturePath::TriggersAlone {
        return false;
    }
    // MariaDB counts the deleted row of a REPLACE if a table has triggers, and gives no ID for INSERT … SELECT and
    // LAST_INSERT_ID(..), whatever the triggers do. An audited connection is compared with a bare one.
    let words = words(&sql.text);
    let has = |word: &str| words.iter().any(|other| other == word);
    match what {
        "rows_affected" => has("REPLACE"),
        "last_insert_id" => has("SELECT") || has("LAST_INSERT_ID"),
        _ => false,
    }
}

/// Whether the rows of the tables may differ. A joined UPDATE reads rows in the order of the server's plan, which follows
/// the statistics of each database, and the trigger of `shop` numbers its rows in this order.
pub(crate) fn tables(lane: &Lane, ops: &[Op], theirs: &Dump, ours: &Dump) -> bool {
    let is_joined = |op: &Op| written(op, &[&["UPDATE"], &["JOIN"]]).contains(&"shop");
    if lane.db.backend() != DbBackend::MySql || !ops.iter().any(is_joined) {
        return false;
    }
    let unnumbered = |dump: &Dump| {
        let mut dump = dump.clone();
        for row in dump.get_mut("seen").into_iter().flatten() {
            *row = row.split_once(',').unwrap_or_default().1.to_owned();
        }
        dump.get_mut("seen")
            .into_iter()
            .for_each(|rows| rows.sort());
        dump
    };
    unnumbered(theirs) == unnumbered(ours)
}

/// Whether a transaction may read older rows from here on. On MariaDB the plain read before an upsert takes a snapshot,
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

/// Whether these answers, and all later ones, may differ.
pub(crate) fn ends_comparison(
    lane: &Lane,
    theirs: &Answered,
    ours: &Answered,
    before: &[Answered],
) -> bool {
    if let (Answer::Other(their), Answer::Other(text)) = (&theirs.answer, &ours.answer) {
        // A bulk builder on a plain transaction runs in a savepoint, and the rollback of a failed one ends its locks.
        if lane.path == CapturePath::HooksTransaction
            && lane.db.backend() == DbBackend::MySql
            && their.contains("1205")
            && !text.contains("1205")
        {
            return (before.iter()).any(|answered| is_bulk(answered) && answered.answer.is_error());
        }
        // A failed statement has locked its rows, or the gap of missing rows. A statement with rows that follow it has
        // locked the gaps between those.
        let is_locked = text.contains("1205")
            && theirs.answer != ours.answer
            && lane.db.backend() == DbBackend::MySql;
        let locks_more = |answered: &Answered| {
            answered.answer.is_error() || answered.op.as_ref().is_some_and(has_followers)
        };
        return is_locked && lane.path.in_transaction() && before.iter().any(locks_more);
    }
    match (lane.path, lane.db.backend(), &ours.op) {
        // MariaDB may skip a number if a trigger inserts into a numbered table such as the log.
        (CapturePath::TriggersAlone, DbBackend::MySql, Some(Op::Sql(sql))) => {
            let words = words(&sql.text);
            let has = |word: &str| words.iter().any(|other| other == word);
            has("INSERT") && has("ID") && has("NULL")
        }
        // A bulk builder on a plain transaction runs in a savepoint, so its failure does not abort the transaction.
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

/// The columns that need not be recorded: hooks do not record what an application's trigger does to a row, except for
/// what INSERT and UPDATE return.
pub(crate) fn ignored(lane: &Lane) -> &'static [(&'static str, &'static str)] {
    match lane.db.backend() {
        _ if !lane.path.has_hooks_only() => &[],
        DbBackend::Sqlite => &[("shop", "stamp"), ("shop", "title")],
        _ => &[("shop", "stamp")],
    }
}

/// The calls that hooks miss: they do not run after an insert of a negative key on MySQL, since SeaORM reports an error.
pub(crate) fn missed_by_hooks<'a>(
    lane: &Lane,
    answers: &'a [Answered],
) -> impl Iterator<Item = &'a ModelOp> {
    let is_affected = lane.path.has_hooks_only() && lane.db.backend() == DbBackend::MySql;
    answers
        .iter()
        .filter_map(move |answered| match (&answered.op, &answered.answer) {
            (Some(Op::Model(op)), Answer::Failed(failure))
                if is_affected && failure.variant == "UnpackInsertId" =>
            {
                Some(op)
            }
            _ => None,
        })
}

/// Removes rows that hooks or triggers miss.
pub(crate) fn records(lane: &Lane, ops: &[Op], answers: &[Answered], judgement: &mut Judgement) {
    for op in missed_by_hooks(lane, answers) {
        judgement.forget(op.entity);
    }
    if !lane.path.has_triggers() {
        return;
    }
    let unseen: &[&str] = match lane.db.backend() {
        // REPLACE fires no DELETE triggers unless `recursive_triggers` is on.
        DbBackend::Sqlite => &["REPLACE"],
        // Triggers see the out-of-range value or NULL, not the value that IGNORE stores, and also the rows that IGNORE
        // leaves unchanged. TRUNCATE fires none.
        DbBackend::MySql => &["IGNORE", "TRUNCATE"],
        _ => return,
    };
    for table in ops.iter().flat_map(|op| written(op, &[unseen])) {
        judgement.forget(table);
    }
    if lane.db.backend() == DbBackend::MySql {
        // If the table has a BEFORE trigger, they see the NULL that a joined UPDATE stores as 0.
        for table in ops
            .iter()
            .flat_map(|op| written(op, &[&["JOIN"], &["NULL"]]))
        {
            judgement.forget(table);
        }
    }
}

/// The tables that are written by statements with a word of each of these lists.
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
