//! The tables that a query reads, and where its text names them.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};

use sea_orm::DbBackend;
use sqlparser::ast::{
    Ident, ObjectName, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Visit, Visitor,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use super::names::{folded, table_name_of};
use super::positions::Place;
use super::{DEEPEST, SHALLOW, TOO_DEEP, TableName, Text, dialect, in_own_stack};

/// A query that writes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadQuery {
    /// The tables that it reads, without the names of its WITH clauses.
    pub(crate) tables: Vec<ReadTable>,
    /// The names of its WITH clauses.
    pub(crate) with: BTreeSet<String>,
    /// The words of the text, which may be names of columns.
    pub(crate) words: BTreeSet<String>,
    /// Whether it selects all columns of a table.
    pub(crate) has_wildcard: bool,
    /// Where its first WITH clause begins, if it has one.
    pub(crate) first_with: Option<usize>,
    /// Where it has a `?` for a bound value.
    pub(crate) marks: Vec<usize>,
}

/// A table that a query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadTable {
    pub(crate) name: TableName,
    /// The bytes of the text that are its name.
    pub(crate) place: Range<usize>,
}

/// Reads a query, or says why it is none that only reads tables.
pub(crate) fn read_query(backend: DbBackend, sql: &str) -> Result<ReadQuery, &'static str> {
    let text = Text::read(backend, sql).map_err(|unsupported| unsupported.why)?;
    if text.depth <= SHALLOW {
        return parse(backend, sql);
    }
    if text.depth > DEEPEST {
        return Err(TOO_DEEP);
    }
    let sql = sql.to_owned();
    in_own_stack(text.depth, move || parse(backend, &sql)).unwrap_or(Err(TOO_DEEP))
}

fn parse(backend: DbBackend, sql: &str) -> Result<ReadQuery, &'static str> {
    const UNKNOWN: &str = "it is no SQL of this database that is known";
    let dialect = dialect(backend);
    let tokens = Tokenizer::new(dialect.as_ref(), sql)
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|_| UNKNOWN)?;
    let statements = Parser::new(dialect.as_ref())
        .with_tokens_with_locations(tokens.clone())
        .parse_statements()
        .map_err(|_| UNKNOWN)?;
    let [Statement::Query(query)] = statements.as_slice() else {
        return Err("it is not one SELECT");
    };
    let mut found = Found {
        backend,
        names: Vec::new(),
        relations: 0,
        with: BTreeSet::new(),
        has_wildcard: false,
    };
    if let ControlFlow::Break(why) = query.visit(&mut found) {
        return Err(why);
    }
    if found.relations != found.names.len() {
        return Err("the tables that it reads are not known");
    }
    let mut read = ReadQuery {
        tables: Vec::new(),
        with: found.with,
        words: words(backend, &tokens),
        has_wildcard: found.has_wildcard,
        first_with: None,
        marks: marks(sql, &tokens),
    };
    if query.with.is_some() {
        read.first_with = Some(first_with(sql, &tokens).ok_or(UNKNOWN)?);
    }
    for name in found.names {
        let table = table_name_of(backend, &name).ok_or(UNKNOWN)?;
        if table.schema.is_none() && read.with.contains(&table.table) {
            continue;
        }
        let place = place_of(sql, &name).ok_or(UNKNOWN)?;
        read.tables.push(ReadTable { name: table, place });
    }
    read.tables.sort_by_key(|table| table.place.start);
    Ok(read)
}

struct Found {
    backend: DbBackend,
    names: Vec<ObjectName>,
    relations: usize,
    with: BTreeSet<String>,
    has_wildcard: bool,
}

impl Visitor for Found {
    type Break = &'static str;

