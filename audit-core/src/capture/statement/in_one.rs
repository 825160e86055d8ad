//! PostgreSQL's UPDATE of one row and the read before it, in one statement.
//!
//! `UPDATE .. FROM (SELECT .. FOR NO KEY UPDATE) AS old .. RETURNING` locks the row, reads it, changes it
//! and returns it as it was and as it is. When another transaction holds the row, the subquery waits and
//! reads what that one committed, and so does the UPDATE.

use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{Answer, Audited, Call, Engine, PREFIX, Returned};
use crate::sql::{Change, Returning, Write};

/// The row as it was: the name of the subquery, and the prefix of its columns.
const OLD: &str = "sea_orm_audit_old";
const OLD_PREFIX: &str = "sea_orm_audit_old_";

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Whether an UPDATE of one row can be put so.
    pub(super) fn goes_in_one(&self, write: &Write, change: &Change) -> bool {
        let plain = change.with.is_none() && change.tail.is_none();
        // `*` would be the subquery's columns, too.
        let named = !matches!(write.returning, Returning::Everything);
        self.server.is_postgres()
            && self.is_rewriting_allowed()
            && plain
            && named
            && !(change.delete || change.joined || change.unstable)
    }

    /// Runs an UPDATE of one row, and tells what it changed.
    pub(super) async fn update_in_one(
        &self,
        call: Call,
        statement: &Statement,
        write: &Write,
        change: &Change,
        audited: &Audited,
    ) -> Result<Returned, DbErr> {
        let info = audited.info;
        let backend = self.db.get_database_backend();
        let complete = info
            .columns
            .iter()
            .all(|column| write.returning.has(column.name));
        let prefix = if complete { "" } else { PREFIX };
        let list = |prefix: &str| (info.access.list)(backend, Some(&write.qualifier), prefix);
        let old = write.old.of(info, || list(OLD_PREFIX));
        let Some(filter) = &change.filter else {
            return Ok(Returned::default());
        };
        let mut sql = self.composer(statement);
        sql.template(&change.head)
            .text(" FROM (SELECT ")
            .text(&old)
            .text(" FROM ");
        sql.template(&change.from).text(" WHERE (").template(filter);
        sql.text(") FOR NO KEY UPDATE) AS ")
            .text(OLD)
            .text(" WHERE (")
            .template(filter)
            .text(")");
        for column in audited.key_columns() {
            sql.text(" AND ")
                .text(&write.qualifier)
                .text(".")
                .name(column);
            sql.text(" = ")
                .text(OLD)
                .text(".")
                .name(&format!("{OLD_PREFIX}{column}"));
        }
        sql.text(" RETURNING ");
        if let Some(returning) = &write.returning_text {
            sql.template(returning).text(", ");
        }
        if !complete {
            let new = write.returned.of(info, || list(PREFIX));
            sql.text(&new).text(", ");
        }
        sql.text(OLD).text(".*");
        let (answer, doubt) = self.run(Call::QueryAll, sql.finish()).await?;
        let Answer::Rows(rows) = answer else {
            return Ok(Returned::default());
        };
        for row in &rows {
            let (old, new) = (
                (info.access.read)(row, OLD_PREFIX)?,
                (info.access.read)(row, prefix)?,
            );
            self.tell_updated(audited, self.source, old, &new)?;
        }
        self.flush_when_full().await?;
        doubt.settle();
        Ok(Returned {
            met: Vec::new(),
            count: rows.len() as u64,
            rows: if call == Call::Execute {
                Vec::new()
            } else {
                rows
            },
            last_insert_id: 0,
        })
    }
}
