//! INSERT and REPLACE.

use sea_orm::DbBackend;
use sqlparser::ast::{
    Assignment, ConflictTarget, Expr, Insert as Statement, OnConflictAction, OnInsert, SetExpr,
    SqliteOnConflict, TableObject, Value,
};

use super::Text;
use super::change::assigned;
use super::names::{folded, last_part, table_name_of, template};
use super::only_reads;
use crate::sql::{Cell, ColumnList, Conflict, ConflictAction, Insert, Kind, Understood, Write};

impl Text {
    #[allow(clippy::too_many_lines)] // one clause after the other
    pub(super) fn insert(&self, insert: &Statement) -> Understood {
        let TableObject::TableName(name) = &insert.table else {
            return self.opaque("its table is no name");
        };
        let Some(table) = table_name_of(self.backend, name) else {
            return self.opaque("its table is no name");
        };
        let or = match insert.or {
            // ABORT is what is done without a clause.
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
                target: None,
                assigned: Vec::new(),
            }),
            (None, None) if insert.replace_into => Some(Conflict {
                action: ConflictAction::Replace,
                target: None,
                assigned: Vec::new(),
            }),
            (None, None) => insert.ignore.then_some(Conflict {
                action: ConflictAction::Nothing,
                target: None,
                assigned: Vec::new(),
            }),
            (Some(OnInsert::DuplicateKeyUpdate(assignments)), _) => Some(Conflict {
                action: ConflictAction::Update,
                target: None,
                assigned: self.changed_by(assignments),
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
            old: ColumnList::default(),
        }))
    }

    /// The columns that are set to something else than themselves, as SeaORM sets a key to do nothing.
    fn changed_by(&self, assignments: &[Assignment]) -> Vec<String> {
        let changes = assignments.iter().filter(|assignment| {
            let value = assignment.value.to_string();
            assignment.target.to_string() != value
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
            // NULL meets nothing.
            Expr::Value(value) if matches!(value.value, Value::Null) => Cell::Default,
            Expr::Value(_) => Cell::Stable(template(expr)),
            expr if self.stable(expr) => Cell::Stable(template(expr)),
            _ => Cell::Unstable,
        }
    }
}
