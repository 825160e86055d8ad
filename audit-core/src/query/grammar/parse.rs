//! From a text to filters.

use super::Limits;
use super::key::Key;
use super::scan::{Scan, Value};
use super::words;
use crate::query::error::{Problem, QueryError, shown};
use crate::query::filter::{Condition, Filter};

/// Words that are operators elsewhere. As texts they are quoted.
pub(super) const OPERATORS: [&str; 3] = ["AND", "OR", "NOT"];

/// Reads all filters of a text.
pub(super) fn filters(text: &str, limits: Limits) -> Result<Vec<Filter>, QueryError> {
    if text.len() > limits.bytes {
        let start = text.floor_char_boundary(limits.bytes);
        let (bytes, limit) = (text.len(), limits.bytes);
        let problem = Problem::TooLong { bytes, limit };
        return Err(QueryError::new(start..bytes, problem));
    }
    let mut parser = Parser {
        scan: Scan::new(text),
        limits,
        values: 0,
    };
    let mut filters = Vec::new();
    loop {
        parser.scan.skip_white_space();
        if parser.scan.rest().is_empty() {
            return Ok(filters);
        }
        if filters.len() == limits.filters {
            let start = parser.scan.at();
            let limit = limits.filters;
            let problem = Problem::TooManyFilters { limit };
            return Err(QueryError::new(start..text.len(), problem));
        }
        filters.push(parser.term()?);
    }
}

struct Parser<'a> {
    scan: Scan<'a>,
    limits: Limits,
    /// How many values there are so far.
    values: usize,
}

impl<'a> Parser<'a> {
    fn term(&mut self) -> Result<Filter, QueryError> {
        let start = self.scan.at();
        let negated = self.scan.take('-');
        if self.scan.is_at_end() || self.scan.peek() == Some('-') {
            return Err(QueryError::new(start..self.scan.at(), Problem::NoFilter));
        }
        let condition = match self.scan.peek() {
            Some('"') => {
                let phrase = self.scan.quoted()?;
                self.end_of_term(Problem::AfterPhrase)?;
                self.count(&phrase)?;
                Condition::Text(phrase.text.into_owned())
            }
            Some('(' | ')') => {
                return Err(QueryError::new(self.scan.next_span(), Problem::Parenthesis));
            }
            _ => self.text_or_filter()?,
        };
        Ok(Filter { negated, condition })
    }

    fn text_or_filter(&mut self) -> Result<Condition, QueryError> {
        let word = self.scan.word(&[':', '"']);
        if !self.scan.take(':') {
            self.end_of_term(Problem::QuoteWithin)?;
            if let Some(operator) = OPERATORS.into_iter().find(|one| *one == word.text) {
                return Err(word.error(Problem::Operator { word: operator }));
            }
            self.count(&word)?;
            return Ok(Condition::Text(word.text.into_owned()));
        }
        if word.text.is_empty() {
            let colon = word.span.start..self.scan.at();
            return Err(QueryError::new(colon, Problem::NoKey));
        }
        let key = Key::of(&word.text).ok_or_else(|| {
            word.error(Problem::UnknownKey {
                key: shown(&word.text),
                suggestion: Key::meant(&word.text),
                keys: Key::list(),
            })
        })?;
        self.condition(key, word.span.start)
    }

