//! Unwritten records, one frame for each savepoint.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::{Frames, State, UncapturedStatement};
use crate::config::{AuditConfig, FailurePolicy};
use crate::error::{AuditError, Cause, ChangeState};
use crate::record::{Record, Row, cause, ends_transaction, insert_rows, keeping_last_insert_id};
use crate::stats::{COUNTERS, count_many};

/// The approximate maximum size of buffered records, in bytes.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Frame {
    pub(super) rows: Vec<BufferedRecord>,
    bytes: usize,
    /// Why the frame must not be committed.
    pub(super) failure: Option<AuditError>,
    /// The savepoint accepts no writes (PostgreSQL).
    read_only: bool,
    /// The reports to write before it is committed.
    pub(super) reports: Vec<Arc<UncapturedStatement>>,
}

/// A buffered record of a frame.
pub(super) struct BufferedRecord {
    row: Row,
    /// The number of the inner frame in whose savepoint it was written, so that it precedes the records of that
    /// frame. If that savepoint is rolled back, the record is lost and must be written again.
    written_in: Option<usize>,
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("rows", &self.rows.len())
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl State {
    fn merge_innermost(&mut self) {
        if self.frames.len() < 2 {
            return;
        }
        let Some(inner) = self.frames.pop() else {
            return;
        };
        let (inner_number, number) = (self.frames.len(), self.frames.len() - 1);
        for frame in &mut self.frames {
            for held in &mut frame.rows {
                if held.written_in == Some(inner_number) {
                    held.written_in = Some(number);
                }
            }
        }
        if let Some(outer) = self.frames.last_mut() {
            // A record written in the frame's own savepoint is as safe as the frame.
            outer.rows.retain(|held| held.written_in != Some(number));
            outer.rows.extend(inner.rows);
            outer.bytes = outer.rows.iter().map(|held| held.row.weight()).sum();
            outer.failure = outer.failure.take().or(inner.failure);
            outer.reports.extend(inner.reports);
        }
    }

    fn discard_innermost(&mut self) {
        let number = self.frames.len() - 1;
        if number == 0 {
            if let Some(frame) = self.frames.last_mut() {
                *frame = Frame::default();
            }
            return;
        }
        for held in self.frames.iter_mut().flat_map(|frame| &mut frame.rows) {
            if held.written_in == Some(number) {
                held.written_in = None;
            }
        }
        self.frames.pop();
    }

    /// The records to write now: those of the innermost frame, after older ones. If the innermost frame has none,
    /// older ones wait, unless `everything` is set.
    fn take(&mut self, everything: bool) -> Vec<Row> {
        if self.frames.iter().any(|frame| frame.read_only) {
            return Vec::new();
        }
        let Some((inner, outer)) = self.frames.split_last_mut() else {
            return Vec::new();
        };
        if inner.rows.is_empty() && !everything {
            return Vec::new();
        }
        let number = outer.len();
        let mut rows = Vec::new();
        for held in outer.iter_mut().flat_map(|frame| &mut frame.rows) {
            if held.written_in.is_none() {
                held.written_in = Some(number);
                rows.push(held.row.clone());
            }
        }
        inner.bytes = 0;
        rows.extend(inner.rows.drain(..).map(|held| held.row));
        rows
    }
}

impl Frames {
    /// The number of current savepoints, plus one for the transaction itself.
    pub(crate) fn depth(&self) -> usize {
        self.state().frames.len()
    }

    /// A savepoint was set.
    pub(crate) fn begin(&self, read_only: bool) {
        self.state().frames.push(Frame {
            read_only,
            ..Frame::default()
        });
    }

    /// The innermost savepoint was released.
    pub(crate) fn merge(&self) {
        self.state().merge_innermost();
    }

    /// The innermost savepoint was rolled back.
    pub(crate) fn discard(&self) {
        self.live_tables.clear();
        let mut state = self.state();
        state.discard_innermost();
        // The savepoint exists, so the transaction is open; and PostgreSQL accepts statements again.
        state.suspect = false;
        state.triggers.current = None;
    }

    /// The innermost frame must not be committed.
    pub(crate) fn fail(&self, error: AuditError) {
        if let Some(frame) = self.state().frames.last_mut() {
            frame.failure.get_or_insert(error);
        }
    }

    /// Why the innermost frame must not be committed.
    pub(crate) fn failure(&self) -> Option<AuditError> {
        self.state()
            .frames
            .last()
            .and_then(|frame| frame.failure.clone())
    }

