//! MERGE.

use sqlparser::ast::{Merge as Statement, MergeAction, MergeUpdateKind, OutputClause};

use super::Text;
use super::change::assigned;
use super::names::table_of;
use crate::sql::{ColumnList, Kind, Merge, ParsedStatement, Write};

impl Text {
    pub(super) fn merge(&self, merge: &Statement) -> ParsedStatement {
        let Some((table, qualifier, reference)) = table_of(self.backend, &merge.table) else {
            return self.opaque("its table is no name");
        };
        if self.has_only() {
            return self.opaque("it has a modifier before its table");
        }
        let (mut deletes, mut columns) = (false, Vec::new());
        for clause in &merge.clauses {
            match &clause.action {
                MergeAction::Insert(_) | MergeAction::DoNothing { .. } => {}
                MergeAction::Delete { .. } => deletes = true,
                MergeAction::Update(update) => {
                    let assignments = match &update.kind {
                        MergeUpdateKind::Set(assignments) => assignments.as_slice(),
                        MergeUpdateKind::Wildcard => &[],
                    };
                    for assignment in assignments {
                        let Some(names) = assigned(self.backend, assignment) else {
                            return self.opaque_on("what it sets is no column", Some(vec![table]));
                        };
                        columns.extend(names);
                    }
                }
            }
        }
        let returning = match &merge.output {
            Some(
                OutputClause::Returning { select_items, .. }
                | OutputClause::Output { select_items, .. },
            ) => Some(select_items.as_slice()),
            None => None,
        };
        ParsedStatement::Write(Box::new(Write {
            table,
            qualifier,
            reference,
            kind: Kind::Merge(Merge {
                deletes,
                assigned: columns,
            }),
            returning: self.returning(returning),
            appendable: self.appendable(),
            placeholders: Some(self.binds),
            selected: ColumnList::default(),
        }))
    }
}
