//! The text of a statement, in one of many equivalent forms.

use sea_orm::{DbBackend, Value};

use crate::choice::Choices;

/// A statement under construction.
pub(crate) struct Text<'c> {
    pub(crate) choices: &'c mut Choices,
    pub(crate) backend: DbBackend,
    sql: String,
    values: Vec<Value>,
    /// Whether values are bound rather than written out.
    binds: bool,
    quotes: usize,
    cases: usize,
    comments: bool,
}

impl<'c> Text<'c> {
    pub(crate) fn new(choices: &'c mut Choices, backend: DbBackend) -> Self {
        let binds = choices.one_in(3);
        Self::written(choices, backend, binds)
    }

    /// A statement that binds nothing.
    pub(crate) fn literal(choices: &'c mut Choices, backend: DbBackend) -> Self {
        Self::written(choices, backend, false)
    }

    fn written(choices: &'c mut Choices, backend: DbBackend, binds: bool) -> Self {
        let (mut quotes, mut cases, mut comments) = (0, 0, false);
        if choices.one_in(3) {
            quotes = choices.pick(3);
            cases = choices.pick(3);
            comments = choices.one_in(2);
        }
        let mut text = Self {
            choices,
            backend,
            sql: String::new(),
            values: Vec::new(),
            binds,
            quotes,
            cases,
            comments,
        };
        text.gap();
        text
    }

    /// The text and its values, if it has any.
    pub(crate) fn finish(mut self) -> (String, Vec<Value>) {
        self.gap();
        if self.comments && self.choices.one_in(3) {
            self.sql.push(';');
        }
        (self.sql, self.values)
    }

    fn gap(&mut self) {
        if !self.sql.is_empty() {
            self.sql.push(' ');
        }
        if self.comments && self.choices.one_in(6) {
            let comments: &[&str] = match self.backend {
                DbBackend::MySql => &[
                    "/* x */ ",
                    "-- it's ?\n",
                    "# a \"b\n",
                    "/* ; */\n\t",
                    "/*+ x */ ",
                ],
                _ => &[
                    "/* x */ ",
                    "-- it's\n",
                    "/* ; RETURNING */ ",
                    "\n\t",
                    "--\n",
                ],
            };
            let comment = *self.choices.of(comments);
            self.sql.push_str(comment);
        }
    }

    /// Keywords and punctuation.
    pub(crate) fn raw(&mut self, words: &str) -> &mut Self {
        for word in words.split(' ') {
            self.gap();
            match self.cases {
                1 => self.sql.push_str(&word.to_lowercase()),
                2 => {
                    for (at, c) in word.chars().enumerate() {
                        if at % 2 == 0 {
                            self.sql.extend(c.to_lowercase());
                        } else {
                            self.sql.push(c);
                        }
                    }
                }
                _ => self.sql.push_str(word),
            }
        }
        self
    }

    /// Text that stays unchanged.
    pub(crate) fn verbatim(&mut self, text: &str) -> &mut Self {
        self.gap();
        self.sql.push_str(text);
        self
    }

    fn quoted(&self, name: &str) -> String {
        match (self.quotes, self.backend) {
            (0, _) => name.to_owned(),
            (_, DbBackend::MySql) => format!("`{name}`"),
            (1, _) | (_, DbBackend::Postgres) => format!("\"{name}\""),
            _ => format!("[{name}]"),
        }
    }

    /// A column, perhaps with a table or alias before it.
    pub(crate) fn column(&mut self, before: Option<&str>, name: &str) -> &mut Self {
        self.gap();
        if let Some(before) = before {
            let before = self.quoted(before);
            self.sql.push_str(&before);
            self.sql.push('.');
        }
        let mut name = self.quoted(name);
        // For names that are not case-sensitive.
        if self.cases == 2 && (self.quotes == 0 || self.backend != DbBackend::Postgres) {
            name = name.to_uppercase();
        }
        self.sql.push_str(&name);
        self
    }

    pub(crate) fn table(&mut self, name: &str) -> &mut Self {
        self.gap();
        if self.quotes > 0 && self.choices.one_in(4) {
            let schema = match self.backend {
                DbBackend::Postgres => Some("public"),
                DbBackend::Sqlite => Some("main"),
                _ => None,
            };
            if let Some(schema) = schema {
                let schema = self.quoted(schema);
                self.sql.push_str(&schema);
                self.sql.push('.');
            }
        }
        let name = self.quoted(name);
        self.sql.push_str(&name);
        self
    }

    /// A value: bound if the statement binds, else a literal.
    pub(crate) fn value(&mut self, value: Option<Value>, literal: &str) -> &mut Self {
        let Some(value) = value.filter(|_| self.binds) else {
            return self.verbatim(literal);
        };
        self.gap();
        self.values.push(value);
        if self.backend == DbBackend::Postgres {
            self.sql.push_str(&format!("${}", self.values.len()));
        } else {
            self.sql.push('?');
        }
        self
    }

    /// The items with commas between.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.sql.push(',');
            }
            write(self, item);
        }
        self
    }

    pub(crate) fn is(&self, backend: DbBackend) -> bool {
        self.backend == backend
    }
}