    /// Writes records at once from now on.
    pub(crate) fn stop_buffering(&self) {
        self.live_tables.clear();
        let mut state = self.state();
        state.unbuffered = true;
        state.triggers.current = None;
    }

    /// Whether the trigger context must not outlive the statement: the application may have committed.
    pub(crate) fn is_unbuffered(&self) -> bool {
        self.state().unbuffered
    }

    /// Buffers a record until it is written.
    pub(crate) fn buffer(
        &self,
        config: &AuditConfig,
        backend: DbBackend,
        record: Result<Record, Cause>,
    ) -> Result<(), DbErr> {
        let row = record.and_then(|mut record| {
            record.transaction_id = Some(self.id);
            record.into_row(config, backend)
        });
        match row {
            Ok(row) => {
                if let Some(frame) = self.state().frames.last_mut() {
                    frame.bytes += row.weight();
                    frame.rows.push(BufferedRecord {
                        row,
                        written_in: None,
                    });
                }
                Ok(())
            }
            Err(cause) => self.drop_record(config.failure_policy(), cause, 1),
        }
    }

    /// Reports that records could not be written.
    pub(super) fn drop_record(
        &self,
        policy: FailurePolicy,
        cause: Cause,
        records: u64,
    ) -> Result<(), DbErr> {
        if is_dropped_record(policy, &cause) {
            // A trigger on the log may have ended the transaction on SQLite.
            self.suspect();
            count_many(&COUNTERS.isolated, records);
            tracing::error!(%cause, records, "changes go without their audit records");
            return Ok(());
        }
        count_many(&COUNTERS.failed, records);
        let error = roll_back(cause);
        self.fail(error.clone());
        Err(error.into())
    }

    /// Whether the buffered records must be written now.
    pub(crate) fn is_full(&self, config: &AuditConfig) -> bool {
        let state = self.state();
        state.frames.last().is_some_and(|frame| {
            (state.unbuffered && !frame.rows.is_empty())
                || frame.rows.len() >= config.buffered_records()
                || frame.bytes >= MOST_BYTES
        })
    }

    /// Writes the buffered records, if the innermost frame holds any.
    pub(crate) async fn flush<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        if self.is_aborted(db).await {
            return Ok(());
        }
        let rows = self.state().take(false);
        self.write_rows(db, rows).await
    }

    /// Writes the buffered records of all frames.
    pub(crate) async fn flush_all<C: ConnectionTrait>(&self, db: &C) -> Result<(), DbErr> {
        if self.is_aborted(db).await {
            return Ok(());
        }
        let rows = self.state().take(true);
        self.write_rows(db, rows).await
    }

    async fn write_rows<C: ConnectionTrait>(&self, db: &C, rows: Vec<Row>) -> Result<(), DbErr> {
        let Some(policy) = rows.first().map(|row| row.config.failure_policy()) else {
            return Ok(());
        };
        let mut doubt = self.guard(policy);
        doubt.lost = rows.first().map(|row| (row.config.clone(), rows.len()));
        // `LAST_INSERT_ID()` belongs to the application.
        let written = keeping_last_insert_id(db, self.write_groups(db, rows)).await;
        doubt.disarm();
        written
    }

    /// Writes records in groups that fit one statement.
    async fn write_groups<C: ConnectionTrait>(&self, db: &C, rows: Vec<Row>) -> Result<(), DbErr> {
        let mut rows = rows.into_iter().peekable();
        while let Some(first) = rows.next() {
            let config = first.config.clone();
            let mut group = vec![first];
            while let Some(row) = rows.next_if(|row| group[0].same_batch(row)) {
                group.push(row);
            }
            let records = group.len() as u64;
            match insert_rows(db, group).await {
                Ok(()) => count_many(&COUNTERS.recorded, records),
                Err(error) => {
                    self.failed(&error);
                    self.drop_record(config.failure_policy(), cause(&config, error), records)?;
                    // A further write would commit at once.
                    self.look_whether_open(db).await?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a failed record is dropped.
fn is_dropped_record(policy: FailurePolicy, cause: &Cause) -> bool {
    policy == FailurePolicy::Isolate && !ends_transaction(cause)
}

/// The error of a change whose record failed inside a transaction.
fn roll_back(cause: Cause) -> AuditError {
    AuditError::NotRecorded {
        state: ChangeState::RollBack,
        cause,
    }
}
