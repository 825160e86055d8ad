//! The differences that were found, by kind.

use std::collections::BTreeMap;

use sea_orm::DbBackend;

use crate::case::Case;
use crate::lane::Road;
use crate::op::Op;
use crate::run::Difference;

/// How many kinds are printed.
const PRINTED: usize = 30;

/// How many cases of one kind are made smaller, to see whether they are of several shapes.
const SHRUNK: usize = 4;

#[derive(Default)]
pub(crate) struct Findings {
    /// How often a kind was found, whatever the statement.
    found: BTreeMap<String, usize>,
    shapes: BTreeMap<String, Finding>,
}

struct Finding {
    times: usize,
    text: String,
}

impl Findings {
    /// Whether another case of the kind is worth being made smaller.
    pub(crate) fn wants(&self, kind: &str) -> bool {
        self.found.get(kind).is_none_or(|times| *times < SHRUNK)
    }

    pub(crate) fn count(&mut self, kind: &str) {
        *self.found.entry(kind.to_owned()).or_default() += 1;
    }

    pub(crate) fn add(
        &mut self,
        backend: DbBackend,
        road: Road,
        number: u64,
        kind: &str,
        case: &Case,
        difference: &Difference,
    ) {
        self.count(kind);
        let in_transaction = road.in_transaction();
        let ops = case.ops(backend, in_transaction);
        let blamed: Vec<String> = match difference.at.and_then(|at| ops.get(at)) {
            Some(op) => vec![shape(op)],
            None => ops.iter().map(shape).collect(),
        };
        let key = format!("{kind} | {}", blamed.join("; "));
        let finding = self.shapes.entry(key).or_insert_with(|| Finding {
            times: 0,
            text: format!(
                "{kind} (case {number})\n{}{}",
                case.text(backend, in_transaction),
                difference.details
            ),
        });
        finding.times += 1;
    }

    /// # Panics
    /// When there is any.
    pub(crate) fn assert_none(&self, backend: DbBackend, seed: u64) {
        if self.found.is_empty() {
            return;
        }
        let mut text = format!("{backend:?}, EQUIVALENCE_SEED={seed}: audited statements differ\n");
        for (kind, times) in &self.found {
            text.push_str(&format!("{times:5} × {kind}\n"));
        }
        text.push_str("\nThe smallest of each:\n");
        for finding in self.shapes.values().take(PRINTED) {
            text.push_str(&format!("\n* {}\n", finding.text));
        }
        if self.shapes.len() > PRINTED {
            text.push_str(&format!("\nand {} more\n", self.shapes.len() - PRINTED));
        }
        panic!("{text}");
    }
}

/// The statement without its numbers, texts and names of values.
fn shape(op: &Op) -> String {
    let Op::Sql(sql) = op else {
        let Op::Model(op) = op else { unreachable!() };
        return format!("{:?} {}", op.call, op.entity);
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
            '\n' | '\t' => shape.push(' '),
            c => shape.push(c),
        }
    }
    shape
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_uppercase()
}
