//! UPDATE and DELETE.

use sea_orm::DbBackend;
use sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, Delete, Expr, FromTable, InTarget, OrderByExpr,
    SelectItem, Statement, TableFactor, TableWithJoins, Update, UpdateTableFromKind, Value, With,
};
use sqlparser::tokenizer::Token;

use super::names::{folded, last_part, table_of, template};
use super::{Text, is_meaningful, tokenize};
use crate::sql::template::MARK;
use crate::sql::{
    ColumnList, Kind, ParsedStatement, TableName, Template, UpdateOrDelete, Volatility, Write,
    is_name,
};

/// What UPDATE and DELETE have in common.
struct Parts<'a> {
    statement: Statement,
    table: TableName,
    qualifier: String,
    reference: String,
    delete: bool,
    with: Option<&'a With>,
    from: String,
    joined: bool,
    filter: Option<&'a Expr>,
    tail: Option<Template>,
    ordered_by: Vec<String>,
    assigned: Vec<String>,
    literals: Vec<(String, Template)>,
    /// Whether RETURNING cannot be appended.
    closed: bool,
    returning: Option<&'a [SelectItem]>,
}

impl Text {
    pub(super) fn update(&self, update: &Update, with: Option<&With>) -> ParsedStatement {
        let relation = &update.table.relation;
        let Some((table, qualifier, reference)) = table_of(self.backend, relation) else {
            return self.opaque("its table is no name");
        };
        if self.has_modifier(relation) {
            return self.opaque("it has a modifier before its table");
        }
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
        let (mut assigned_columns, mut literals) = (Vec::new(), Vec::new());
        for assignment in &update.assignments {
            let Some(columns) = assigned(self.backend, assignment) else {
                return named("what it sets is no column");
            };
            // In a join, only the first table's columns can be distinguished.
            if !update.table.joins.is_empty() && !sets_own(assignment, &qualifier) {
                return self.opaque("it writes a join");
            }
            if let ([column], Some(value)) = (columns.as_slice(), literal(&assignment.value)) {
                literals.push((column.clone(), value));
            }
            assigned_columns.extend(columns);
        }
        let mut from = update.table.to_string();
        for other in others {
            from.push_str(", ");
            from.push_str(&other.to_string());
        }
        self.change(Parts {
            statement: Statement::Update(update.clone()),
            table,
            qualifier,
            reference,
            delete: false,
            with,
            from,
            joined: !others.is_empty() || !update.table.joins.is_empty(),
            filter: update.selection.as_ref(),
            tail: tail(&update.order_by, update.limit.as_ref()),
            ordered_by: self.ordered_by(&update.order_by),
            assigned: assigned_columns,
            literals,
            closed: false,
            returning: update.returning.as_deref(),
        })
    }

    pub(super) fn delete(&self, delete: &Delete, with: Option<&With>) -> ParsedStatement {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let [target] = from.as_slice() else {
            return self.opaque("it deletes from several tables");
        };
        let Some((table, qualifier, reference)) = table_of(self.backend, &target.relation) else {
            return self.opaque("its table is no name");
        };
        if self.has_modifier(&target.relation) {
            return self.opaque("it has a modifier before its table");
        }
        // MySQL's multi-table form, with one table.
        let is_of_itself = match delete.tables.as_slice() {
            [] => true,
            [only] => is_name(&only.to_string(), &qualifier),
            _ => false,
        };
        if !is_of_itself || !target.joins.is_empty() {
            return self.opaque("it deletes from a join");
        }
        let using = delete.using.as_deref().unwrap_or_default();
        if !using.is_empty() && self.backend == DbBackend::MySql {
            return self.opaque("it deletes from a join");
        }
        let mut from = target.to_string();
        for other in using {
            from.push_str(", ");
            from.push_str(&other.to_string());
        }
        self.change(Parts {
            statement: Statement::Delete(delete.clone()),
            table,
            qualifier,
            reference,
            delete: true,
            with,
            from,
            joined: !using.is_empty(),
            filter: delete.selection.as_ref(),
            tail: tail(&delete.order_by, delete.limit.as_ref()),
            ordered_by: self.ordered_by(&delete.order_by),
            assigned: Vec::new(),
            literals: Vec::new(),
            closed: !delete.tables.is_empty(),
            returning: delete.returning.as_deref(),
        })
    }

    /// Whether inheriting tables are left out (ONLY), which the parser does not keep.
    pub(super) fn has_only(&self) -> bool {
        let is = |token: &Token, words: &[&str]| {
            matches!(token, Token::Word(word) if word.quote_style.is_none()
                && words.iter().any(|known| known.eq_ignore_ascii_case(&word.value)))
        };
        let meaningful: Vec<&Token> = self.tokens.iter().filter(|t| is_meaningful(t)).collect();
        (meaningful.windows(2))
            .any(|pair| is(pair[0], &["UPDATE", "FROM", "MERGE", "INTO"]) && is(pair[1], &["ONLY"]))
    }

    fn ordered_by(&self, order_by: &[OrderByExpr]) -> Vec<String> {
        (order_by.iter())
            .filter_map(|order| match &order.expr {
                Expr::Identifier(name) => Some(folded(self.backend, name)),
                Expr::CompoundIdentifier(names) => {
                    names.last().map(|name| folded(self.backend, name))
                }
                _ => None,
            })
            .collect()
    }

