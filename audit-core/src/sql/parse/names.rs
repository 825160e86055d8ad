//! Names, and what several kinds of statements have in common.

use sea_orm::DbBackend;
use sqlparser::ast::{Expr, Ident, ObjectName, SelectItem, TableFactor};
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::{Text, dialect, is_meaningful};
use crate::sql::stable::is_stable;
use crate::sql::template::MARK;
use crate::sql::{Returning, TableName, Template};

impl Text {
    pub(super) fn stable(&self, part: &impl ToString) -> bool {
        let dialect = dialect(self.backend);
        let rendered = part.to_string().replace(MARK, " ");
        Tokenizer::new(dialect.as_ref(), &rendered)
            .with_unescape(false)
            .tokenize()
            .is_ok_and(|tokens| is_stable(&tokens))
    }

    pub(super) fn returning(&self, items: Option<&[SelectItem]>) -> Returning {
        let Some(items) = items else {
            return Returning::Nothing;
        };
        let mut columns = Vec::new();
        for item in items {
            match item {
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                    return Returning::Everything;
                }
                SelectItem::UnnamedExpr(expr) => columns.extend(self.column_in(expr)),
                SelectItem::ExprWithAlias { expr, alias } => {
                    let alias = folded(self.backend, alias);
                    columns.extend(self.column_in(expr).filter(|name| *name == alias));
                }
                SelectItem::ExprWithAliases { .. } => {}
            }
        }
        Returning::Columns(columns)
    }

    /// The column that an expression returns, also where it is cast.
    fn column_in(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Identifier(name) => Some(folded(self.backend, name)),
            Expr::CompoundIdentifier(names) => names.last().map(|name| folded(self.backend, name)),
            Expr::Cast { expr, .. } => self.column_in(expr),
            _ => None,
        }
    }

    /// The statement without what follows it, where that is a comment.
    pub(super) fn clean(&self) -> Option<Template> {
        let end = self.tokens.iter().rposition(is_meaningful)?;
        let has_comment = self.tokens[end..].iter().any(|token| {
            matches!(
                token,
                Token::Whitespace(
                    Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)
                )
            )
        });
        has_comment.then(|| {
            let text: String = self.tokens[..=end]
                .iter()
                .map(ToString::to_string)
                .collect();
            Template::read(&text)
        })
    }
}

pub(super) fn template(part: &impl ToString) -> Template {
    Template::read(&part.to_string())
}

/// An identifier as the database reads it.
pub(super) fn folded(backend: DbBackend, name: &Ident) -> String {
    match name.quote_style {
        None if backend == DbBackend::Postgres => name.value.to_lowercase(),
        None => name.value.clone(),
        // As it stands, a quote inside of the name is doubled.
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

/// A table and how the statement refers to it.
pub(super) fn table_of(backend: DbBackend, factor: &TableFactor) -> Option<(TableName, String)> {
    match factor {
        TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } => {
            let qualifier = match alias {
                Some(alias) => alias.name.to_string(),
                None => name.to_string(),
            };
            Some((table_name_of(backend, name)?, qualifier))
        }
        _ => None,
    }
}
