//! Another client, which writes between two steps of a transaction and commits at once.
//!
//! Its writes are not recorded. Whether the transaction sees them, waits for them or fails because of them must not
//! depend on the audit log.

use crate::choice::Choices;

/// The table and the write.
const WRITES: &[(&str, &str)] = &[
    ("item", "UPDATE item SET p = p + 77 WHERE id = 1"),
    ("item", "DELETE FROM item WHERE id = 2"),
    ("item", "INSERT INTO item (id, code, n) VALUES (70, 'z', 3)"),
    ("item", "UPDATE item SET id = 60, code = 'x' WHERE id = 4"),
    ("pair", "UPDATE pair SET n = 3 WHERE a = 1 AND b = 2"),
    ("pair", "DELETE FROM pair WHERE a = 2 AND b = 1"),
    (
        "label",
        "UPDATE label SET score = score + 5 WHERE name = 'b'",
    ),
    ("acct", "UPDATE acct SET email = 'z', n = 0 WHERE id = 'b'"),
    (
        "acct",
        "INSERT INTO acct (id, email, n) VALUES ('z', 'zz', 1)",
    ),
    (
        "parent",
        "INSERT INTO parent (id, title) VALUES (50, 'other')",
    ),
    ("child", "UPDATE child SET parent_id = 1 WHERE id = 4"),
    (
        "child",
        "INSERT INTO child (id, parent_id, n) VALUES (60, 2, 6)",
    ),
    ("tree", "UPDATE tree SET up_id = 5 WHERE id = 4"),
    ("shop", "UPDATE shop SET title = 'other' WHERE id = 2"),
    ("calc", "UPDATE calc SET a = 50 WHERE id = 3"),
    ("wide", "UPDATE wide SET small = 5 WHERE id = 2"),
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherClient {
    write: usize,
    /// Whether the transaction reads the table before, which gives it a snapshot at some levels.
    pub(crate) reads_before: bool,
    /// Whether it reads the table afterwards.
    pub(crate) reads_after: bool,
}

impl OtherClient {
    pub(crate) fn random(choices: &mut Choices) -> Self {
        Self {
            write: choices.pick(WRITES.len()),
            reads_before: choices.one_in(2),
            reads_after: choices.one_in(2),
        }
    }

    pub(crate) fn write(&self) -> &'static str {
        WRITES[self.write].1
    }

    /// The reads of the transaction.
    pub(crate) fn read(&self) -> String {
        format!("SELECT * FROM {}", WRITES[self.write].0)
    }

    /// The same with fewer reads.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        if self.reads_before {
            smaller.push(Self {
                reads_before: false,
                ..self.clone()
            });
        }
        if self.reads_after {
            smaller.push(Self {
                reads_after: false,
                ..self.clone()
            });
        }
        smaller
    }
}
