//! The tables of a view.

use sea_orm::DbBackend;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use super::positions::tokenize;
use crate::sql::TableName;

/// The tables that a view's definition names after FROM and JOIN, as MySQL writes it: each with its database, and
/// with joins in place of lists. A text that is not SQL names none.
pub(crate) fn tables_of_view(backend: DbBackend, definition: &str) -> Vec<TableName> {
    let Some(text) = tokenize(backend, definition) else {
        return Vec::new();
    };
    let mut tables = Vec::new();
    let mut tokens = (text.tokens.iter())
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .peekable();
    while let Some(token) = tokens.next() {
        let Token::Word(word) = token else { continue };
        let is_before_table = word.quote_style.is_none()
            && matches!(
                word.keyword,
                Keyword::FROM | Keyword::JOIN | Keyword::STRAIGHT_JOIN
            );
        if !is_before_table {
            continue;
        }
        while tokens.next_if(|token| **token == Token::LParen).is_some() {}
        let mut names = Vec::new();
        while let Some(Token::Word(name)) = tokens.next_if(|token| matches!(token, Token::Word(_)))
        {
            names.push(name.value.clone());
            if tokens.next_if(|token| **token == Token::Period).is_none() {
                break;
            }
        }
        if let Some(table) = names.pop() {
            let schema = names.pop();
            tables.push(TableName { schema, table });
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_views_are_found() {
        let found = |text: &str| -> Vec<(Option<String>, String)> {
            (tables_of_view(DbBackend::MySql, text).into_iter())
                .map(|name| (name.schema, name.table))
                .collect()
        };
        let name = |table: &str| (Some("shop".to_owned()), table.to_owned());
        let one =
            "select `shop`.`item`.`id` AS `id` from `shop`.`item` where `shop`.`item`.`from` > 1";
        assert_eq!(found(one), [name("item")]);
        let joined = "select `a`.`id` AS `id` from ((`shop`.`item` `a` join `shop`.`part` `b` \
                      on(`a`.`id` = `b`.`id`)) left join `shop`.`bin` on(1))";
        assert_eq!(found(joined), [name("item"), name("part"), name("bin")]);
        assert_eq!(found("select 1 AS `1`"), []);
        assert_eq!(found(""), []);
    }
}
