//! Comparing what a case leaves audited and unaudited.

use crate::lane::{Dump, Lane, Left};
use crate::op::Op;
use crate::permitted;
use crate::replay::judge;

/// A difference between a lane and its reference.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// What kind it is, the same for all of the kind.
    pub(crate) kind: String,
    /// Both answers.
    pub(crate) details: String,
    /// The statement that was answered otherwise, where one is known.
    pub(crate) at: Option<usize>,
}

impl Difference {
    /// What differs, whatever was done.
    pub(crate) fn what(&self) -> String {
        self.kind.split(": ").next().unwrap_or_default().to_owned()
    }
}

/// The differences of what a lane left, and the number of records with unknown values.
pub(crate) fn all_differences(
    lane: &Lane,
    reference: &Left,
    ours: &Left,
    ops: &[Op],
) -> (Vec<Difference>, usize) {
    let mut found = Vec::new();
    let longest = reference.answers.len().max(ours.answers.len());
    for at in 0..longest {
        let (Some(theirs), Some(our)) = (reference.answers.get(at), ours.answers.get(at)) else {
            let details = format!("    {:?} and\n    {:?}", reference.answers, ours.answers);
            found.push(Difference {
                kind: "other transaction control".into(),
                details,
                at: None,
            });
            break;
        };
        if let Some(what) = theirs
            .difference(our)
            .filter(|what| !permitted::answer(lane, what))
        {
            let verb = ops.get(at).map(Op::verb).unwrap_or_default();
            let details = format!("    unaudited: {theirs:?}\n    audited:   {our:?}");
            found.push(Difference {
                kind: format!("{what}: {verb}"),
                details,
                at: Some(at),
            });
            break;
        }
    }
    if reference.dump != ours.dump {
        let details = dumps(&reference.dump, &ours.dump);
        found.push(Difference {
            kind: format!("tables: {}", verbs(ops)),
            details,
            at: None,
        });
        return (found, 0);
    }
    let mut judgement = judge(
        &ours.log,
        &lane.first_contents,
        &ours.contents,
        &ours.unreadable,
        lane.road.has_triggers(),
    );
    let unknown = judgement.unknown;
    permitted::records(lane, ops, &mut judgement);
    let (what, lines) = if !judgement.wrong.is_empty() && ours.events.is_empty() {
        ("wrong record", judgement.wrong)
    } else if !judgement.missing.is_empty() && ours.events.is_empty() {
        ("missing record", judgement.missing)
    } else if !judgement.wrong.is_empty() && ours.answers.len() == 1 {
        ("wrong record of a reported statement", judgement.wrong)
    } else {
        return (found, unknown);
    };
    // Which row it is does not make the kind.
    let action = lines[0].split(' ').next().unwrap_or_default();
    let why = [
        "old ",
        "which is there already",
        "which is not there",
        "makes a second",
    ];
    let why = why
        .iter()
        .find(|why| lines[0].contains(**why))
        .unwrap_or(&"");
    let log: Vec<String> = (ours.log.iter())
        .map(|r| {
            format!(
                "      {} {} {} {} {}",
                r.action,
                r.model.as_deref().unwrap_or(""),
                r.object_id.as_deref().unwrap_or(""),
                r.source,
                r.changes
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            )
        })
        .collect();
    let details = format!(
        "    {}\n    the log:\n{}",
        lines.join("\n    "),
        log.join("\n")
    );
    let kind = format!("{what}: {action} {why}: {}", verbs(ops));
    found.push(Difference {
        kind,
        details,
        at: None,
    });
    (found, unknown)
}

/// What is done, if it is only one thing.
fn verbs(ops: &[Op]) -> String {
    match ops {
        [only] => only.verb(),
        _ => "several".to_owned(),
    }
}

fn dumps(theirs: &Dump, ours: &Dump) -> String {
    let mut text = String::new();
    let tables: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let none = Vec::new();
    for table in tables {
        let their = theirs.get(table).unwrap_or(&none);
        let our = ours.get(table).unwrap_or(&none);
        for row in their.iter().filter(|row| !our.contains(row)) {
            text.push_str(&format!("    unaudited: {table}: {row}\n"));
        }
        for row in our.iter().filter(|row| !their.contains(row)) {
            text.push_str(&format!("    audited:   {table}: {row}\n"));
        }
    }
    text.trim_end().to_owned()
}
