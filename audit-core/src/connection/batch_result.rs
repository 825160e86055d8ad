//! The result of a text of several statements, from the results of each of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sea_orm::{DbBackend, DbErr};

use crate::capture::{ExecOutput, result_of};
use crate::sql::{Kind, ParsedStatement};

/// The results of the statements of one text so far.
pub(super) struct BatchResult {
    backend: DbBackend,
    parts: usize,
    answer: Option<ExecOutput>,
    rows_affected: u64,
    /// The number of rows that the last statement affected.
    last_affected: u64,
    last_insert_id: u64,
}

impl BatchResult {
    pub(super) const fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            parts: 0,
            answer: None,
            rows_affected: 0,
            last_affected: 0,
            last_insert_id: 0,
        }
    }

    /// Adds the result of the next statement, as the drivers do: affected rows are summed up, and the last
    /// statement's `last_insert_id` is the text's. On SQLite both numbers belong to the connection; statements that
    /// change or insert nothing leave them unchanged.
    pub(super) fn add(&mut self, answer: ExecOutput, part: &ParsedStatement) {
        let is_later = self.parts > 0;
        self.parts += 1;
        self.answer = Some(match (self.answer.take(), answer) {
            (Some(ExecOutput::Rows(mut rows)), ExecOutput::Rows(more)) => {
                rows.extend(more);
                ExecOutput::Rows(rows)
            }
            (_, ExecOutput::Executed(result)) => {
                let is_sqlite = self.backend == DbBackend::Sqlite;
                if !(is_sqlite && is_later && matches!(part, ParsedStatement::Read)) {
                    self.last_affected = result.rows_affected();
                }
                self.rows_affected += self.last_affected;
                let inserts = matches!(part, ParsedStatement::Write(write)
                    if matches!(write.kind, Kind::Insert(_)));
                // SeaORM panics if it requests the id from PostgreSQL, and at a negative rowid on SQLite. For a
                // statement that inserts nothing, SQLite returns the connection's last id, perhaps the log's.
                if self.backend != DbBackend::Postgres && (inserts || !is_sqlite) {
                    let id = AssertUnwindSafe(|| result.last_insert_id());
                    self.last_insert_id = catch_unwind(id).unwrap_or_default();
                }
                ExecOutput::Executed(result)
            }
            (_, answer) => answer,
        });
    }

    pub(super) fn into_answer(self) -> Result<ExecOutput, DbErr> {
        Ok(match self.answer {
            Some(ExecOutput::Executed(_)) if self.parts > 1 => {
                ExecOutput::Executed(result_of(self.last_insert_id, self.rows_affected)?)
            }
            Some(answer) => answer,
            None => ExecOutput::Rows(Vec::new()),
        })
    }
}