    /// Whether the parser took a modifier before the table for the table, and the table for its alias.
    fn has_modifier(&self, relation: &TableFactor) -> bool {
        let words: &[&str] = match self.backend {
            DbBackend::MySql => &["IGNORE", "LOW_PRIORITY", "QUICK"],
            DbBackend::Postgres => return self.has_only(),
            _ => &[],
        };
        words.iter().any(|word| qualifier_is(relation, word))
    }

    fn change(&self, parts: Parts<'_>) -> ParsedStatement {
        if !self.renders(&parts.statement) {
            return self.opaque_on(
                "it cannot be written again as it was",
                Some(vec![parts.table]),
            );
        }
        // The statement writes the table of that name, but a query of the same rows reads the WITH.
        let hides = |with: &With| {
            (with.cte_tables.iter()).any(|cte| is_name(&cte.alias.name.value, &parts.table.table))
        };
        if parts.table.schema.is_none() && parts.with.is_some_and(hides) {
            let why = "its WITH has the name of its table";
            return self.opaque_on(why, Some(vec![parts.table]));
        }
        let mut volatility = match parts.filter {
            Some(filter) => self.volatility(filter),
            None => Volatility::Stable,
        };
        if parts.joined {
            volatility = volatility.max(self.volatility(&parts.from));
        }
        if let Some(with) = parts.with {
            volatility = volatility.max(self.volatility(with));
        }
        // It would have to precede ORDER BY and LIMIT.
        let appendable = parts.tail.is_none();
        let mut equalities = Vec::new();
        if !parts
            .filter
            .is_some_and(|filter| self.equalities(filter, &mut equalities))
        {
            equalities.clear();
        }
        ParsedStatement::Write(Box::new(Write {
            table: parts.table,
            qualifier: parts.qualifier,
            reference: parts.reference,
            kind: Kind::UpdateOrDelete(UpdateOrDelete {
                delete: parts.delete,
                with: parts.with.map(template),
                from: Template::read(&parts.from),
                joined: parts.joined,
                reads_others: parts.joined
                    || parts.with.is_some()
                    || parts.filter.is_some_and(|filter| self.has_query(filter)),
                reads_clock: parts.filter.is_some_and(|filter| self.reads_clock(filter))
                    || parts.joined && self.reads_clock(&parts.from)
                    || parts.with.is_some_and(|with| self.reads_clock(with)),
                filter: parts.filter.map(|filter| self.piece(filter)),
                tail: parts.tail,
                ordered_by: parts.ordered_by,
                assigned: parts.assigned,
                literals: parts.literals,
                equalities,
                may_fail: parts.joined
                    || parts.with.is_some()
                    || parts.filter.is_some_and(|filter| !only_compares(filter)),
                volatility,
            }),
            returning: self.returning(parts.returning),
            appendable: appendable && !parts.closed && self.appendable(),
            placeholders: Some(self.binds),
            selected: ColumnList::default(),
        }))
    }

    /// Whether the rendered statement equals the original statement.
    fn renders(&self, statement: &Statement) -> bool {
        let rendered = statement.to_string();
        // The parser does not know the marks; a number in their place serves the comparison.
        let plain = |text: &str| text.replace(MARK, "");
        let again =
            tokenize(self.backend, &plain(&rendered)).and_then(|text| self.parse(text.tokens));
        again.is_some_and(|again| {
            again.len() == 1 && plain(&again[0].to_string()) == plain(&rendered)
        })
    }

    /// The columns that a conjunction compares with values for equality; `false` if it does more.
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
}

fn tail(order_by: &[OrderByExpr], limit: Option<&Expr>) -> Option<Template> {
    let mut text = String::new();
    if !order_by.is_empty() {
        let order: Vec<_> = order_by.iter().map(ToString::to_string).collect();
        text.push_str(" ORDER BY ");
        text.push_str(&order.join(", "));
    }
    if let Some(limit) = limit {
        text.push_str(" LIMIT ");
        text.push_str(&limit.to_string());
    }
    (!text.is_empty()).then(|| Template::read(&text))
}

/// Whether an expression consists only of comparisons of columns with values.
fn only_compares(expr: &Expr) -> bool {
    let is_value = |expr: &Expr| {
        matches!(
            expr,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
        )
    };
    match expr {
        Expr::Between {
            expr, low, high, ..
        } => is_value(expr) && is_value(low) && is_value(high),
        Expr::Like { expr, pattern, .. } | Expr::ILike { expr, pattern, .. } => {
            is_value(expr) && is_value(pattern)
        }
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => only_compares(inner),
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_value(inner),
        Expr::In {
            expr,
            target: InTarget::List(list),
            ..
        } => is_value(expr) && list.iter().all(is_value),
        Expr::BinaryOp { left, op, right } => match op {
            BinaryOperator::And | BinaryOperator::Or => only_compares(left) && only_compares(right),
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::Gt
            | BinaryOperator::LtEq
            | BinaryOperator::GtEq => is_value(left) && is_value(right),
            _ => false,
        },
        _ => false,
    }
}

/// A literal or a bound value.
fn literal(expr: &Expr) -> Option<Template> {
    match expr {
        Expr::Value(_) => Some(template(expr)),
        Expr::UnaryOp { expr: inner, .. } if matches!(inner.as_ref(), Expr::Value(_)) => {
            Some(template(expr))
        }
        _ => None,
    }
}

/// Whether a table is named by this one unquoted word.
fn qualifier_is(relation: &TableFactor, word: &str) -> bool {
    matches!(relation, TableFactor::Table { name, .. }
        if name.0.len() == 1 && name.to_string().eq_ignore_ascii_case(word))
}

pub(super) fn assigned(backend: DbBackend, assignment: &Assignment) -> Option<Vec<String>> {
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
