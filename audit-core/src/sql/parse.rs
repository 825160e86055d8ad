//! Parses a text into what it does, with the `sqlparser` crate.
//!
//! One file, because it is the entry to the parser, whose parts are in `parse/`.

mod change;
mod insert;
mod merge;
mod names;
mod plain_tokens;
mod positions;
mod quotes;
mod read_query;
mod tokens;
mod unparsed;
mod view;

use sea_orm::DbBackend;
use sqlparser::ast::{CascadeOption, CopySource, Query, SetExpr, Statement};
use sqlparser::dialect::{Dialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::literals;
use super::template::MARK;
use super::{
    ColumnList, Kind, ParsedStatement, Returning, TableName, Unsupported, Write,
    has_executable_comment,
};
use names::table_name_of;
pub(crate) use plain_tokens::{PlainToken, plain_tokens};
use positions::{Tokens, tokenize};
pub(crate) use read_query::{ReadQuery, read_query};
use tokens::{
    is_among, is_meaningful, longest_row, outline, set_operations, starts_with, without_subscripts,
    word_of,
};
pub(crate) use view::tables_of_view;

/// How deep an expression may be nested before it gets its own stack: chains of AND and OR are nested as deep as they
/// are long.
const SHALLOW: usize = 150;
/// Stack for one level of nesting, in bytes; a multiple of what is used.
const STACK_PER_LEVEL: usize = if cfg!(debug_assertions) { 64 } else { 16 } * 1024;
/// Deeper statements are not parsed.
const DEEPEST: usize = 10_000;
const TOO_DEEP: &str = "it is nested too deep";

pub(crate) fn understand(backend: DbBackend, sql: &str) -> ParsedStatement {
    let first = understood(backend, sql);
    let Some(other) = quotes::other_reading(backend, sql) else {
        return first;
    };
    match (&first, understood(backend, &other)) {
        (ParsedStatement::Read, ParsedStatement::Read) | (_, ParsedStatement::Unsupported(_)) => {
            first
        }
        _ => ParsedStatement::Unsupported(Unsupported {
            why: "a setting of the session decides where its strings end",
            tables: None,
            outline: sql.split_whitespace().next().unwrap_or_default().to_owned(),
        }),
    }
}

fn understood(backend: DbBackend, sql: &str) -> ParsedStatement {
    match Text::read(backend, sql) {
        Ok(text) if text.depth <= SHALLOW => text.understand(),
        Ok(text) if text.depth <= DEEPEST => {
            let (depth, outline) = (text.depth, outline(&text.tokens));
            in_own_stack(depth, move || text.understand()).unwrap_or_else(|| {
                ParsedStatement::Unsupported(Unsupported {
                    why: TOO_DEEP,
                    tables: None,
                    outline,
                })
            })
        }
        Ok(text) => text.opaque(TOO_DEEP),
        Err(opaque) => ParsedStatement::Unsupported(opaque),
    }
}

/// Whether a text must precede any other statement of a transaction, as all forms of PostgreSQL's `SET TRANSACTION`
/// must.
pub(crate) fn must_be_first(backend: DbBackend, sql: &str) -> bool {
    backend == DbBackend::Postgres
        && tokenize(backend, sql).is_some_and(|text| starts_with(&text.tokens, Keyword::SET))
}

/// How many values a text of MySQL binds, if it can be read.
pub(crate) fn placeholders(sql: &str) -> Option<usize> {
    Text::read(DbBackend::MySql, sql)
        .ok()
        .map(|text| text.binds)
}

/// The statements of a text, as tokens. A text that is not SQL has none.
pub(super) fn statements_of(backend: DbBackend, sql: &str) -> Vec<Vec<Token>> {
    let Some(Tokens { tokens, .. }) = tokenize(backend, sql) else {
        return Vec::new();
    };
    (tokens.split(|token| *token == Token::SemiColon))
        .map(|part| part.iter().filter(|t| is_meaningful(t)).cloned().collect())
        .filter(|part: &Vec<Token>| !part.is_empty())
        .collect()
}

/// The text without its literals, which may be secrets.
pub(crate) fn outline_of(backend: DbBackend, sql: &str) -> String {
    match Text::read(backend, sql) {
        Ok(text) => outline(&text.tokens),
        Err(opaque) => opaque.outline,
    }
}

/// Runs a function on a stack for expressions of this depth; `None` if that fails.
fn in_own_stack<T: Send + 'static>(
    depth: usize,
    function: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let thread = std::thread::Builder::new()
        .stack_size(STACK_PER_LEVEL * (depth + SHALLOW))
        .spawn(function)
        .ok()?;
    thread.join().ok()
}

