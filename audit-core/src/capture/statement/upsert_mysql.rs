//! INSERT with a conflict clause, and REPLACE, on MySQL and MariaDB.
//!
//! The server returns no rows, and a plain read sees the rows of the transaction's start. The rows that a plain read
//! finds are read again and locked; missing keys are not locked, since two clients would wait for each other. If a
//! row is first seen afterwards, the count and the id of the server's answer show what it was; if they do not, its
//! old values are unknown.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DbErr};

use super::candidates::{Candidates, candidates, listed};
use super::select_rows::RowLock;
use super::update::is_same;
use super::upsert::Written;
use super::{CaptureError, Engine, ExecOutput, Request, RowValues};
use crate::exec_method::ExecMethod;
use crate::sql::{Cell, Conflict, ConflictAction, Insert, Returning};

/// The server's answer to the statement.
struct ServerAnswer {
    /// Its count; an answer with rows has none.
    affected: Option<u64>,
    id: u64,
}

/// The rows that the statement inserts.
struct Listed {
    rows: u64,
    /// The numbers that it gives to an auto-increment key; `None` for a row whose number the database generates.
    /// Absent if the key is not auto-increment.
    numbers: Option<Vec<Option<u64>>>,
}

impl Listed {
    /// The number of rows whose number the database generates.
    fn generated(&self) -> u64 {
        let numbers = self.numbers.iter().flatten();
        numbers.filter(|number| number.is_none()).count() as u64
    }
}

