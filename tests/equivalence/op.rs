//! One statement, or one call of SeaORM's builders and models.

use sea_orm::{DbBackend, Value};

use crate::change::change;
use crate::choice::Choices;
use crate::insert::insert;
use crate::model_op::ModelOp;
use crate::odd;
use crate::tables::TABLES;
use crate::text::Text;
use crate::words::words;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Sql(Sql),
    Model(ModelOp),
}

/// The ID of the last INSERT on this MariaDB connection, read and not set.
const LAST_INSERT_ID: &str = "LAST_INSERT_ID()";

/// The function that sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Execute,
    Unprepared,
    QueryOne,
    QueryAll,
}

#[derive(Clone, Debug)]
pub(crate) struct Sql {
    pub(crate) text: String,
    pub(crate) values: Vec<Value>,
    pub(crate) via: Via,
    /// Whether it is from `odd`: many of those are reported on purpose.
    pub(crate) is_odd: bool,
}

impl Op {
    pub(crate) fn of(choices: &mut Choices, backend: DbBackend, models_only: bool) -> Self {
        if models_only {
            return Self::Model(ModelOp::of(choices, backend, true));
        }
        match choices.weighted(&[10, 9, 4, 1, 1]) {
            2 => Self::Model(ModelOp::of(choices, backend, false)),
            3 => Self::Sql(odd::odd(choices, backend)),
            4 => {
                // Several statements in one text.
                let texts = [0, 1].map(|_| sql(choices, backend, true).text);
                Self::Sql(Sql {
                    text: texts.join(";\n"),
                    values: Vec::new(),
                    via: Via::Unprepared,
                    is_odd: false,
                })
            }
            _ => Self::Sql(sql(choices, backend, false)),
        }
    }

    /// Its description in a few words.
    pub(crate) fn verb(&self) -> String {
        const WORDS: [&str; 21] = [
            "INSERT",
            "REPLACE",
            "UPDATE",
            "DELETE",
            "MERGE",
            "TRUNCATE",
            "SELECT",
            "IGNORE",
            "FAIL",
            "CONFLICT",
            "DUPLICATE",
            "RETURNING",
            "FROM",
            "JOIN",
            "USING",
            "WITH",
            "LIMIT",
            "DO",
            "EXPLAIN",
            "COPY",
            "LAST_INSERT_ID",
        ];
        match self {
            Self::Sql(sql) => {
                let text = sql.text.to_uppercase();
                let mut words: Vec<&str> = text
                    .split(|c: char| !c.is_ascii_alphabetic() && c != '_')
                    .filter(|word| WORDS.contains(word))
                    .collect();
                words.dedup();
                words.truncate(4);
                format!("{} by {:?}", words.join(" "), sql.via)
            }
            Self::Model(op) => format!("{:?}", op.call),
        }
    }

    /// Whether it is several statements in one text.
    pub(crate) fn is_several(&self) -> bool {
        matches!(self, Self::Sql(sql) if sql.text.contains(";\n"))
    }

    /// The kind of write, for the share of reported statements; `None` for odd texts and several statements.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Sql(sql) if sql.is_odd || self.is_several() => None,
            Self::Sql(sql) => {
                const KINDS: [(&str, [&str; 2]); 4] = [
                    ("INSERT", ["plain INSERT", "INSERT"]),
                    ("REPLACE", ["REPLACE", "REPLACE"]),
                    ("UPDATE", ["plain UPDATE", "UPDATE"]),
                    ("DELETE", ["plain DELETE", "DELETE"]),
                ];
                // Many statements with one of these are reported, in different shares on each database.
                const CLAUSES: [&str; 10] = [
                    "CONFLICT",
                    "DUPLICATE",
                    "FAIL",
                    "IGNORE",
                    "JOIN",
                    "LIMIT",
                    "SELECT",
                    "USING",
                    "WITH",
                    "OTHER",
                ];
                let words = words(&sql.text);
                let has_clause = words.iter().any(|word| CLAUSES.contains(&word.as_str()));
                let is_or = words.get(1).is_some_and(|word| word == "OR");
                let (_, names) =
                    (words.iter()).find_map(|word| KINDS.iter().find(|(verb, _)| verb == word))?;
                Some(names[usize::from(has_clause || is_or)])
            }
            Self::Model(op) => Some(op.call.kind()),
        }
    }

    /// Whether it means the same on a connection and in a transaction. Statements that end a transaction, such as
    /// TRUNCATE on MariaDB, do not, nor do those that depend on a pooled connection's state.
    pub(crate) fn runs(&self, backend: DbBackend, in_transaction: bool) -> bool {
        match self {
            Self::Sql(sql) => {
                let text = sql.text.to_uppercase();
                let ends = text.contains("ROLLBACK")
                    || backend == DbBackend::MySql && text.contains("TRUNCATE");
                !(in_transaction && ends) && (in_transaction || !text.contains(LAST_INSERT_ID))
            }
            Self::Model(_) => true,
        }
    }
}

impl std::fmt::Display for Op {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sql(sql) => {
                write!(f, "[{:?}] {}", sql.via, sql.text)?;
                if !sql.values.is_empty() {
                    write!(f, "  -- {:?}", sql.values)?;
                }
                Ok(())
            }
            Self::Model(op) => write!(f, "{op:?}"),
        }
    }
}

fn sql(choices: &mut Choices, backend: DbBackend, literal: bool) -> Sql {
    let table = choices.of(TABLES);
    let insertion = choices.pick(5) < 2;
    let mut text = if literal {
        Text::literal(choices, backend)
    } else {
        Text::new(choices, backend)
    };
    let returns = if insertion {
        insert(&mut text, table)
    } else {
        change(&mut text, table)
    };
    let (text, values) = text.finish();
    let mut via = vec![Via::Execute];
    if returns {
        via.splice(0..0, [Via::QueryAll, Via::QueryAll]);
        // MariaDB would send the error of a statement that fails after its first row with the next statement.
        if backend != DbBackend::MySql {
            via.push(Via::QueryOne);
        }
    } else {
        via.extend([Via::Execute, Via::QueryAll]);
    }
    if values.is_empty() {
        via.push(Via::Unprepared);
    }
    let via = *choices.of(&via);
    Sql {
        text,
        values,
        via,
        is_odd: false,
    }
}