fn dialect(backend: DbBackend) -> Box<dyn Dialect> {
    match backend {
        DbBackend::Postgres => Box::new(PostgreSqlDialect {}),
        DbBackend::Sqlite => Box::new(SQLiteDialect {}),
        _ => Box::new(MySqlDialect {}),
    }
}

/// A text as tokens, in which `MARK position MARK` replaces each bound value as a name.
struct Text {
    backend: DbBackend,
    tokens: Vec<Token>,
    /// Its statements, as they were sent.
    parts: Vec<String>,
    binds: usize,
    depth: usize,
}

impl Text {
    fn read(backend: DbBackend, sql: &str) -> Result<Self, Unsupported> {
        let refuse = |why| Unsupported {
            why,
            tables: None,
            outline: sql.split_whitespace().next().unwrap_or_default().to_owned(),
        };
        if sql.contains(MARK) {
            return Err(refuse("it has a control character"));
        }
        if has_executable_comment(backend, sql) {
            return Err(refuse("it has an executable comment"));
        }
        let Some(Tokens { mut tokens, parts }) = tokenize(backend, sql) else {
            return Err(refuse("it is no SQL of this database that is known"));
        };
        if parts.len() > 1 && !Tokens::are_parts_of(backend, &tokens, &parts) {
            return Err(refuse("its statements cannot be distinguished"));
        }
        let (mut binds, mut depth) = (0, 0);
        for token in &mut tokens {
            match token {
                Token::Placeholder(name) => {
                    let position = match name.get(1..).unwrap_or_default() {
                        "" => binds,
                        number => match number.parse::<usize>() {
                            Ok(number) if number > 0 => number - 1,
                            _ => return Err(refuse("it has named parameters")),
                        },
                    };
                    binds = binds.max(position + 1);
                    *name = format!("{MARK}{position}{MARK}");
                }
                Token::Word(word) if matches!(word.keyword, Keyword::AND | Keyword::OR) => {
                    depth += 1;
                }
                // A parenthesis nests no deeper than the parser allows; comparisons do not nest.
                Token::Whitespace(_)
                | Token::Word(_)
                | Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::Comma
                | Token::Period
                | Token::LParen
                | Token::RParen
                | Token::Eq
                | Token::Neq
                | Token::Lt
                | Token::Gt
                | Token::LtEq
                | Token::GtEq => {}
                _ => depth += 1,
            }
        }
        // Lists are not nested, but each row of VALUES may have its own operators.
        if starts_with(&tokens, Keyword::INSERT) || starts_with(&tokens, Keyword::REPLACE) {
            depth = longest_row(&tokens) + set_operations(&tokens);
        }
        Ok(Self {
            backend,
            tokens,
            parts,
            binds,
            depth,
        })
    }

    fn opaque(&self, why: &'static str) -> ParsedStatement {
        self.opaque_on(why, None)
    }

    fn opaque_on(&self, why: &'static str, tables: Option<Vec<TableName>>) -> ParsedStatement {
        ParsedStatement::Unsupported(Unsupported {
            why,
            tables,
            outline: outline(&self.tokens),
        })
    }

    fn parse(&self, tokens: Vec<Token>) -> Option<Vec<Statement>> {
        let dialect = dialect(self.backend);
        Parser::new(dialect.as_ref())
            .with_tokens(tokens)
            .parse_statements()
            .ok()
    }

    fn understand(self) -> ParsedStatement {
        if self.backend == DbBackend::MySql && self.has_empty_statement() {
            // This is an error in MySQL, after the preceding statements have run.
            return self.opaque("it has an empty statement");
        }
        let tokens =
            if self.backend == DbBackend::Postgres && starts_with(&self.tokens, Keyword::UPDATE) {
                without_subscripts(&self.tokens)
            } else {
                self.tokens.clone()
            };
        let Some(mut statements) = self.parse(tokens) else {
            return self.unparsed();
        };
        match (statements.pop(), statements.is_empty()) {
            (None, _) => ParsedStatement::Read,
            (Some(only), true) => self.one(&only),
            (Some(last), false) => {
                statements.push(last);
                self.several(&statements)
            }
        }
    }

    /// Whether the text between two semicolons, or before the first, is empty.
    fn has_empty_statement(&self) -> bool {
        let mut parts: Vec<&[Token]> = (self.tokens)
            .split(|token| *token == Token::SemiColon)
            .collect();
        // The text after the last semicolon may be empty.
        parts.pop();
        parts.iter().any(|part| !part.iter().any(is_meaningful))
    }

