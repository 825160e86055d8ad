//! A case: the steps that run from the same first rows.

use sea_orm::DbBackend;

use crate::choice::Choices;
use crate::op::Op;
use crate::other_client::OtherClient;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Whether it has no statements of the application's own, so that hooks see every write.
    pub(crate) models_only: bool,
    pub(crate) steps: Vec<Step>,
    /// Whether the transaction is committed, if there is one.
    pub(crate) commit: bool,
    /// Whether the transaction has another isolation level than the default: REPEATABLE READ on PostgreSQL, READ
    /// COMMITTED on MariaDB.
    pub(crate) other_isolation: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// One statement or call, by the choices that produce it.
    Do(Vec<u32>),
    Savepoint {
        steps: Vec<Step>,
        commit: bool,
    },
    /// Another client writes during the transaction.
    Other(OtherClient),
}

impl Case {
    pub(crate) fn random(seed: u64, backend: DbBackend) -> Self {
        let mut choices = Choices::random(seed);
        let models_only = choices.one_in(5);
        // Outside of a transaction most are compared alone.
        let number = if choices.one_in(2) {
            1
        } else {
            2 + choices.pick(5)
        };
        let mut steps = Vec::new();
        let mut seed = seed;
        let mut op = |choices: &mut Choices| {
            seed = seed.wrapping_add(0x1234_5678_9abc_def1);
            let _ = choices;
            let mut choices = Choices::random(seed);
            Op::of(&mut choices, backend, models_only);
            Step::Do(choices.into_made())
        };
        for _ in 0..number {
            if choices.one_in(4) {
                let mut inner: Vec<Step> =
                    (0..=choices.pick(3)).map(|_| op(&mut choices)).collect();
                if choices.one_in(4) {
                    let nested = vec![op(&mut choices)];
                    let commit = !choices.one_in(2);
                    inner.push(Step::Savepoint {
                        steps: nested,
                        commit,
                    });
                }
                let commit = !choices.one_in(3);
                steps.push(Step::Savepoint {
                    steps: inner,
                    commit,
                });
            } else {
                steps.push(op(&mut choices));
            }
        }
        let commit = !choices.one_in(8);
        // SQLite has one writer.
        let has_other = backend != DbBackend::Sqlite && choices.one_in(4);
        if has_other {
            for _ in 0..=choices.pick(2) {
                let at = choices.pick(steps.len() + 1);
                steps.insert(at, Step::Other(OtherClient::random(&mut choices)));
            }
        }
        Self {
            models_only,
            steps,
            commit,
            other_isolation: has_other && choices.one_in(3),
        }
    }

    /// Whether another client writes, where there is a transaction.
    pub(crate) fn has_other_client(&self) -> bool {
        fn has(steps: &[Step]) -> bool {
            steps.iter().any(|step| match step {
                Step::Do(_) => false,
                Step::Savepoint { steps, .. } => has(steps),
                Step::Other(_) => true,
            })
        }
        has(&self.steps)
    }

    /// The statements in their order.
    pub(crate) fn ops(&self, backend: DbBackend, in_transaction: bool) -> Vec<Op> {
        fn add(case: &Case, backend: DbBackend, steps: &[Step], ops: &mut Vec<Op>) {
            for step in steps {
                match step {
                    Step::Do(made) => {
                        ops.push(Op::of(&mut Choices::again(made), backend, case.models_only));
                    }
                    Step::Savepoint { steps, .. } => add(case, backend, steps, ops),
                    Step::Other(_) => {}
                }
            }
        }
        let mut ops = Vec::new();
        add(self, backend, &self.steps, &mut ops);
        ops.retain(|op| op.runs(backend, in_transaction));
        ops
    }

    /// The case as it is printed.
    pub(crate) fn text(&self, backend: DbBackend, in_transaction: bool) -> String {
        let mut text = String::new();
        if in_transaction {
            let level = match backend {
                _ if !self.other_isolation => "",
                DbBackend::MySql => " at READ COMMITTED",
                _ => " at REPEATABLE READ",
            };
            text.push_str(&format!("    BEGIN{level}\n"));
        }
        self.write(&self.steps, backend, in_transaction, 2, &mut text);
        if in_transaction {
            text.push_str(if self.commit {
                "    COMMIT\n"
            } else {
                "    ROLLBACK\n"
            });
        }
        text
    }

    fn write(
        &self,
        steps: &[Step],
        backend: DbBackend,
        in_transaction: bool,
        depth: usize,
        text: &mut String,
    ) {
        let indent = "  ".repeat(depth);
        for step in steps {
            match step {
                Step::Do(made) => {
                    let op = Op::of(&mut Choices::again(made), backend, self.models_only);
                    if op.runs(backend, in_transaction) {
                        text.push_str(&format!("{indent}{op}\n"));
                    }
                }
                Step::Other(other) if in_transaction => {
                    if other.reads_before {
                        text.push_str(&format!("{indent}{}\n", other.read()));
                    }
                    text.push_str(&format!("{indent}another client: {}\n", other.write()));
                    if other.reads_after {
                        text.push_str(&format!("{indent}{}\n", other.read()));
                    }
                }
                Step::Other(_) => {}
                Step::Savepoint { steps, commit } => {
                    if in_transaction {
                        text.push_str(&format!("{indent}SAVEPOINT\n"));
                    }
                    self.write(steps, backend, in_transaction, depth + 1, text);
                    if in_transaction {
                        let end = if *commit { "RELEASE" } else { "ROLLBACK TO" };
                        text.push_str(&format!("{indent}{end}\n"));
                    }
                }
            }
        }
    }
}
