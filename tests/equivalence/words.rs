//! The words of a text outside of its strings and comments, and the statement of a report.

use sea_orm_audit::entity::audit_system_event;

use crate::op::Op;
use crate::tables::{TABLES, Table};

/// The words of a text in upper case, without literals and comments.
pub(crate) fn words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => while chars.next().is_some_and(|c| c != '\'') {},
            '-' if chars.peek() == Some(&'-') => while chars.next().is_some_and(|c| c != '\n') {},
            '#' => while chars.next().is_some_and(|c| c != '\n') {},
            '/' if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
            }
            c if c.is_alphabetic() || c == '_' => {
                let mut word: String = c.to_uppercase().collect();
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    word.extend(c.to_uppercase());
                }
                words.push(word);
            }
            _ => {}
        }
    }
    words
}

/// A report of an unrecorded statement.
#[derive(Debug)]
pub(crate) struct Report {
    words: Vec<String>,
    outline: String,
    text: String,
}

impl Report {
    /// `None` for an event that reports no statement.
    pub(crate) fn of(event: &audit_system_event::Model) -> Option<Self> {
        let (_, outline) = event.description.as_ref()?.split_once(": ")?;
        let is_report = event.title.contains("that is not recorded");
        // The keys follow the statement.
        let outline = outline.split(" (keys: ").next().unwrap_or_default();
        is_report.then(|| Self {
            words: words(outline),
            outline: outline.to_owned(),
            text: format!("{}: {:?}", event.title, event.description),
        })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The tables that it names.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &'static str> + '_ {
        let names = TABLES.iter().map(|table| table.name);
        names.filter(|name| self.words.contains(&name.to_uppercase()))
    }

    /// Whether it can be of this statement: its words occur in the same order in the statement. What SeaORM sends for a
    /// call has its verb and the quoted name of the table.
    pub(crate) fn is_of(&self, op: &Op) -> bool {
        match op {
            Op::Model(op) => {
                let table = TABLES.iter().find(|table| table.entity == op.entity);
                let names = |table: &Table| {
                    let has = |quote: &str| {
                        let name = format!("{quote}{}{quote}", table.name);
                        self.outline.contains(&name)
                    };
                    has("`") || has("\"")
                };
                let verb = self.words.first().map(String::as_str).unwrap_or_default();
                op.call.verbs().contains(&verb) && table.is_some_and(names)
            }
            Op::Sql(sql) => {
                let mut all = words(&sql.text).into_iter();
                (self.words.iter()).all(|word| all.any(|other| other == *word))
            }
        }
    }
}
