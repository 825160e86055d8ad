//! The differences that were found, by kind.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::DbBackend;

use crate::case::Case;
use crate::compare::Difference;
use crate::lane::CapturePath;
use crate::op::Op;

/// How many kinds are printed.
const PRINTED: usize = 30;

/// How many cases of one kind are shrunk, to see whether the kind has several forms.
const SHRUNK: usize = 2;

/// How many cases with the same difference are shrunk, whatever the statement.
const OF_KIND: usize = 8;

#[derive(Default)]
pub(crate) struct Findings {
    of_kind: BTreeMap<String, usize>,
    /// How often and where a kind was found, and how often it was shrunk.
    found: BTreeMap<String, (usize, BTreeSet<CapturePath>, usize)>,
    shapes: BTreeMap<String, String>,
}

impl Findings {
    /// Counts a difference. Returns whether the case should be shrunk.
    pub(crate) fn wants(&mut self, path: CapturePath, difference: &Difference) -> bool {
        let group = if path.has_hooks_only() { "hooks, " } else { "" };
        let (times, paths, shrunk) =
            (self.found.entry(format!("{group}{}", difference.kind))).or_default();
        *times += 1;
        paths.insert(path);
        let wants = *shrunk < SHRUNK && (*times <= 1 || *times > 8);
        *shrunk += usize::from(wants);
        let of_kind = self.of_kind.entry(difference.what()).or_default();
        *of_kind += usize::from(wants);
        wants && *of_kind <= OF_KIND
    }

    pub(crate) fn add(
        &mut self,
        backend: DbBackend,
        path: CapturePath,
        number: u64,
        case: &Case,
        difference: &Difference,
    ) {
        let in_transaction = path.in_transaction();
        let ops = case.ops(backend, in_transaction);
        let blamed: Vec<String> = match &difference.at {
            Some(op) => vec![shape(op)],
            None => ops.iter().map(shape).collect(),
        };
        let kind = &difference.kind;
        self.shapes
            .entry(format!("{kind} | {}", blamed.join("; ")))
            .or_insert_with(|| {
                format!(
                    "{kind} ({path:?}, case {number})\n{}{}",
                    case.text(backend, in_transaction),
                    difference.details
                )
            });
    }

    /// # Panics
    /// When there is any.
    pub(crate) fn assert_none(&self, backend: DbBackend, seed: u64) {
        if self.found.is_empty() {
            return;
        }
        let mut text = format!("{backend:?}, EQUIVALENCE_SEED={seed}: audited statements differ\n");
        let mut summary: BTreeMap<&str, (usize, BTreeSet<CapturePath>)> = BTreeMap::new();
        for (kind, (times, paths, _)) in &self.found {
            let (all, everywhere) = summary
                .entry(kind.split(": ").next().unwrap_or_default())
                .or_default();
            *all += times;
            everywhere.extend(paths);
        }
        for (what, (times, paths)) in summary {
            text.push_str(&format!("{times:5} × {what} {paths:?}\n"));
        }
        text.push_str("\nThe smallest of each:\n");
        for finding in self.shapes.values().take(PRINTED) {
            text.push_str(&format!("\n* {finding}\n"));
        }
        if self.shapes.len() > PRINTED {
            text.push_str(&format!("\nand {} more\n", self.shapes.len() - PRINTED));
        }
        panic!("{text}");
    }
}

/// The statement without its numbers, texts and names of values.
fn shape(op: &Op) -> String {
    let sql = match op {
        Op::Sql(sql) => sql,
        Op::Model(op) => return format!("{:?} {}", op.call, op.entity),
    };
    let mut shape = String::new();
    let mut quoted = false;
    for c in sql.text.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                if quoted {
                    shape.push('?');
                }
            }
            _ if quoted => {}
            '0'..='9' | '$' => {
                if !shape.ends_with('?') {
                    shape.push('?');
                }
            }
            c if c.is_whitespace() => shape.push(' '),
            c => shape.push(c),
        }
    }
    shape
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_uppercase()
}