    fn several(&self, statements: &[Statement]) -> ParsedStatement {
        if self.parts.len() != statements.len() {
            return self.opaque("its statements cannot be distinguished");
        }
        let parts: Vec<_> = (self.parts.iter().zip(statements))
            .map(|(text, statement)| (text.clone(), self.one(statement)))
            .collect();
        if parts
            .iter()
            .all(|(_, part)| matches!(part, ParsedStatement::Read))
        {
            return ParsedStatement::Read;
        }
        if self.binds > 0 {
            return self.opaque("it has several statements with bound values");
        }
        let as_sent = |(text, part): (String, ParsedStatement)| match part {
            ParsedStatement::Read if self.sets_transaction(&text) => {
                (text, ParsedStatement::DdlOrTransaction)
            }
            part => (text, part),
        };
        ParsedStatement::Batch(parts.into_iter().map(as_sent).collect())
    }

    /// Whether a statement has another effect inside of a transaction that the log opens: MySQL's `SET TRANSACTION`
    /// and `SET autocommit`, SQLite's pragmas. PostgreSQL runs several statements in a transaction anyway.
    fn sets_transaction(&self, text: &str) -> bool {
        let Some(Tokens { tokens, .. }) = tokenize(self.backend, text) else {
            return true;
        };
        match self.backend {
            DbBackend::Postgres => false,
            DbBackend::Sqlite => starts_with(&tokens, Keyword::PRAGMA),
            _ => {
                let is = |words: &[&str]| {
                    (tokens.iter().filter_map(word_of)).any(|word| is_among(word, words))
                };
                // Without a scope word, these settings apply to the next transaction, and so to the next statement.
                let is_next = is(&["TRANSACTION"]) && !is(&["SESSION", "LOCAL", "GLOBAL"]);
                starts_with(&tokens, Keyword::SET) && (is_next || is(&["AUTOCOMMIT"]))
            }
        }
    }

    #[allow(clippy::too_many_lines)] // a list of what each kind of statement does
    fn one(&self, statement: &Statement) -> ParsedStatement {
        match statement {
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update, None),
            Statement::Delete(delete) => self.delete(delete, None),
            Statement::Query(query) => self.query(query),
            Statement::Truncate(truncate) => self.truncate(truncate),
            Statement::Explain {
                analyze,
                options,
                statement,
                ..
            } => {
                let runs = *analyze || options.is_some();
                if !runs || matches!(self.one(statement), ParsedStatement::Read) {
                    return ParsedStatement::Read;
                }
                self.opaque("EXPLAIN may run what it explains")
            }
            // These commit in MySQL.
            Statement::Analyze(_) if self.backend == DbBackend::MySql => {
                ParsedStatement::DdlOrTransaction
            }
            Statement::Set(set) if self.backend == DbBackend::MySql && sets_password(set) => {
                ParsedStatement::DdlOrTransaction
            }
            Statement::ExplainTable { .. }
            | Statement::ShowFunctions { .. }
            | Statement::ShowVariable { .. }
            | Statement::ShowStatus { .. }
            | Statement::ShowVariables { .. }
            | Statement::ShowCreate { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowCatalogs { .. }
            | Statement::ShowDatabases { .. }
            | Statement::ShowProcessList { .. }
            | Statement::ShowSchemas { .. }
            | Statement::ShowCharset(_)
            | Statement::ShowObjects(_)
            | Statement::ShowTables { .. }
            | Statement::ShowViews { .. }
            | Statement::ShowCollation { .. }
            | Statement::Set(_)
            | Statement::Use(_)
            | Statement::Analyze(_)
            | Statement::Pragma { .. }
            | Statement::LISTEN { .. }
            | Statement::UNLISTEN { .. }
            | Statement::NOTIFY { .. }
            | Statement::Deallocate { .. }
            | Statement::Discard { .. }
            | Statement::Declare { .. }
            | Statement::Fetch { .. }
            | Statement::Close { .. }
            | Statement::Kill { .. }
            | Statement::Reset(_)
            | Statement::Copy {
                source: CopySource::Table { .. },
                to: true,
                ..
            } => ParsedStatement::Read,
            Statement::Copy {
                source: CopySource::Query(query),
                to: true,
                ..
            } if only_reads(query) => ParsedStatement::Read,
            Statement::CreateTable(create)
                if create
                    .query
                    .as_ref()
                    .is_some_and(|query| !only_reads(query)) =>
            {
                self.opaque("the query that fills the table writes")
            }
            Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Rollback { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. }
            | Statement::Lock(_)
            | Statement::LockTables { .. }
            | Statement::UnlockTables
            | Statement::Vacuum(_)
            | Statement::OptimizeTable { .. }
            | Statement::Flush { .. }
            | Statement::Comment { .. }
            | Statement::Grant(_)
            | Statement::Revoke(_)
            | Statement::CreateView(_)
            | Statement::CreateTable(_)
            | Statement::CreateVirtualTable { .. }
            | Statement::CreateIndex(_)
            | Statement::CreateRole(_)
            | Statement::CreatePolicy(_)
            | Statement::CreateExtension(_)
            | Statement::CreateSchema { .. }
            | Statement::CreateDatabase { .. }
            | Statement::CreateFunction(_)
            | Statement::CreateTrigger(_)
            | Statement::CreateProcedure { .. }
            | Statement::CreateSequence { .. }
            | Statement::CreateDomain(_)
            | Statement::CreateType { .. }
            | Statement::CreateUser(_)
            | Statement::AlterTable(_)
            | Statement::AlterSchema(_)
            | Statement::AlterIndex { .. }
            | Statement::AlterView(_)
            | Statement::AlterType(_)
            | Statement::AlterRole { .. }
            | Statement::AlterPolicy(_)
            | Statement::AlterTrigger(_)
            | Statement::AlterUser(_)
            | Statement::Drop { .. }
            | Statement::DropFunction(_)
            | Statement::DropDomain(_)
            | Statement::DropProcedure { .. }
            | Statement::DropPolicy(_)
            | Statement::DropExtension(_)
            | Statement::DropTrigger(_)
            | Statement::RenameTable(_)
            | Statement::AttachDatabase { .. }
            | Statement::RefreshMaterializedView(_) => ParsedStatement::DdlOrTransaction,
            Statement::Copy {
                source: CopySource::Table { table_name, .. },
                ..
            }
            | Statement::LoadData { table_name, .. } => {
                let tables = table_name_of(self.backend, table_name).map(|name| vec![name]);
                self.opaque_on("the rows it loads are not in the statement", tables)
            }
            Statement::Merge(merge) => self.merge(merge),
            _ => self.opaque("it may write"),
        }
    }

