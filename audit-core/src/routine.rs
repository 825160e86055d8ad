//! What the body of a trigger may write, or of a function or procedure that it calls.
//!
//! The text is read as tokens and not parsed, because each database has a language of its own around SQL. A table
//! counts as written if its name stands where a write names its tables. In doubt it counts as written.

#[cfg(feature = "statements")]
mod named_tables;

use sea_orm::DbBackend;

/// The length in bytes of the longest name of a table: 64 characters.
const LONGEST_NAME: usize = 256;

/// A table or routine as a text names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    /// `None` for a name without a schema.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

/// What a body may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// The tables that it may write; other words can be among them.
    pub writes: Vec<Named>,
    /// The functions and procedures that it may call; those of the database itself can be among them.
    pub calls: Vec<Named>,
}

impl Body {
    /// Reads a body in SQL or in a language around it.
    ///
    /// A body that runs SQL which it composes (`EXECUTE`) may write every table and call every routine that it names
    /// anywhere, in strings and in the arguments of its trigger as well. So may a text that cannot be divided into tokens,
    /// and any text in a build without the parser.
    #[must_use]
    pub fn read(backend: DbBackend, text: &str, arguments: &str) -> Self {
        #[cfg(feature = "statements")]
        if let Some(body) = Self::of_tokens(backend, text, arguments) {
            return body;
        }
        #[cfg(not(feature = "statements"))]
        let _ = backend;
        Self::of_words(text, arguments)
    }

    /// Reads a body in another language: it may write every table that it names.
    #[must_use]
    pub fn of_words(text: &str, arguments: &str) -> Self {
        let mut body = Self::default();
        body.add_words(text);
        body.add_words(arguments);
        body
    }

    /// The words of any text, and the whole text where it may be a name with spaces.
    fn add_words(&mut self, text: &str) {
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let whole = (text.len() <= LONGEST_NAME).then_some(text);
        for word in words.chain(whole).filter(|word| !word.is_empty()) {
            self.add_either(Named {
                schema: None,
                name: word.to_owned(),
            });
        }
    }

    /// A name that may be of a table or of a routine.
    fn add_either(&mut self, name: Named) {
        if !self.writes.contains(&name) {
            self.writes.push(name.clone());
        }
        if !self.calls.contains(&name) {
            self.calls.push(name);
        }
    }
}

#[cfg(all(test, feature = "statements"))]
mod tests;
