//! SQL text with placeholders for bound values, and the builder that composes statements from it.

use sea_orm::sea_query::Value;
use sea_orm::{DbBackend, Statement};
use sqlparser::tokenizer::Token;

use super::literals::bindable_literals;

/// Marks a bound value's position in rendered SQL; a text that contains it is not supported.
pub(super) const MARK: char = '\u{1}';

/// A part of SQL text. Bound values are identified by their position in the original statement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Bind(usize),
    /// A literal that is bound, so that one text serves all values.
    Literal(Value),
}

impl Template {
    /// Reads rendered SQL, in which `MARK position MARK` stands for a bound value.
    pub(super) fn read(rendered: &str) -> Self {
        let pieces = rendered
            .split(MARK)
            .enumerate()
            .filter(|(_, text)| !text.is_empty())
            .map(|(at, text)| match (at % 2, text.parse()) {
                (1, Ok(position)) => Piece::Bind(position),
                _ => Piece::Text(text.to_owned()),
            });
        Self(pieces.collect())
    }
}

impl Template {
    /// Reads tokens of a MySQL expression without bound values, and binds its literals.
    pub(super) fn with_bound_literals(tokens: &[Token]) -> Self {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        for (token, literal) in tokens.iter().zip(bindable_literals(tokens)) {
            match literal {
                Some(literal) => {
                    if literal.decimals.is_some() {
                        text.push_str("CAST(");
                    }
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    pieces.push(Piece::Literal(literal.value));
                    if let Some((digits, decimals)) = literal.decimals {
                        text = format!(" AS DECIMAL({digits}, {decimals}))");
                    }
                }
                None => text.push_str(&token.to_string()),
            }
        }
        pieces.push(Piece::Text(text));
        pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
        Self(pieces)
    }

    /// The value of a template that is only a bound value or an integer.
    pub(crate) fn value(&self, source: &[Value]) -> Option<Value> {
        match self.0.as_slice() {
            [Piece::Bind(at)] => source.get(*at).cloned(),
            [Piece::Literal(value)] => Some(value.clone()),
            [Piece::Text(text)] => text.trim().parse().ok().map(|v| Value::BigInt(Some(v))),
            _ => None,
        }
    }
}

/// Writes a statement.
pub(crate) struct SqlBuilder<'a> {
    backend: DbBackend,
    source: &'a [Value],
    sql: String,
    values: Vec<Value>,
}

impl<'a> SqlBuilder<'a> {
    /// Begins a statement whose templates use these values.
    pub(crate) fn new(backend: DbBackend, source: &'a [Value]) -> Self {
        Self {
            backend,
            source,
            sql: String::new(),
            values: Vec::new(),
        }
    }

    pub(crate) fn text(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    pub(crate) fn name(&mut self, name: &str) -> &mut Self {
        let quoted = quoted(self.backend, name);
        self.text(&quoted)
    }

    pub(crate) fn value(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        if self.backend == DbBackend::Postgres {
            self.sql.push('$');
            self.sql.push_str(&self.values.len().to_string());
        } else {
            self.sql.push('?');
        }
        self
    }

    pub(crate) fn template(&mut self, template: &Template) -> &mut Self {
        for piece in &template.0 {
            match piece {
                Piece::Text(text) => self.sql.push_str(text),
                Piece::Literal(value) => {
                    self.value(value.clone());
                }
                // A statement with fewer values than placeholders fails in the database, too.
                Piece::Bind(at) => {
                    let value = self.source.get(*at).cloned();
                    self.value(value.unwrap_or(Value::String(None)));
                }
            }
        }
        self
    }

    pub(crate) fn finish(mut self) -> Statement {
        if self.backend == DbBackend::Postgres {
            // sqlx keeps one prepared statement for a text, whatever the types of its values; two statements of the
            // application may produce the same internal text.
            let kinds = kinds(&self.values);
            if !kinds.is_empty() {
                self.sql.push_str(" /* ");
                self.sql.push_str(&kinds);
                self.sql.push_str(" */");
            }
        }
        Statement::from_sql_and_values(self.backend, self.sql, self.values)
    }
}

/// The types of values; consecutive ones form one word.
fn kinds(values: &[Value]) -> String {
    let mut kinds: Vec<String> = Vec::new();
    for value in values {
        let kind = match value {
            Value::Array(kind, _) => format!("{kind:?}[]"),
            value => format!("{:?}", value.as_null()),
        };
        let kind: String = (kind.chars())
            .take_while(|c| *c != '(')
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '[' | ']'))
            .collect();
        if kinds.last() != Some(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(" ")
}

/// An identifier in quotes.
pub(crate) fn quoted(backend: DbBackend, name: &str) -> String {
    let quote = if backend == DbBackend::MySql {
        '`'
    } else {
        '"'
    };
    let mut text = String::with_capacity(name.len() + 2);
    text.push(quote);
    for c in name.chars() {
        if c == quote {
            text.push(quote);
        }
        text.push(c);
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbered_anew_in_the_order_of_their_places() {
        let source = [Value::from(1), Value::from("b"), Value::from(3)];
        let template = Template::read("a = \u{1}2\u{1} AND b = \u{1}1\u{1}");
        let mut composer = SqlBuilder::new(DbBackend::Postgres, &source);
        composer
            .text("SELECT ")
            .name("x\"y")
            .text(" WHERE ")
            .template(&template);
        let statement = composer.finish();
        assert_eq!(
            statement.sql,
            r#"SELECT "x""y" WHERE a = $1 AND b = $2 /* Int String */"#
        );
        assert_eq!(
            statement.values.map(|values| values.0),
            Some(vec![Value::from(3), Value::from("b")])
        );
    }
}
