//! INSERT and REPLACE.

use sqlparser::ast::{
    Assignment, ConflictTarget as Target, Expr, Insert as Statement, OnConflictAction, OnInsert,
    SetExpr, SqliteOnConflict, TableObject, Value,
};

use super::Text;
use super::change::assigned;
use super::names::{folded, last_part, table_name_of, template};
use super::only_reads;
use crate::sql::{
    Cell, ColumnList, Conflict, ConflictAction, ConflictTarget, Insert, Kind, ParsedStatement,
    Rows, Write,
};

impl Text {
    #[allow(clippy::too_many_lines)] // one clause after the other
    pub(super) fn insert(&self, insert: &Statement) -> ParsedStatement {
        let TableObject::TableName(name) = &insert.table else {
            return self.opaque("its table is no name");
        };
        let Some(table) = table_name_of(self.backend, name) else {
            return self.opaque("its table is no name");
        };
        let or = match insert.or {
            // ABORT is the default.
            None | Some(SqliteOnConflict::Abort) => None,
            Some(SqliteOnConflict::Ignore) => Some(ConflictAction::Nothing),
            Some(SqliteOnConflict::Replace) => Some(ConflictAction::Replace),
            Some(SqliteOnConflict::Fail | SqliteOnConflict::Rollback) => {
                let why = "its OR clause keeps a part of what it did, or ends the transaction";
                return self.opaque_on(why, Some(vec![table]));
            }
        };
        let conflict = match (&insert.on, or) {
            (None, Some(action)) => Some(Conflict {
                action,
                target: ConflictTarget::Any,
                assigned: Vec::new(),
            }),
            (None, None) if insert.replace_into => Some(Conflict {
                action: ConflictAction::Replace,
                target: ConflictTarget::Any,
                assigned: Vec::new(),
            }),
            (None, None) => insert.ignore.then_some(Conflict {
                action: ConflictAction::Nothing,
                target: ConflictTarget::Any,
                assigned: Vec::new(),
            }),
            (Some(OnInsert::DuplicateKeyUpdate(assignments)), _) => Some(Conflict {
                action: ConflictAction::Update,
                target: ConflictTarget::Any,
                assigned: self.changed_by(assignments),
            }),
            // The OR clause applies to the other indexes.
            (Some(OnInsert::OnConflict(_)), Some(_)) => {
                let why = "its OR clause and its conflict clause hold for different indexes";
                return self.opaque_on(why, Some(vec![table]));
            }
            (Some(OnInsert::OnConflict(on)), None) => {
                let target = match &on.conflict_target {
                    None => ConflictTarget::Any,
                    Some(Target::Columns { columns, .. }) => ConflictTarget::Columns(
                        columns.iter().map(|c| folded(self.backend, c)).collect(),
                    ),
                    Some(Target::OnConstraint(name)) => {
                        let Some(name) = last_part(self.backend, name) else {
                            let why = "its conflict clause names no constraint";
                            return self.opaque_on(why, Some(vec![table]));
                        };
                        ConflictTarget::Constraint(name)
                    }
                };
                let (action, assigned) = match &on.action {
                    OnConflictAction::DoNothing => (ConflictAction::Nothing, Vec::new()),
                    OnConflictAction::DoUpdate(update) => {
                        (ConflictAction::Update, self.changed_by(&update.assignments))
                    }
                };
                Some(Conflict {
                    action,
                    target,
                    assigned,
                })
            }
            _ => return self.opaque_on("its conflict clause is not known", Some(vec![table])),
        };
        let columns: Option<Vec<String>> = (insert.columns.iter())
            .map(|name| last_part(self.backend, name))
            .collect();
        let Some(mut columns) = columns else {
            return self.opaque_on("its columns are no names", Some(vec![table]));
        };
        let rows = if insert.assignments.is_empty() {
            match insert.source.as_ref().map(|source| source.body.as_ref()) {
                Some(SetExpr::Values(values)) => Rows::Listed(
                    (values.rows.iter())
                        .map(|row| row.iter().map(|cell| self.cell(cell)).collect())
                        .collect(),
                ),
                Some(_) => Rows::Selected,
                // DEFAULT VALUES
                None => Rows::Listed(vec![vec![Cell::Default]]),
            }
        } else {
            columns = (insert.assignments.iter())
                .filter_map(|assignment| assigned(self.backend, assignment))
                .flatten()
                .collect();
            let row = insert.assignments.iter().map(|a| self.cell(&a.value));
            Rows::Listed(vec![row.collect()])
        };
        if let Some(source) = &insert.source
            && !only_reads(source)
        {
            return self.opaque("a query in it writes");
        }
        ParsedStatement::Write(Box::new(Write {
            table,
            qualifier: (insert.table_alias.as_ref())
                .map_or_else(|| name.to_string(), |alias| alias.alias.to_string()),
            reference: String::new(),
            kind: Kind::Insert(Insert {
                columns,
                rows,
                conflict,
            }),
            returning: self.returning(insert.returning.as_deref()),
            appendable: self.appendable(),
            placeholders: Some(self.binds),
            selected: ColumnList::default(),
        }))
    }

    /// The columns that are set to something other than themselves: SeaORM sets a key to itself to do nothing.
    fn changed_by(&self, assignments: &[Assignment]) -> Vec<String> {
        let changes = assignments.iter().filter(|assignment| {
            let (target, value) = (assignment.target.to_string(), assignment.value.to_string());
            // The MySQL idiom that returns the id of the existing row.
            let is_last_insert_id = value
                .get(..15)
                .is_some_and(|call| call.eq_ignore_ascii_case("LAST_INSERT_ID("))
                && value[15..].strip_suffix(')') == Some(target.as_str());
            target != value && !is_last_insert_id
        });
        changes
            .filter_map(|assignment| assigned(self.backend, assignment))
            .flatten()
            .collect()
    }

    fn cell(&self, expr: &Expr) -> Cell {
        match expr {
            Expr::Identifier(name)
                if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("DEFAULT") =>
            {
                Cell::Default
            }
            Expr::Value(value) if matches!(value.value, Value::Null) => Cell::Null,
            Expr::Value(_) => Cell::Stable(self.piece(expr)),
            expr if self.constant(expr) => Cell::Stable(template(expr)),
            _ => Cell::Unstable,
        }
    }
}
