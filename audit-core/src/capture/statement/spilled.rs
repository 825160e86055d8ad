//! UPDATE and DELETE of rows of which some are in a temporary file: their new states are read in chunks.

use std::collections::{HashMap, HashSet};

use sea_orm::{ConnectionTrait, DbErr};

use super::cascade::CascadedRows;
use super::delete::Returned;
use super::image_store::{BeforeRow, Cursor, ImageStore};
use super::returning::Returns;
use super::select_rows::RowLock;
use super::update::{HIDDEN, NOT_FOUND, SEVERAL_KEYS};
use super::{CaptureError, Engine, ExecOutput, Request, RowValues, answer_of};
use crate::action::Source;
use crate::config::FailurePolicy;
use crate::error::{AuditError, ChangeState};
use crate::exec_method::ExecMethod;
use crate::sql::{UpdateOrDelete, Volatility};

/// The number of keys that a report names, and one more.
const NAMED: usize = 21;

impl<C: ConnectionTrait> Engine<'_, C> {
    /// Refuses a statement whose rows could not be kept, before it runs. If nothing may be refused, it runs without
    /// being captured.
    pub(super) fn check_kept(
        &self,
        call: ExecMethod,
        rows: &ImageStore,
    ) -> Result<(), CaptureError> {
        let Some(cause) = rows.failure() else {
            return Ok(());
        };
        if self.config.failure_policy() == FailurePolicy::Isolate {
            tracing::error!(%cause, "a statement cannot be captured");
            return Err(CaptureError::Uncapturable(
                "the temporary file for the rows that it writes failed",
            ));
        }
        let error = AuditError::NotRecorded {
            state: ChangeState::NotTried,
            cause,
        };
        Err(CaptureError::Failed(call.own_error(error.into())))
    }

    /// The next rows, before the statement runs.
    pub(super) fn chunk_before(
        &self,
        call: ExecMethod,
        rows: &mut ImageStore,
        cursor: &mut Cursor,
    ) -> Result<Vec<BeforeRow>, CaptureError> {
        match rows.chunk(cursor, self.config.chunk_rows()) {
            Ok(chunk) => Ok(chunk),
            Err(error) => {
                rows.fail(error);
                self.check_kept(call, rows)?;
                Ok(Vec::new())
            }
        }
    }

    /// The next rows, after the statement has run: an error of the file is the error of a record that cannot be made.
    pub(super) fn chunk_after(
        &self,
        rows: &mut ImageStore,
        cursor: &mut Cursor,
    ) -> Result<Vec<BeforeRow>, DbErr> {
        match rows.chunk(cursor, self.config.chunk_rows()) {
            Ok(chunk) => Ok(chunk),
            Err(error) => {
                rows.fail(error);
                self.check_kept_after(rows)?;
                Ok(Vec::new())
            }
        }
    }

    /// The same for rows that the statement returned.
    pub(super) fn check_kept_after(&self, rows: &ImageStore) -> Result<(), DbErr> {
        let Some(cause) = rows.failure() else {
            return Ok(());
        };
        let backend = self.db.get_database_backend();
        self.frames.buffer(self.config, backend, Err(cause))?;
        self.gap("the temporary file with its rows failed", &[]);
        Ok(())
    }

    /// Whether the statement's own clause returns the written rows, or an appended one because nothing else
    /// identifies them. Only the keys of such rows are kept in memory.
    fn needs_returned(change: &UpdateOrDelete, returns: Returns, is_needed: bool) -> bool {
        matches!(returns, Returns::Appended | Returns::Extended)
            && (is_needed || change.volatility == Volatility::Unordered)
    }

    pub(super) async fn update_spilled(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        returns: Returns,
        mut before: ImageStore,
    ) -> Result<ExecOutput, CaptureError> {
        let (info, call, audited) = (request.audited.info, request.call, request.audited);
        if request.sets_key(&change.assigned) {
            return Err(CaptureError::Uncapturable(SEVERAL_KEYS));
        }
        let (answer, mut known, count, doubt) =
            if Self::needs_returned(change, returns, change.reads_others || change.reads_clock) {
                let mut keys = HashSet::new();
                let mut keep = |row: RowValues| {
                    keys.insert(info.key_of(&row));
                };
                let (count, doubt) = self.run_appended(request, returns, &mut keep).await?;
                (answer_of(call, count, 0)?, Some(keys), None, doubt)
            } else {
                let ran = self.run(call, request.statement).await?;
                let count = self.count_of(request, &ran).await?;
                let keys = match &ran.answer {
                    // By its own clause; none was appended here.
                    ExecOutput::Rows(rows) if matches!(returns, Returns::Rows | Returns::Keys) => {
                        Some(
                            (self.read(info, rows).iter())
                                .map(|row| info.key_of(row))
                                .collect::<HashSet<_>>(),
                        )
                    }
                    _ => None,
                };
                (ran.answer, keys, count, ran.doubt)
            };
        let is_known = known.is_some();
        let mut changed = 0;
        let mut missing = Missing::default();
        let mut cursor = Cursor::default();
        loop {
            let rows = self.chunk_after(&mut before, &mut cursor)?;
            if rows.is_empty() {
                break;
            }
            let keys: Vec<RowValues> = rows.iter().map(|row| info.key_of(row.values())).collect();
            let mut now = match &mut known {
                Some(known) => {
                    let keys: Vec<RowValues> = (keys.iter())
                        .filter(|key| known.remove(*key))
                        .cloned()
                        .collect();
                    self.by_key_unlocked(info, &keys).await?
                }
                None => self.by_key(info, &keys).await?,
            };
            for (old, key) in rows.iter().zip(keys) {
                match now.remove(&key) {
                    Some(new) => {
                        let (source, set) = (self.source, &change.assigned);
                        changed +=
                            u64::from(self.record_updated_row(audited, source, set, old, &new)?);
                    }
                    None => missing.add(key),
                }
                self.flush_when_full().await?;
            }
        }
        if !is_known {
            let accounted = if self.others_may_differ(request, change) {
                changed
            } else {
                before.len()
            };
            self.check_count(request, change, count, accounted);
        }
        let appeared: Vec<RowValues> = known.into_iter().flatten().collect();
        for new in self.by_key_unlocked(info, &appeared).await?.values() {
            self.record_updated_from_unknown(audited, &change.assigned, new)?;
            self.flush_when_full().await?;
        }
        if !is_known && missing.all > 0 {
            let was_written = count.is_none_or(|count| count > 0);
            match (request.live.is_secured, was_written) {
                (true, _) => self.gap_of_many(HIDDEN, &missing.first, missing.all),
                (false, true) => self.gap_of_many(NOT_FOUND, &missing.first, missing.all),
                (false, false) => {}
            }
        }
        doubt.disarm();
        Ok(answer)
    }

    pub(super) async fn delete_spilled(
        &self,
        request: Request<'_>,
        change: &UpdateOrDelete,
        returns: Returns,
        mut before: ImageStore,
        trail: Vec<CascadedRows>,
    ) -> Result<ExecOutput, CaptureError> {
        let (info, call, audited) = (request.audited.info, request.call, request.audited);
        // If rows refer to each other, only a clause shows which a cascade deleted.
        let is_needed = info.access.refers_to_itself || change.reads_others || change.reads_clock;
        let (answer, returned, doubt) = if Self::needs_returned(change, returns, is_needed) {
            let mut keys = Vec::new();
            let mut keep = |row: RowValues| keys.push(info.key_of(&row));
            let (count, doubt) = self.run_appended(request, returns, &mut keep).await?;
            (answer_of(call, count, 0)?, Returned::Keys(keys), doubt)
        } else {
            let ran = self.run(call, request.statement).await?;
            let returned = self.returned(request, returns, &ran.answer).await?;
            (ran.answer, returned, ran.doubt)
        };
        let (mut known, is_complete, count) = match returned {
            Returned::Count(count) => (None, true, count),
            Returned::Rows(rows) => {
                let rows = rows.into_iter().map(|row| (info.key_of(&row), Some(row)));
                (Some(rows.collect::<HashMap<_, _>>()), true, None)
            }
            Returned::Keys(keys) => {
                let keys = keys.into_iter().map(|key| (key, None));
                (Some(keys.collect()), false, None)
            }
        };
        // See `deleted`.
        let all_went = count == Some(before.len()) && !self.may_differ(request, change);
        let mut went = 0;
        let mut cursor = Cursor::default();
        loop {
            let rows = if audited.records {
                self.chunk_after(&mut before, &mut cursor)?
            } else {
                Vec::new()
            };
            if rows.is_empty() {
                break;
            }
            let mut gone = Vec::with_capacity(rows.len());
            let mut others = Vec::new();
            for row in &rows {
                let key = info.key_of(row.values());
                let is_returned = known.as_mut().map(|known| known.remove(&key).is_some());
                match is_returned {
                    Some(true) => gone.push((row, self.source)),
                    Some(false) => others.push((key, row, Source::Cascade)),
                    None if all_went => gone.push((row, self.source)),
                    None => others.push((key, row, self.source)),
                }
            }
            if !others.is_empty() {
                let keys: Vec<RowValues> = others.iter().map(|(key, ..)| key.clone()).collect();
                // Rows that cannot be read are not known to be deleted.
                let left = self.by_key_if_read(info, &keys).await?;
                let is_gone =
                    |key: &RowValues| left.as_ref().is_some_and(|left| !left.contains_key(key));
                let others = others.into_iter().filter(|(key, ..)| is_gone(key));
                gone.extend(others.map(|(_, row, source)| (row, source)));
            }
            went += gone.len() as u64;
            for (row, source) in gone {
                self.record_deleted_row(audited, source, row)?;
                self.flush_when_full().await?;
            }
        }
        let grew = self.may_grow(change) && count.is_some_and(|count| count > went);
        if audited.records && grew {
            self.unexpected_rows(request, &[]);
        }
        if let Some(known) = known.filter(|known| audited.records && !known.is_empty()) {
            if !audited.followers.is_empty() || !is_complete {
                let keys: Vec<RowValues> = known.keys().cloned().collect();
                self.unexpected_rows(request, &keys);
            }
            for row in known.into_values().flatten() {
                self.record_deleted(audited, self.source, &row)?;
                self.flush_when_full().await?;
            }
        }
        self.record_descendants(trail).await?;
        self.check_hidden(request).await?;
        doubt.disarm();
        Ok(answer)
    }

    async fn by_key_unlocked(
        &self,
        info: &'static crate::auditable::EntityInfo,
        keys: &[RowValues],
    ) -> Result<HashMap<RowValues, RowValues>, DbErr> {
        let rows = self
            .rows_where(info, &info.key, keys, RowLock::None)
            .await?;
        Ok((rows.into_iter().map(|row| (info.key_of(&row), row))).collect())
    }
}

/// Rows that a later read did not find.
#[derive(Default)]
struct Missing {
    first: Vec<RowValues>,
    all: u64,
}

impl Missing {
    fn add(&mut self, key: RowValues) {
        self.all += 1;
        if self.first.len() < NAMED {
            self.first.push(key);
        }
    }
}