    /// What follows a key and its colon. The key begins at `start`.
    fn condition(&mut self, key: Key, start: usize) -> Result<Condition, QueryError> {
        Ok(match key {
            Key::Model => Condition::Model(self.texts(key, start)?),
            Key::Object => Condition::Object(self.texts(key, start)?),
            Key::Action => Condition::Action(self.values(key, start, words::action)?),
            Key::Outcome => Condition::Outcome(self.values(key, start, words::outcome)?),
            Key::Actor => Condition::Actor(self.texts(key, start)?),
            Key::ActorType => Condition::ActorType(self.values(key, start, words::actor_type)?),
            Key::Impersonator => Condition::Impersonator(self.texts(key, start)?),
            Key::Ip => Condition::Address(self.values(key, start, words::network)?),
            Key::Tenant => Condition::Tenant(self.texts(key, start)?),
            Key::Request => Condition::Request(self.texts(key, start)?),
            Key::Trace => Condition::Trace(self.texts(key, start)?),
            Key::Transaction => {
                Condition::Transaction(self.values(key, start, words::transaction)?)
            }
            Key::Reason => Condition::Reason(self.texts(key, start)?),
            Key::Source => Condition::Source(self.values(key, start, words::source)?),
            Key::Module => Condition::Module(self.texts(key, start)?),
            Key::Created => {
                let value = self.value(|| Problem::NoValue { key: key.as_str() }, start)?;
                let period = words::period(&value)?;
                if self.scan.peek() == Some(',') {
                    let comma = self.scan.next_span();
                    let problem = Problem::SeveralPeriods { key: key.as_str() };
                    return Err(QueryError::new(comma, problem));
                }
                self.end_of_term(Problem::AfterPhrase)?;
                Condition::Created(period)
            }
            Key::Field => Condition::Field(self.texts(key, start)?),
            Key::From => Condition::From {
                field: self.field(key, start)?,
                values: self.texts(key, start)?,
            },
            Key::To => Condition::To {
                field: self.field(key, start)?,
                values: self.texts(key, start)?,
            },
        })
    }

    /// A field and the `=` after it.
    fn field(&mut self, key: Key, start: usize) -> Result<String, QueryError> {
        let field = match self.scan.peek() {
            Some('"') => self.scan.quoted()?,
            Some('(') => {
                let problem = Problem::ValueParenthesis;
                return Err(QueryError::new(self.scan.next_span(), problem));
            }
            _ => self.scan.word(&['=', ',', '"']),
        };
        let is_missing = field.text.is_empty() && !field.quoted;
        if is_missing || !self.scan.take('=') {
            let problem = Problem::NoField { key: key.as_str() };
            return Err(QueryError::new(start..self.scan.at(), problem));
        }
        Ok(field.text.into_owned())
    }

    fn texts(&mut self, key: Key, start: usize) -> Result<Vec<String>, QueryError> {
        self.values(key, start, |value| Ok(value.text.to_string()))
    }

    fn values<T>(
        &mut self,
        key: Key,
        start: usize,
        read: impl Fn(&Value<'a>) -> Result<T, QueryError>,
    ) -> Result<Vec<T>, QueryError> {
        let key = key.as_str();
        let mut values = Vec::new();
        if self.scan.rest().starts_with("()") {
            self.scan.take('(');
            self.scan.take(')');
            self.end_of_term(Problem::ValueParenthesis)?;
            return Ok(values);
        }
        let value = self.value(|| Problem::NoValue { key }, start)?;
        values.push(read(&value)?);
        while self.scan.peek() == Some(',') {
            let comma = self.scan.at();
            self.scan.take(',');
            let value = self.value(|| Problem::NoNextValue { key }, comma)?;
            values.push(read(&value)?);
        }
        self.end_of_term(Problem::AfterQuote)?;
        Ok(values)
    }

    /// A value. If it is missing, that is marked from `start` on.
    fn value(
        &mut self,
        missing: impl Fn() -> Problem,
        start: usize,
    ) -> Result<Value<'a>, QueryError> {
        let value = match self.scan.peek() {
            Some('"') => self.scan.quoted()?,
            Some('(') => {
                let problem = Problem::ValueParenthesis;
                return Err(QueryError::new(self.scan.next_span(), problem));
            }
            _ => {
                let word = self.scan.word(&[',', '"']);
                if word.text.is_empty() {
                    return Err(QueryError::new(start..self.scan.at(), missing()));
                }
                if self.scan.peek() == Some('"') {
                    let problem = Problem::QuoteWithin;
                    return Err(QueryError::new(self.scan.next_span(), problem));
                }
                word
            }
        };
        self.count(&value)?;
        Ok(value)
    }

    fn count(&mut self, value: &Value<'_>) -> Result<(), QueryError> {
        let limit = self.limits.values;
        if self.values == limit {
            return Err(value.error(Problem::TooManyValues { limit }));
        }
        self.values += 1;
        Ok(())
    }

    fn end_of_term(&self, problem: Problem) -> Result<(), QueryError> {
        if self.scan.is_at_end() {
            Ok(())
        } else {
            Err(QueryError::new(self.scan.next_span(), problem))
        }
    }
}
