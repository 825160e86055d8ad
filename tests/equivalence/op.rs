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

/// What MariaDB remembers of the last INSERT on this connection, without setting it.
const LAST_INSERT_ID: &str = "LAST_INSERT_ID()";

/// Which function sends it.
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
    /// What no generator makes: much of it is reported on purpose.
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
                // Several in one text.
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

    /// What it does, in a word or a few.
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

    /// What kind of write it is, for the share of those that are reported; `None` for what is odd, or several.
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
                // With one of these much is reported, and in different shares on each database.
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

    /// Whether it means the same on a connection as in a transaction: what ends a transaction does not, as TRUNCATE on
    /// MariaDB, nor does what a connection of a pool remembers.
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
        // Of a statement that fails after its first row, MariaDB's error would come with the next statement.
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