    /// A query, or a write after `WITH`.
    fn query(&self, query: &Query) -> ParsedStatement {
        if let Some(with) = &query.with
            && with.cte_tables.iter().any(|cte| !only_reads(&cte.query))
        {
            return self.opaque("a query in its WITH writes");
        }
        let with = query.with.as_ref();
        match query.body.as_ref() {
            SetExpr::Insert(Statement::Insert(insert)) => self.insert(insert),
            SetExpr::Update(Statement::Update(update)) => self.update(update, with),
            SetExpr::Delete(Statement::Delete(delete)) => self.delete(delete, with),
            SetExpr::Merge(Statement::Merge(merge)) => self.merge(merge),
            body if body_reads(body) => ParsedStatement::Read,
            _ => self.opaque("it may write"),
        }
    }

    fn truncate(&self, truncate: &sqlparser::ast::Truncate) -> ParsedStatement {
        let names: Vec<TableName> = (truncate.table_names.iter())
            .filter_map(|target| table_name_of(self.backend, &target.name))
            .collect();
        let cascades = matches!(truncate.cascade, Some(CascadeOption::Cascade));
        let is_only = truncate.table_names.iter().any(|target| target.only);
        match <[TableName; 1]>::try_from(names.clone()) {
            _ if is_only => self.opaque_on("it has a modifier before its table", Some(names)),
            _ if cascades => {
                self.opaque("TRUNCATE .. CASCADE empties tables that it does not name")
            }
            // It commits the transaction.
            _ if self.backend == DbBackend::MySql => {
                self.opaque_on("TRUNCATE commits the transaction it is in", Some(names))
            }
            Ok([table]) => ParsedStatement::Write(Box::new(Write {
                qualifier: truncate.table_names[0].name.to_string(),
                table,
                kind: Kind::Truncate,
                reference: String::new(),
                returning: Returning::Nothing,
                appendable: false,
                placeholders: Some(self.binds),
                selected: ColumnList::default(),
            })),
            Err(names) => self.opaque_on("it empties several tables", Some(names)),
        }
    }
}

fn only_reads(query: &Query) -> bool {
    query
        .with
        .iter()
        .flat_map(|with| &with.cte_tables)
        .all(|cte| only_reads(&cte.query))
        && body_reads(&query.body)
}

fn body_reads(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Table(_) => true,
        SetExpr::Query(query) => only_reads(query),
        SetExpr::SetOperation { left, right, .. } => body_reads(left) && body_reads(right),
        SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => false,
    }
}

/// `SET PASSWORD = ..`
fn sets_password(set: &sqlparser::ast::Set) -> bool {
    let sqlparser::ast::Set::SingleAssignment { variable, .. } = set else {
        return false;
    };
    variable.to_string().eq_ignore_ascii_case("password")
}