    fn pre_visit_relation(&mut self, _: &ObjectName) -> ControlFlow<Self::Break> {
        self.relations += 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::Table {
                name, args: None, ..
            } => self.names.push(name.clone()),
            TableFactor::Table { args: Some(_), .. } => {
                return ControlFlow::Break("it reads rows of a function");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("it locks rows");
        }
        for with in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.with.insert(folded(self.backend, &with.alias.name));
        }
        match query.body.as_ref() {
            SetExpr::Select(_)
            | SetExpr::Query(_)
            | SetExpr::SetOperation { .. }
            | SetExpr::Values(_) => ControlFlow::Continue(()),
            _ => ControlFlow::Break("it does more than to select rows"),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        if select.into.is_some() {
            return ControlFlow::Break("it writes its rows into a table");
        }
        self.has_wildcard |= select.projection.iter().any(|item| {
            matches!(
                item,
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
            )
        });
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<Self::Break> {
        match statement {
            Statement::Query(_) => ControlFlow::Continue(()),
            _ => ControlFlow::Break("it writes"),
        }
    }
}

/// The names among the tokens.
fn words(backend: DbBackend, tokens: &[TokenWithSpan]) -> BTreeSet<String> {
    (tokens.iter())
        .filter_map(|token| match &token.token {
            Token::Word(word) => Some(folded(
                backend,
                &Ident {
                    value: word.value.clone(),
                    quote_style: word.quote_style,
                    span: token.span,
                },
            )),
            // MySQL and SQLite also take these for names.
            Token::DoubleQuotedString(name) => Some(name.clone()),
            _ => None,
        })
        .collect()
}

/// The bytes of the marks for bound values that have no number.
fn marks(sql: &str, tokens: &[TokenWithSpan]) -> Vec<usize> {
    let mut place = Place::new(sql);
    (tokens.iter())
        .filter(|token| token.token == Token::Placeholder("?".to_owned()))
        .map(|token| place.byte(token.span.start))
        .collect()
}

/// The byte after `WITH` or `WITH RECURSIVE`.
fn first_with(sql: &str, tokens: &[TokenWithSpan]) -> Option<usize> {
    let is = |token: &TokenWithSpan, keyword| matches!(&token.token, Token::Word(word) if word.quote_style.is_none() && word.keyword == keyword);
    let at = (tokens.iter()).position(|token| is(token, Keyword::WITH))?;
    let next = (tokens[at + 1..].iter()).find(|token| !matches!(token.token, Token::Whitespace(_)));
    let last = match next {
        Some(next) if is(next, Keyword::RECURSIVE) => next,
        _ => &tokens[at],
    };
    Some(Place::new(sql).byte(last.span.end))
}

/// The bytes of a name.
fn place_of(sql: &str, name: &ObjectName) -> Option<Range<usize>> {
    let parts: Vec<&Ident> = (name.0.iter())
        .map(|part| part.as_ident())
        .collect::<Option<_>>()?;
    let mut place = Place::new(sql);
    let begin = place.byte(parts.first()?.span.start);
    let end = place.byte(parts.last()?.span.end);
    let text = sql.get(begin..end)?;
    let is_name = parts.iter().all(|part| text.contains(&part.value));
    is_name.then_some(begin..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(backend: DbBackend, sql: &str) -> Result<Vec<(String, String)>, &'static str> {
        let read = read_query(backend, sql)?;
        Ok((read.tables.iter())
            .map(|table| {
                (
                    table.name.table.clone(),
                    sql[table.place.clone()].to_owned(),
                )
            })
            .collect())
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn tables_are_found_with_their_places() -> Result<(), &'static str> {
        let joined = "SELECT \"a\".\"id\", 'ä FROM x' FROM \"a\" LEFT JOIN shop.\"b c\" AS t ON a.id = t.id, D \
                      WHERE id IN (SELECT id FROM e) AND EXTRACT(year FROM f) = $1";
        assert_eq!(
            tables(DbBackend::Postgres, joined)?,
            [
                pair("a", "\"a\""),
                pair("b c", "shop.\"b c\""),
                pair("d", "D"),
                pair("e", "e")
            ]
        );
        let with = "with recursive t as (select id from u union all select t.id from t), v as (select 1) select * from t join w";
        assert_eq!(
            tables(DbBackend::Sqlite, with)?,
            [pair("u", "u"), pair("w", "w")]
        );
        let read = read_query(DbBackend::Sqlite, with)?;
        assert_eq!(read.first_with, Some("with recursive".len()));
        assert!(read.has_wildcard);
        assert_eq!(
            tables(
                DbBackend::MySql,
                "SELECT COUNT(*) AS n FROM `x``y` WHERE a = ? LIMIT 3"
            )?,
            [pair("x`y", "`x``y`")]
        );
        Ok(())
    }

    #[test]
    fn other_statements_are_refused() {
        for sql in [
            "INSERT INTO a VALUES (1)",
            "WITH x AS (DELETE FROM a RETURNING *) SELECT * FROM x",
            "SELECT * FROM a FOR UPDATE",
            "SELECT * INTO b FROM a",
            "SELECT 1; SELECT 2",
            "SELECT * FROM generate_series(1, 2)",
            "TABLE a",
            "EXPLAIN SELECT * FROM a",
            "nonsense",
        ] {
            assert!(read_query(DbBackend::Postgres, sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn long_chain_of_conditions_is_read() -> Result<(), &'static str> {
        let sql = format!(
            "SELECT 1 FROM a WHERE {}",
            vec!["b = 1"; 3_000].join(" AND ")
        );
        assert_eq!(tables(DbBackend::Postgres, &sql)?.len(), 1);
        Ok(())
    }
}
