//! The rows that a statement is going to change, in their state before it.
//!
//! The rows that one statement keeps in memory are bounded in bytes. Further rows are written to an unlinked
//! temporary file of mode 0600, in a form without secrets. A row without such a form that can be read back exactly
//! stays in memory: the values of its key and of the columns that other tables refer to must be plain, and equal when
//! read back.

mod budget;
mod spill_file;

use std::sync::Arc;

use sea_orm::sea_query::Value;

use self::spill_file::SpillFile;
use super::RowValues;
use super::cascade::referred_columns;
use crate::auditable::EntityInfo;
use crate::capture::before_image::weight::weight;
use crate::config::{AuditConfig, OldValue, Plan, StoredRow};
use crate::error::Cause;
use crate::value::decode;

pub(super) use self::budget::Budget;

/// A row in its state before a statement.
#[derive(Debug)]
pub(super) enum BeforeRow {
    Read(RowValues),
    /// Read back from the file.
    Spilled {
        /// The values of the key and of the referenced columns; for the other columns, their stored form.
        values: RowValues,
        stored: StoredRow,
    },
}

impl BeforeRow {
    pub(super) fn values(&self) -> &[Value] {
        match self {
            Self::Read(values) | Self::Spilled { values, .. } => values,
        }
    }

    pub(super) fn old_values(&self) -> impl Iterator<Item = OldValue<'_>> {
        (0..self.values().len()).map(|at| match self {
            Self::Read(values) => OldValue::Read(&values[at]),
            Self::Spilled { stored, .. } => OldValue::Stored(&stored[at]),
        })
    }
}

/// How far a store has been read.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    held: usize,
    spilled: u64,
    offset: u64,
}

/// Rows of one entity, in the order in which they were read.
pub(super) struct ImageStore {
    info: &'static EntityInfo,
    plan: Arc<Plan>,
    config: AuditConfig,
    /// The columns whose values further reads need.
    needed: Vec<usize>,
    budget: Budget,
    held: Vec<RowValues>,
    held_bytes: usize,
    file: Option<SpillFile>,
    error: Option<std::io::Error>,
}

impl ImageStore {
    pub(super) fn new(
        config: &AuditConfig,
        plan: &Arc<Plan>,
        info: &'static EntityInfo,
        budget: &Budget,
    ) -> Self {
        let mut needed = info.key.clone();
        needed.extend(referred_columns(info));
        Self {
            info,
            plan: Arc::clone(plan),
            config: config.clone(),
            needed,
            budget: budget.clone(),
            held: Vec::new(),
            held_bytes: 0,
            file: None,
            error: None,
        }
    }

    /// The bound that the stores of one statement share.
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    pub(super) fn len(&self) -> u64 {
        self.held.len() as u64 + self.file.as_ref().map_or(0, SpillFile::rows)
    }

    /// Whether the file contains any of the rows.
    pub(super) fn has_spilled(&self) -> bool {
        self.file.is_some()
    }

    /// Why the rows could not be kept, if so.
    pub(super) fn failure(&self) -> Option<Cause> {
        self.error.as_ref().map(|error| self.cause(error))
    }

    pub(super) fn cause(&self, error: &std::io::Error) -> Cause {
        Cause::TemporaryFile {
            model: self.info.model().to_owned(),
            error: error.to_string(),
        }
    }

    /// Adds a row. After an error of the file no rows are kept.
    pub(super) fn push(&mut self, row: RowValues) {
        if self.error.is_some() {
            return;
        }
        if let Err(error) = self.add(row) {
            self.fail(error);
        }
    }

    /// Discards the rows.
    pub(super) fn fail(&mut self, error: std::io::Error) {
        self.clear();
        self.error = Some(error);
    }

    /// Marks the rows as complete. An error of the file may be unknown until then.
    pub(super) fn finish(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            self.fail(error);
        }
    }

    fn add(&mut self, row: RowValues) -> std::io::Result<()> {
        if self.file.is_some() {
            return self.spill(row);
        }
        self.hold(row);
        // One row is in memory anyway while it is read.
        if self.budget.is_exceeded() && self.held.len() > 1 {
            self.file = Some(SpillFile::create()?);
            self.budget.release(self.held_bytes);
            self.held_bytes = 0;
            for row in std::mem::take(&mut self.held) {
                self.spill(row)?;
            }
        }
        Ok(())
    }

    fn hold(&mut self, row: RowValues) {
        let bytes = row.iter().map(weight).sum::<usize>() + size_of::<RowValues>();
        self.budget.take(bytes);
        self.held_bytes += bytes;
        self.held.push(row);
    }

    fn spill(&mut self, row: RowValues) -> std::io::Result<()> {
        if let (Some(stored), Some(file)) = (self.stored(&row), &mut self.file) {
            return file.write(&stored);
        }
        self.hold(row);
        Ok(())
    }

    /// The writable form of a row, if the needed values can be read back.
    fn stored(&self, row: &[Value]) -> Option<StoredRow> {
        let stored = self.plan.stored_row(&self.config, row).ok()?;
        let comes_back = |at: &usize| {
            let value = &stored[*at];
            value.digest.is_none()
                && decode(&value.form, &self.info.columns[*at].shape)
                    .is_ok_and(|value| value == row[*at])
        };
        self.needed.iter().all(comes_back).then_some(stored)
    }

    /// All rows, if none are in the file.
    pub(super) fn into_rows(mut self) -> Vec<RowValues> {
        std::mem::take(&mut self.held)
    }

    /// The next rows, limited to this number; none at the end.
    pub(super) fn chunk(
        &mut self,
        cursor: &mut Cursor,
        most: u64,
    ) -> std::io::Result<Vec<BeforeRow>> {
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        if let Some(row) = self.held.get(cursor.held..).filter(|rest| !rest.is_empty()) {
            let chunk = &row[..most.min(row.len())];
            cursor.held += chunk.len();
            return Ok(chunk.iter().cloned().map(BeforeRow::Read).collect());
        }
        let Some(file) = &mut self.file else {
            return Ok(Vec::new());
        };
        let left = usize::try_from(file.rows() - cursor.spilled).unwrap_or(usize::MAX);
        let (rows, offset) = file.read(
            cursor.offset,
            most.min(left),
            self.info.columns.len(),
            self.budget.chunk_bytes(),
        )?;
        cursor.spilled += rows.len() as u64;
        cursor.offset = offset;
        Ok(rows.into_iter().map(|row| self.restored(row)).collect())
    }

    fn restored(&self, stored: StoredRow) -> BeforeRow {
        let values = (stored.iter().enumerate()).map(|(at, value)| {
            let typed = (self.needed.contains(&at))
                .then(|| decode(&value.form, &self.info.columns[at].shape).ok());
            // JSON of this form renders like the value itself.
            typed.flatten().unwrap_or_else(|| {
                Value::Json((!value.form.is_null()).then(|| Box::new(value.form.clone())))
            })
        });
        BeforeRow::Spilled {
            values: values.collect(),
            stored,
        }
    }

    fn clear(&mut self) {
        self.budget.release(self.held_bytes);
        self.held_bytes = 0;
        self.held = Vec::new();
        self.file = None;
    }
}

impl Drop for ImageStore {
    fn drop(&mut self) {
        self.budget.release(self.held_bytes);
    }
}

#[cfg(test)]
mod tests;
