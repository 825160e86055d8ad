//! From a text to what it does, with the `sqlparser` crate.

use sea_orm::DbBackend;
use sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, ConflictTarget, CopySource, Delete, Expr,
    FromTable, Ident, InTarget, ObjectName, OnConflictAction, OnInsert, Query, SelectItem, SetExpr,
    SqliteOnConflict, Statement, TableFactor, TableObject, TableWithJoins, Update,
    UpdateTableFromKind, Value,
};
use sqlparser::dialect::{Dialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::stable::is_stable;
use super::template::MARK;
use super::{
    Cell, Change, ColumnList, Conflict, ConflictAction, Insert, Kind, Opaque, Returning, TableName,
    Template, Understood, Write,
};

/// How deep an expression may be nested before it gets a stack of its own: chains of AND and OR are
/// nested as deep as they are long.
const SHALLOW: usize = 150;
/// Stack for one level of nesting, in bytes; a multiple of what is used.
const STACK_PER_LEVEL: usize = if cfg!(debug_assertions) { 64 } else { 16 } * 1024;
/// Beyond this no statement is taken apart.
const DEEPEST: usize = 10_000;

pub(crate) fn understand(backend: DbBackend, sql: &str) -> Understood {
    match Text::read(backend, sql) {
        Ok(text) if text.depth <= SHALLOW => text.understand(),
        Ok(text) if text.depth <= DEEPEST => in_own_stack(text),
        Ok(text) => text.opaque("it is nested too deep"),
        Err(opaque) => Understood::Opaque(opaque),
    }
}

/// The text without its literals, which may be secrets.
pub(crate) fn outline_of(backend: DbBackend, sql: &str) -> String {
    match Text::read(backend, sql) {
        Ok(text) => outline(&text.tokens),
        Err(opaque) => opaque.outline,
    }
}

fn in_own_stack(text: Text) -> Understood {
    let size = STACK_PER_LEVEL * (text.depth + SHALLOW);
    let why = "it is nested too deep";
    let outline = outline(&text.tokens);
    let opaque = move || {
        Understood::Opaque(Opaque {
            why,
            tables: None,
            outline,
        })
    };
    match std::thread::Builder::new()
        .stack_size(size)
        .spawn(move || text.understand())
    {
        Ok(thread) => thread.join().unwrap_or_else(|_| opaque()),
        Err(_) => opaque(),
    }
}

fn dialect(backend: DbBackend) -> Box<dyn Dialect> {
    match backend {
        DbBackend::Postgres => Box::new(PostgreSqlDialect {}),
        DbBackend::Sqlite => Box::new(SQLiteDialect {}),
        _ => Box::new(MySqlDialect {}),
    }
}

/// A text as tokens, in which bound values have `MARK position MARK` for a name.
struct Text {
    backend: DbBackend,
    tokens: Vec<Token>,
    binds: usize,
    depth: usize,
}

/// The text without its literals, which may be secrets.
fn outline(tokens: &[Token]) -> String {
    let mut text = String::new();
    for token in tokens {
        match token {
            Token::Word(_) => text.push_str(&token.to_string()),
            Token::Whitespace(_) if text.ends_with(' ') => {}
            Token::Whitespace(_) => text.push(' '),
            Token::Comma
            | Token::LParen
            | Token::RParen
            | Token::Period
            | Token::Eq
            | Token::SemiColon
            | Token::Mul => text.push_str(&token.to_string()),
            _ => text.push('?'),
        }
        if text.len() > 500 {
            text.push('…');
            break;
        }
    }
    text.trim().to_owned()
}

impl Text {
    fn read(backend: DbBackend, sql: &str) -> Result<Self, Opaque> {
        let refuse = |why| Opaque {
            why,
            tables: None,
            outline: sql.split_whitespace().next().unwrap_or_default().to_owned(),
        };
        if sql.contains(MARK) {
            return Err(refuse("it has a control character"));
        }
        // MySQL runs what stands in them.
        if backend == DbBackend::MySql && (sql.contains("/*!") || sql.contains("/*M!")) {
            return Err(refuse("it has an executable comment"));
        }
        let dialect = dialect(backend);
        let mut tokens = Tokenizer::new(dialect.as_ref(), sql)
            // As they stand, so that they can be written again.
            .with_unescape(false)
            .tokenize()
            .map_err(|_| refuse("it is no SQL of this database that is known"))?;
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
                Token::Whitespace(_) | Token::Comma | Token::Number(..) | Token::Period => {}
                Token::Word(word) if matches!(word.keyword, Keyword::AND | Keyword::OR) => {
                    depth += 1
                }
                Token::Word(_) | Token::SingleQuotedString(_) | Token::RParen => {}
                // A parenthesis nests no deeper than the parser allows; comparisons do not nest.
                Token::LParen
                | Token::Eq
                | Token::Neq
                | Token::Lt
                | Token::Gt
                | Token::LtEq
                | Token::GtEq => {}
                _ => depth += 1,
            }
        }
        // Lists are not nested, but each row of VALUES has operators of its own at times.
        if starts_with(&tokens, Keyword::INSERT) || starts_with(&tokens, Keyword::REPLACE) {
            depth = longest_row(&tokens);
        }
        Ok(Self {
            backend,
            tokens,
            binds,
            depth,
        })
    }

    fn opaque(&self, why: &'static str) -> Understood {
        self.opaque_on(why, None)
    }

    fn opaque_on(&self, why: &'static str, tables: Option<Vec<TableName>>) -> Understood {
        Understood::Opaque(Opaque {
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

    fn understand(self) -> Understood {
        let Some(mut statements) = self.parse(self.tokens.clone()) else {
            return self.opaque("it could not be parsed");
        };
        match (statements.pop(), statements.is_empty()) {
            (None, _) => Understood::Read,
            (Some(only), true) => self.one(&only),
            (Some(last), false) => {
                statements.push(last);
                self.several(&statements)
            }
        }
    }

    fn several(&self, statements: &[Statement]) -> Understood {
        let texts: Vec<String> = self
            .tokens
            .split(|token| *token == Token::SemiColon)
            .filter(|tokens| tokens.iter().any(is_meaningful))
            .map(|tokens| tokens.iter().map(ToString::to_string).collect())
            .collect();
        if texts.len() != statements.len() {
            return self.opaque("its statements cannot be told apart");
        }
        let parts: Vec<_> = (texts.into_iter().zip(statements))
            .map(|(text, statement)| {
                let understood = self.one(statement);
                (text, understood)
            })
            .collect();
        if parts
            .iter()
            .all(|(_, part)| matches!(part, Understood::Read))
        {
            return Understood::Read;
        }
        if self.binds > 0 {
            return self.opaque("it has several statements with bound values");
        }
        Understood::Several(parts)
    }

    fn one(&self, statement: &Statement) -> Understood {
        match statement {
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update, None),
            Statement::Delete(delete) => self.delete(delete, None),
            Statement::Query(query) => self.query(query),
            Statement::Truncate(truncate) => self.truncate(truncate),
            Statement::Explain {
                analyze: false,
                options: None,
                ..
            } => Understood::Read,
            Statement::Explain { statement, .. } => match self.one(statement) {
                Understood::Read => Understood::Read,
                _ => self.opaque("EXPLAIN may run what it explains"),
            },
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
            | Statement::Reset(_) => Understood::Read,
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
            | Statement::RefreshMaterializedView(_) => Understood::Control,
            Statement::Copy { to: true, .. } => Understood::Read,
            Statement::Copy {
                source: CopySource::Table { table_name, .. },
                ..
            }
            | Statement::LoadData { table_name, .. } => {
                let tables = table_name_of(self.backend, table_name).map(|name| vec![name]);
                self.opaque_on("the rows it loads are not in the statement", tables)
            }
            Statement::Merge(merge) => {
                let tables = table_of(self.backend, &merge.table).map(|(name, _)| vec![name]);
                self.opaque_on("MERGE does not say what it does with which row", tables)
            }
            _ => self.opaque("it may write"),
        }
    }

    /// A query, or a write after `WITH`.
    fn query(&self, query: &Query) -> Understood {
        if let Some(with) = &query.with
            && with.cte_tables.iter().any(|cte| !only_reads(&cte.query))
        {
            return self.opaque("a query in its WITH writes");
        }
        let with = || query.with.as_ref().map(|with| template(with));
        match query.body.as_ref() {
            SetExpr::Insert(Statement::Insert(insert)) => self.insert(insert),
            SetExpr::Update(Statement::Update(update)) => self.update(update, with()),
            SetExpr::Delete(Statement::Delete(delete)) => self.delete(delete, with()),
            body if body_reads(body) => Understood::Read,
            _ => self.opaque("it may write"),
        }
    }

    fn truncate(&self, truncate: &sqlparser::ast::Truncate) -> Understood {
        let names: Vec<TableName> = (truncate.table_names.iter())
            .filter_map(|target| table_name_of(self.backend, &target.name))
            .collect();
        let cascades = matches!(
            truncate.cascade,
            Some(sqlparser::ast::CascadeOption::Cascade)
        );
        match <[TableName; 1]>::try_from(names.clone()) {
            _ if cascades => {
                self.opaque("TRUNCATE .. CASCADE empties tables that it does not name")
            }
            // It commits the transaction.
            _ if self.backend == DbBackend::MySql => {
                self.opaque_on("TRUNCATE commits the transaction it is in", Some(names))
            }
            Ok([table]) => Understood::Write(Box::new(Write {
                qualifier: truncate.table_names[0].name.to_string(),
                table,
                kind: Kind::Truncate,
                returning: Returning::Nothing,
                returning_text: None,
                clean: None,
                selected: ColumnList::default(),
                returned: ColumnList::default(),
            })),
            Err(names) => self.opaque_on("it empties several tables", Some(names)),
        }
    }

    fn insert(&self, insert: &sqlparser::ast::Insert) -> Understood {
        let TableObject::TableName(name) = &insert.table else {
            return self.opaque("its table is no name");
        };
        let Some(table) = table_name_of(self.backend, name) else {
            return self.opaque("its table is no name");
        };
        let or = match insert.or {
            None => None,
            Some(SqliteOnConflict::Ignore) => Some(ConflictAction::Nothing),
            Some(SqliteOnConflict::Replace) => Some(ConflictAction::Replace),
            // They end the statement or the transaction.
            Some(_) => None,
        };
        let conflict = match (&insert.on, or) {
            (None, Some(action)) => Some(Conflict {
                action,
                target: None,
            }),
            (None, None) if insert.replace_into => Some(Conflict {
                action: ConflictAction::Replace,
                target: None,
            }),
            (None, None) => insert.ignore.then_some(Conflict {
                action: ConflictAction::Nothing,
                target: None,
            }),
            (Some(OnInsert::DuplicateKeyUpdate(_)), _) => Some(Conflict {
                action: ConflictAction::Update,
                target: None,
            }),
            (Some(OnInsert::OnConflict(on)), _) => {
                let target = match &on.conflict_target {
                    None => None,
                    Some(ConflictTarget::Columns { columns, .. }) => {
                        Some(columns.iter().map(|c| folded(self.backend, c)).collect())
                    }
                    Some(ConflictTarget::OnConstraint(_))
                        if matches!(on.action, OnConflictAction::DoNothing) =>
                    {
                        None
                    }
                    Some(ConflictTarget::OnConstraint(_)) => {
                        return self.opaque_on(
                            "its conflict clause names a constraint, not columns",
                            Some(vec![table]),
                        );
                    }
                };
                let action = match &on.action {
                    OnConflictAction::DoNothing => ConflictAction::Nothing,
                    OnConflictAction::DoUpdate(_) => ConflictAction::Update,
                };
                Some(Conflict { action, target })
            }
            _ => return self.opaque_on("its conflict clause is not known", Some(vec![table])),
        };
        let columns: Option<Vec<String>> = (insert.columns.iter())
            .map(|name| last_part(self.backend, name))
            .collect();
        let Some(mut columns) = columns else {
            return self.opaque_on("its columns are no names", Some(vec![table]));
        };
        // What is read before and after it must be known; else the rows that it returns are enough.
        let listed = conflict.is_some() || self.backend == DbBackend::MySql;
        let rows = if insert.assignments.is_empty() {
            match insert.source.as_ref().map(|source| source.body.as_ref()) {
                Some(SetExpr::Values(values)) if listed => Some(
                    (values.rows.iter())
                        .map(|row| row.iter().map(|cell| self.cell(cell)).collect())
                        .collect(),
                ),
                Some(SetExpr::Values(_)) => Some(Vec::new()),
                Some(_) => None,
                None => Some(vec![Vec::new()]),
            }
        } else {
            columns = (insert.assignments.iter())
                .filter_map(|assignment| assigned(self.backend, assignment))
                .flatten()
                .collect();
            let row = insert.assignments.iter().map(|a| self.cell(&a.value));
            Some(vec![row.collect()])
        };
        if let Some(source) = &insert.source
            && !only_reads(source)
        {
            return self.opaque("a query in it writes");
        }
        Understood::Write(Box::new(Write {
            table,
            qualifier: (insert.table_alias.as_ref())
                .map_or_else(|| name.to_string(), |alias| alias.alias.to_string()),
            kind: Kind::Insert(Insert {
                columns,
                rows,
                conflict,
            }),
            returning: self.returning(insert.returning.as_deref()),
            returning_text: None,
            clean: self.clean(),
            selected: ColumnList::default(),
            returned: ColumnList::default(),
        }))
    }

    fn cell(&self, expr: &Expr) -> Cell {
        match expr {
            Expr::Identifier(name)
                if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("DEFAULT") =>
            {
                Cell::Default
            }
            Expr::Value(_) => Cell::Stable(template(expr)),
            expr if self.stable(expr) => Cell::Stable(template(expr)),
            _ => Cell::Unstable,
        }
    }

    fn stable(&self, part: &impl ToString) -> bool {
        let dialect = dialect(self.backend);
        let rendered = part.to_string().replace(MARK, " ");
        Tokenizer::new(dialect.as_ref(), &rendered)
            .with_unescape(false)
            .tokenize()
            .is_ok_and(|tokens| is_stable(&tokens))
    }

    fn update(&self, update: &Update, with: Option<Template>) -> Understood {
        let Some((table, qualifier)) = table_of(self.backend, &update.table.relation) else {
            return self.opaque("its table is no name");
        };
        let named = |why| self.opaque_on(why, Some(vec![table.clone()]));
        if !update.table.joins.is_empty() && self.backend != DbBackend::MySql {
            return self.opaque("it writes a join");
        }
        if update.or.is_some() {
            return named("its OR clause may leave rows out or replace others");
        }
        let others: &[TableWithJoins] = match &update.from {
            None => &[],
            Some(UpdateTableFromKind::AfterSet(from)) => from,
            Some(UpdateTableFromKind::BeforeSet(_)) => return named("its FROM comes before SET"),
        };
        let mut assigned_columns = Vec::new();
        for assignment in &update.assignments {
            let Some(columns) = assigned(self.backend, assignment) else {
                return named("what it sets is no column");
            };
            // Of a join, only the first table's columns can be told.
            if !update.table.joins.is_empty() && !sets_own(assignment, &qualifier) {
                return self.opaque("it writes a join");
            }
            assigned_columns.extend(columns);
        }
        let mut head = update.clone();
        (head.selection, head.returning, head.limit) = (None, None, None);
        head.order_by = Vec::new();
        let mut from = update.table.to_string();
        for other in others {
            from.push_str(", ");
            from.push_str(&other.to_string());
        }
        let statement = Statement::Update(update.clone());
        self.change(Parts {
            statement,
            table,
            qualifier,
            delete: false,
            with,
            head: template(&Statement::Update(head)),
            from,
            joined: !others.is_empty() || !update.table.joins.is_empty(),
            filter: update.selection.as_ref(),
            tail: tail(&update.order_by, update.limit.as_ref()),
            assigned: assigned_columns,
            returning: update.returning.as_deref(),
        })
    }

    fn delete(&self, delete: &Delete, with: Option<Template>) -> Understood {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let [target] = from.as_slice() else {
            return self.opaque("it deletes from several tables");
        };
        if !delete.tables.is_empty() || !target.joins.is_empty() {
            return self.opaque("it deletes from a join");
        }
        let Some((table, qualifier)) = table_of(self.backend, &target.relation) else {
            return self.opaque("its table is no name");
        };
        let using = delete.using.as_deref().unwrap_or_default();
        if !using.is_empty() && self.backend == DbBackend::MySql {
            return self.opaque("it deletes from a join");
        }
        let mut head = delete.clone();
        (head.selection, head.returning, head.limit) = (None, None, None);
        head.order_by = Vec::new();
        let mut from = target.to_string();
        for other in using {
            from.push_str(", ");
            from.push_str(&other.to_string());
        }
        self.change(Parts {
            statement: Statement::Delete(delete.clone()),
            table,
            qualifier,
            delete: true,
            with,
            head: template(&Statement::Delete(head)),
            from,
            joined: !using.is_empty(),
            filter: delete.selection.as_ref(),
            tail: tail(&delete.order_by, delete.limit.as_ref()),
            assigned: Vec::new(),
            returning: delete.returning.as_deref(),
        })
    }

    fn change(&self, parts: Parts<'_>) -> Understood {
        if !self.renders(&parts.statement) {
            return self.opaque_on(
                "it cannot be written again as it was",
                Some(vec![parts.table]),
            );
        }
        let unstable = parts.tail.is_some()
            || parts.filter.is_some_and(|filter| !self.stable(filter))
            || (parts.joined && !self.stable(&parts.from));
        let mut equalities = Vec::new();
        if !parts
            .filter
            .is_some_and(|filter| self.equalities(filter, &mut equalities))
        {
            equalities.clear();
        }
        Understood::Write(Box::new(Write {
            table: parts.table,
            qualifier: parts.qualifier,
            kind: Kind::Change(Change {
                delete: parts.delete,
                with: parts.with,
                head: parts.head,
                from: Template::read(&parts.from),
                joined: parts.joined,
                filter: parts.filter.map(template),
                tail: parts.tail,
                assigned: parts.assigned,
                equalities,
                unstable,
            }),
            returning: self.returning(parts.returning),
            returning_text: parts.returning.map(|items| {
                let items: Vec<_> = items.iter().map(ToString::to_string).collect();
                Template::read(&items.join(", "))
            }),
            clean: self.clean(),
            selected: ColumnList::default(),
            returned: ColumnList::default(),
        }))
    }

    /// Whether the statement, written anew, is the same statement.
    fn renders(&self, statement: &Statement) -> bool {
        let dialect = dialect(self.backend);
        let rendered = statement.to_string();
        // The parser knows no marks; a number in their place is as good for comparing.
        let plain = |text: &str| text.replace(MARK, "");
        let again = Tokenizer::new(dialect.as_ref(), &plain(&rendered))
            .with_unescape(false)
            .tokenize()
            .ok()
            .and_then(|tokens| self.parse(tokens));
        again.is_some_and(|again| {
            again.len() == 1 && plain(&again[0].to_string()) == plain(&rendered)
        })
    }

    /// The columns that a conjunction compares with values for equality; `false` where it does more.
    fn equalities(&self, filter: &Expr, columns: &mut Vec<String>) -> bool {
        match filter {
            Expr::In {
                expr,
                target: InTarget::List(list),
                negated: false,
                ..
            } => match list.as_slice() {
                [only] => self.equality(expr, only, columns),
                _ => false,
            },
            Expr::Nested(inner) => self.equalities(inner, columns),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => self.equalities(left, columns) && self.equalities(right, columns),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => self.equality(left, right, columns),
            _ => false,
        }
    }

    fn equality(&self, left: &Expr, right: &Expr, columns: &mut Vec<String>) -> bool {
        let is_value = match right {
            Expr::Value(value) => !matches!(value.value, Value::Null),
            Expr::Cast { expr, .. } => matches!(expr.as_ref(), Expr::Value(_)),
            _ => false,
        };
        let name = match left {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.last(),
            _ => None,
        };
        match name {
            Some(name) if is_value => {
                columns.push(folded(self.backend, name));
                true
            }
            _ => false,
        }
    }

    fn returning(&self, items: Option<&[SelectItem]>) -> Returning {
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
    fn clean(&self) -> Option<Template> {
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

/// What UPDATE and DELETE have in common.
struct Parts<'a> {
    statement: Statement,
    table: TableName,
    qualifier: String,
    delete: bool,
    with: Option<Template>,
    head: Template,
    from: String,
    joined: bool,
    filter: Option<&'a Expr>,
    tail: Option<Template>,
    assigned: Vec<String>,
    returning: Option<&'a [SelectItem]>,
}

fn is_meaningful(token: &Token) -> bool {
    !matches!(token, Token::Whitespace(_) | Token::SemiColon)
}

fn starts_with(tokens: &[Token], keyword: Keyword) -> bool {
    let first = tokens.iter().find(|token| is_meaningful(token));
    matches!(first, Some(Token::Word(word)) if word.keyword == keyword)
}

/// How many tokens the longest run between two commas outside of any nesting has.
fn longest_row(tokens: &[Token]) -> usize {
    let (mut longest, mut run) = (0, 0);
    for token in tokens {
        match token {
            Token::Comma => run = 0,
            Token::Whitespace(_) => {}
            _ => run += 1,
        }
        longest = longest.max(run);
    }
    longest
}

fn template(part: &impl ToString) -> Template {
    Template::read(&part.to_string())
}

fn tail(order_by: &[sqlparser::ast::OrderByExpr], limit: Option<&Expr>) -> Option<Template> {
    let mut text = String::new();
    if !order_by.is_empty() {
        let order: Vec<_> = order_by.iter().map(ToString::to_string).collect();
        text.push_str(&format!(" ORDER BY {}", order.join(", ")));
    }
    if let Some(limit) = limit {
        text.push_str(&format!(" LIMIT {limit}"));
    }
    (!text.is_empty()).then(|| Template::read(&text))
}

/// An identifier as the database reads it.
fn folded(backend: DbBackend, name: &Ident) -> String {
    match name.quote_style {
        None if backend == DbBackend::Postgres => name.value.to_lowercase(),
        None => name.value.clone(),
        // As it stands, a quote inside of the name is doubled.
        Some(quote) => name
            .value
            .replace(&format!("{quote}{quote}"), &quote.to_string()),
    }
}

fn last_part(backend: DbBackend, name: &ObjectName) -> Option<String> {
    let last = name.0.last()?.as_ident()?;
    Some(folded(backend, last))
}

fn table_name_of(backend: DbBackend, name: &ObjectName) -> Option<TableName> {
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
fn table_of(backend: DbBackend, factor: &TableFactor) -> Option<(TableName, String)> {
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

fn assigned(backend: DbBackend, assignment: &Assignment) -> Option<Vec<String>> {
    match &assignment.target {
        AssignmentTarget::ColumnName(name) => Some(vec![last_part(backend, name)?]),
        AssignmentTarget::Tuple(names) => {
            names.iter().map(|name| last_part(backend, name)).collect()
        }
    }
}

/// Whether an assignment in a join names the first table's column.
fn sets_own(assignment: &Assignment, qualifier: &str) -> bool {
    match &assignment.target {
        AssignmentTarget::ColumnName(name) => {
            let mut parts: Vec<_> = name.0.iter().map(ToString::to_string).collect();
            parts.pop();
            !parts.is_empty() && parts.join(".").eq_ignore_ascii_case(qualifier)
        }
        AssignmentTarget::Tuple(_) => false,
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
