//! Names, and what several kinds of statements have in common.

use sea_orm::DbBackend;
use sqlparser::ast::{Expr, Ident, ObjectName, SelectItem, TableFactor};
use sqlparser::tokenizer::Token;

use super::{Text, is_meaningful, tokenize};
use crate::sql::template::MARK;
use crate::sql::volatility::{is_constant, reads_clock, volatility};
use crate::sql::{ReturnedItem, Returning, TableName, Template, Volatility};

impl Text {
    fn tokens_of(&self, part: &impl ToString) -> Option<Vec<Token>> {
        let rendered = part.to_string().replace(MARK, " ");
        tokenize(self.backend, &rendered).map(|text| text.tokens)
    }

    /// A part of the text. MySQL prepares each text that is read beside an unprepared one, and keeps a limited
    /// number: there the values of an unprepared text are bound.
    pub(super) fn piece(&self, part: &impl ToString) -> Template {
        let is_plain = self.backend == DbBackend::MySql && self.binds == 0;
        match self.tokens_of(part).filter(|_| is_plain) {
            Some(tokens) => Template::with_bound_literals(&tokens),
            None => template(part),
        }
    }

    pub(super) fn constant(&self, part: &impl ToString) -> bool {
        self.tokens_of(part)
            .is_some_and(|tokens| is_constant(self.backend, &tokens))
    }

    pub(super) fn volatility(&self, part: &impl ToString) -> Volatility {
        self.tokens_of(part).map_or(Volatility::Volatile, |tokens| {
            volatility(self.backend, &tokens)
        })
    }

    /// Whether a part of the statement has a query; a part that cannot be tokenized may have one.
    pub(super) fn has_query(&self, part: &impl ToString) -> bool {
        let is_select = |token: &Token| {
            matches!(token, Token::Word(word)
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("SELECT"))
        };
        self.tokens_of(part)
            .is_none_or(|tokens| tokens.iter().any(is_select))
    }

    /// Whether a part reads the time of the statement.
    pub(super) fn reads_clock(&self, part: &impl ToString) -> bool {
        (self.tokens_of(part)).is_none_or(|tokens| reads_clock(self.backend, &tokens))
    }

    pub(super) fn returning(&self, items: Option<&[SelectItem]>) -> Returning {
        let Some(items) = items else {
            return Returning::Nothing;
        };
        if let [SelectItem::Wildcard(_)] = items {
            return Returning::Everything;
        }
        Returning::Items(items.iter().map(|item| self.returned(item)).collect())
    }

    fn returned(&self, item: &SelectItem) -> ReturnedItem {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(folded(self.backend, alias))),
            _ => {
                return ReturnedItem {
                    column: None,
                    cast: None,
                    name: None,
                    qualifier: None,
                };
            }
        };
        let (inner, cast) = match expr {
            Expr::Cast { expr: inner, .. } => (inner.as_ref(), true),
            _ => (expr, false),
        };
        let column = self.column_in(inner);
        let qualifier = match inner {
            Expr::CompoundIdentifier(names) => names.split_last().map(|(_, table)| {
                let table: Vec<String> = table.iter().map(ToString::to_string).collect();
                table.join(".")
            }),
            _ => None,
        };
        let name = alias.or_else(|| column.clone());
        let column = column.filter(|column| name.as_ref() == Some(column));
        match column {
            Some(column) if cast => ReturnedItem {
                column: None,
                cast: Some((column, expr.to_string())),
                name,
                qualifier,
            },
            column => ReturnedItem {
                column,
                cast: None,
                name,
                qualifier,
            },
        }
    }

    /// The column, if an expression is one.
    fn column_in(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Identifier(name) => Some(folded(self.backend, name)),
            Expr::CompoundIdentifier(names) => names.last().map(|name| folded(self.backend, name)),
            _ => None,
        }
    }

    /// Whether a clause can be appended to the text: at most one semicolon follows its last word.
    pub(super) fn appendable(&self) -> bool {
        let Some(end) = self.tokens.iter().rposition(is_meaningful) else {
            return false;
        };
        let mut rest = self.tokens[end + 1..].iter();
        match rest.position(|token| *token == Token::SemiColon) {
            None => true,
            Some(_) => rest.all(|token| {
                matches!(token, Token::Whitespace(space) if space.to_string().trim().is_empty())
            }),
        }
    }
}

pub(super) fn template(part: &impl ToString) -> Template {
    Template::read(&part.to_string())
}

/// An identifier as the database folds it.
pub(super) fn folded(backend: DbBackend, name: &Ident) -> String {
    match name.quote_style {
        None if backend == DbBackend::Postgres => name.value.to_lowercase(),
        None => name.value.clone(),
        // In the source text, a quote inside of the name is doubled.
        Some(quote) => name
            .value
            .replace(&format!("{quote}{quote}"), &quote.to_string()),
    }
}

pub(super) fn last_part(backend: DbBackend, name: &ObjectName) -> Option<String> {
    let last = name.0.last()?.as_ident()?;
    Some(folded(backend, last))
}

pub(super) fn table_name_of(backend: DbBackend, name: &ObjectName) -> Option<TableName> {
    let parts: Option<Vec<String>> = (name.0.iter())
        .map(|part| part.as_ident().map(|name| folded(backend, name)))
        .collect();
    let mut parts = parts?;
    let table = parts.pop()?;
    Some(TableName {
        schema: parts.pop(),
        table,
    })
}

/// A table, how the statement's expressions refer to it, and what `FOR UPDATE OF` takes.
pub(super) fn table_of(
    backend: DbBackend,
    factor: &TableFactor,
) -> Option<(TableName, String, String)> {
    match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } => {
            let (qualifier, reference) = match alias {
                Some(alias) => (alias.name.to_string(), alias.name.to_string()),
                None => (name.to_string(), name.0.last()?.to_string()),
            };
            Some((table_name_of(backend, name)?, qualifier, reference))
        }
        _ => None,
    }
}
