//! UPDATE and DELETE.

use sea_orm::DbBackend;
use sqlparser::ast::{
    Assignment, AssignmentTarget, BinaryOperator, Delete, Expr, FromTable, InTarget, OrderByExpr,
    SelectItem, Statement, TableWithJoins, Update, UpdateTableFromKind, Value,
};
use sqlparser::tokenizer::Tokenizer;

use super::names::{folded, last_part, table_of, template};
use super::{Text, dialect};
use crate::sql::template::MARK;
use crate::sql::{Change, ColumnList, Kind, TableName, Template, Understood, Write};

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

impl Text {
    pub(super) fn update(&self, update: &Update, with: Option<Template>) -> Understood {
        let Some((table, qualifier)) = table_of(self.backend, &update.table.relation) else {
            return self.opaque("its table is no name");
        };
        let modifier = ["IGNORE", "LOW_PRIORITY"]
            .iter()
            .any(|word| qualifier_is(&update.table.relation, word));
        if self.backend == DbBackend::MySql && modifier {
            // The parser takes the word for the table, and the table for its alias.
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

    pub(super) fn delete(&self, delete: &Delete, with: Option<Template>) -> Understood {
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
            old: ColumnList::default(),
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

/// Whether a table is named by this one word, without quotes.
fn qualifier_is(relation: &sqlparser::ast::TableFactor, word: &str) -> bool {
    matches!(relation, sqlparser::ast::TableFactor::Table { name, .. }
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