impl<C: ConnectionTrait> Engine<'_, C> {
    pub(super) async fn upsert_mysql(
        &self,
        request: Request<'_>,
        insert: &Insert,
        conflict: &Conflict,
    ) -> Result<ExecOutput, CaptureError> {
        let (call, info) = (request.call, request.audited.info);
        if request.sets_key(&conflict.assigned) {
            return Err(CaptureError::Uncapturable(
                "its conflict clause changes keys",
            ));
        }
        let Some(rows) = listed(request, insert) else {
            return Err(CaptureError::Uncapturable(
                "INSERT .. SELECT with a conflict clause does not say which rows it conflicts with",
            ));
        };
        let candidates = candidates(request, insert, conflict, &rows)?;
        let listed = Listed {
            rows: rows.len() as u64,
            numbers: self.numbers(request, insert, &rows).ok(),
        };
        check_findable(request, &candidates, &rows, &listed)?;
        let lock = match conflict.action {
            // As the statement locks the rows that it leaves as they are.
            ConflictAction::Nothing => RowLock::Shared,
            ConflictAction::Update | ConflictAction::Replace => RowLock::Full,
        };
        let before = (self.lock_conflicting(request, &candidates, lock).await)
            .map_err(|error| self.extra_read(call, error))?;
        let replaces = conflict.action == ConflictAction::Replace;
        let trail = if replaces && !request.audited.followers.is_empty() {
            let mut before = self.store_of(request, &before);
            self.descendants(request, &mut before).await?
        } else {
            Vec::new()
        };
        let has_answer =
            !call.reads_rows() && matches!(request.write.returning, Returning::Nothing);
        // Only a generated number is read afterwards.
        let id_before = if has_answer || listed.generated() == 0 {
            None
        } else {
            Some(self.mysql_last_insert_id().await?)
        };
        let ran = self.run(call, request.statement).await?;
        let server = match (&ran.answer, &request.write.returning) {
            (ExecOutput::Executed(result), Returning::Nothing) => ServerAnswer {
                affected: Some(result.rows_affected()),
                id: result.last_insert_id(),
            },
            (ExecOutput::Rows(_), Returning::Nothing) => ServerAnswer {
                affected: Some(self.row_count().await?),
                id: self.new_id(id_before).await?,
            },
            (answer, _) => ServerAnswer {
                affected: match answer {
                    // Skipped rows are not returned; `query_one` returns only the first row.
                    ExecOutput::Rows(rows)
                        if call != ExecMethod::QueryOne
                            && conflict.action == ConflictAction::Nothing =>
                    {
                        Some(rows.len() as u64)
                    }
                    _ => None,
                },
                id: self.new_id(id_before).await?,
            },
        };
        let mut now = (self.now_there(request, &candidates, &before, lock)).await?;
        if listed.generated() > 0 && server.id != 0 && candidates.rows() < listed.rows {
            // Rows without a value for any unique column are found by their generated numbers.
            let numbers = listed.numbers.as_deref().unwrap_or_default();
            let seen: HashSet<RowValues> = now.iter().map(|row| info.key_of(row)).collect();
            let numbered = self.auto_increment_keys(server.id, numbers);
            let more = self.rows_where(info, &info.key, &numbered, lock).await?;
            now.extend(
                more.into_iter()
                    .filter(|row| !seen.contains(&info.key_of(row))),
            );
        }
        let written = self.decide(request, conflict.action, &listed, &server, &before, now);
        self.record_upserted(request, before, written, replaces)?;
        self.flush_when_full().await?;
        self.record_descendants(trail).await?;
        ran.doubt.disarm();
        Ok(ran.answer)
    }

    /// The first number that the statement generated, or 0 if that is unknown: a statement that generates none keeps
    /// the number of an earlier one, which may also be that of another table.
    async fn new_id(&self, id_before: Option<u64>) -> Result<u64, DbErr> {
        let Some(id_before) = id_before else {
            return Ok(0);
        };
        let id = self.mysql_last_insert_id().await?;
        Ok(if id == id_before { 0 } else { id })
    }

    /// Reads the existing rows, current and locked: by the same indexes, in the same order, as the statement reaches
    /// them.
    async fn lock_conflicting(
        &self,
        request: Request<'_>,
        candidates: &Candidates<'_>,
        lock: RowLock,
    ) -> Result<Vec<RowValues>, DbErr> {
        let info = request.audited.info;
        let found = (self.conflicting(request, candidates, &[], RowLock::None)).await?;
        if found.is_empty() {
            return Ok(found);
        }
        let (mut before, mut seen) = (Vec::new(), HashSet::new());
        for columns in candidates.columns(info) {
            let values: Vec<RowValues> = (found.iter())
                .map(|row| columns.iter().map(|at| row[*at].clone()).collect())
                .collect();
            for row in self.rows_where(info, &columns, &values, lock).await? {
                if seen.insert(info.key_of(&row)) {
                    before.push(row);
                }
            }
        }
        Ok(before)
    }

    /// The rows that the statement conflicted with or wrote, current and locked. A plain read shows which exist:
    /// those that the statement wrote, and those in the snapshot. Other keys are not locked: they are gaps, in which
    /// another client may insert. A row in neither set is unchanged.
    async fn now_there(
        &self,
        request: Request<'_>,
        candidates: &Candidates<'_>,
        before: &[RowValues],
        lock: RowLock,
    ) -> Result<Vec<RowValues>, DbErr> {
        let info = request.audited.info;
        let keys_before: Vec<RowValues> = before.iter().map(|row| info.key_of(row)).collect();
        let there = (self.conflicting(request, candidates, &[], RowLock::None)).await?;
        let others: Vec<&RowValues> = (there.iter())
            .filter(|row| !keys_before.contains(&info.key_of(row)))
            .collect();
        let mut keys = keys_before.clone();
        keys.extend(others.iter().map(|row| info.key_of(row)));
        let now = self.rows_where(info, &info.key, &keys, lock).await?;
        if others.iter().all(|row| now.contains(row)) {
            return Ok(now);
        }
        // The snapshot shows a row that another client has since changed or deleted, and may hide the row that
        // replaced it.
        self.conflicting(request, candidates, &keys_before, lock)
            .await
    }

    /// Determines for each current row whether it existed before.
    fn decide(
        &self,
        request: Request<'_>,
        action: ConflictAction,
        listed: &Listed,
        server: &ServerAnswer,
        before: &[RowValues],
        now: Vec<RowValues>,
    ) -> Vec<Written> {
        let info = request.audited.info;
        let find = |row: &RowValues| {
            let key = info.key_of(row);
            before.iter().find(|old| info.key_of(old) == key)
        };
        // The server's count for the known rows.
        let of_known: u64 = match action {
            ConflictAction::Nothing => 0,
            ConflictAction::Update => (now.iter())
                .filter_map(|row| find(row).map(|old| if is_same(old, row) { 1 } else { 2 }))
                .sum(),
            ConflictAction::Replace => before.len() as u64,
        };
        let new: u64 = now.iter().filter(|row| find(row).is_none()).count() as u64;
        let left = server.affected.and_then(|all| all.checked_sub(of_known));
        let is_new = |row: &RowValues| -> Option<bool> {
            let Some(left) = left else {
                return self.has_new_number(listed, server, &info.key_of(row));
            };
            match action {
                // A REPLACE deletes unread old rows; the current rows are new.
                ConflictAction::Replace => Some(true),
                // An id shows that a row got a generated number.
                _ if listed.rows == 1 && listed.generated() == 1 => match (left, server.id) {
                    (0, _) | (1, 0) => Some(false),
                    (1, _) => Some(true),
                    _ => None,
                },
                ConflictAction::Nothing if left == 0 => Some(false),
                _ if left == new => Some(true),
                ConflictAction::Nothing | ConflictAction::Update => {
                    self.has_new_number(listed, server, &info.key_of(row))
                }
            }
        };
        if action == ConflictAction::Replace && left.is_some_and(|left| left > listed.rows) {
            self.gap("it replaced rows that had not been read before it", &[]);
        }
        let are_all_there = now.len() as u64 >= listed.rows;
        let written: Vec<Written> = now
            .into_iter()
            .filter_map(|row| match (find(&row), is_new(&row)) {
                (Some(_), _) => Some((row, Some(true))),
                // It is unchanged.
                (None, Some(false)) => None,
                (None, Some(true)) => Some((row, Some(false))),
                (None, None) => Some((row, None)),
            })
            .map(|(row, was_there)| Written { row, was_there })
            .collect();
        let found = written.iter().filter(|w| w.was_there != Some(true)).count() as u64;
        // A row whose value the column's type, a mode or a trigger changed on insertion is not found. Each row counts
        // 1 if it is new, and 2 if it was changed.
        let explains = match (action, left) {
            (_, Some(0)) => true,
            (ConflictAction::Nothing, Some(left)) => left <= found,
            (ConflictAction::Update, Some(left)) => {
                left <= 2 * found && (found + before.len() as u64 >= listed.rows || left == new)
            }
            (ConflictAction::Replace, _) | (_, None) => are_all_there,
        };
        if !explains {
            self.gap(
                "it wrote rows that are not found under the keys they were to have",
                &[],
            );
        }
        written
    }

    /// Whether a number was generated by the statement for its rows.
    fn has_new_number(
        &self,
        listed: &Listed,
        server: &ServerAnswer,
        key: &[sea_orm::Value],
    ) -> Option<bool> {
        if listed.generated() == 0 || server.id == 0 {
            return None;
        }
        let numbers = listed.numbers.as_deref().unwrap_or_default();
        let is_it = |id: &RowValues| match (id.first(), key.first()) {
            (Some(id), Some(key)) => {
                crate::value::encode(id).ok() == crate::value::encode(key).ok()
            }
            _ => false,
        };
        self.auto_increment_keys(server.id, numbers)
            .iter()
            .any(is_it)
            .then_some(true)
    }
}

/// Refuses rows that a later read could not find.
fn check_findable(
    request: Request<'_>,
    candidates: &Candidates<'_>,
    rows: &[Vec<Cell>],
    listed: &Listed,
) -> Result<(), CaptureError> {
    let is_numbered = listed.numbers.is_some() && request.audited.info.key.len() == 1;
    if candidates.rows() < rows.len() as u64 && !is_numbered {
        return Err(CaptureError::Uncapturable(
            "the keys of its rows are not known",
        ));
    }
    Ok(())
}
