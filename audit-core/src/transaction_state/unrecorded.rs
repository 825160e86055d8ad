//! Writes whose record is uncertain, and their reports.

use std::sync::Arc;

use super::Frames;
use super::UncapturedStatement;
use crate::config::{AuditConfig, FailurePolicy};
use crate::error::Cause;

impl Frames {
    /// Begins a change that must be recorded. Unless the guard is disarmed, the innermost frame must not be
    /// committed, or only with a report under [`FailurePolicy::Isolate`]: if a future is dropped in between, or
    /// fails, the change has no record.
    pub(crate) fn guard(&self, policy: FailurePolicy) -> UnrecordedGuard<'_> {
        UnrecordedGuard {
            frames: self,
            policy,
            lost: None,
            settled: false,
        }
    }

    /// Adds a report to write before the innermost frame is committed.
    pub(crate) fn report_before_commit(&self, reported: UncapturedStatement) {
        if let Some(frame) = self.state().frames.last_mut() {
            frame.reports.push(Arc::new(reported));
        }
    }

    /// The oldest such report.
    pub(crate) fn next_report(&self) -> Option<Arc<UncapturedStatement>> {
        let state = self.state();
        let mut reports = state.frames.iter().flat_map(|frame| &frame.reports);
        reports.next().cloned()
    }

    /// Removes the oldest report once it is written.
    pub(crate) fn remove_report(&self) {
        let mut state = self.state();
        let frame = (state.frames.iter_mut()).find(|frame| !frame.reports.is_empty());
        if let Some(frame) = frame {
            frame.reports.remove(0);
        }
    }

    /// Whether a write was left without record since the last call, and may be committed nevertheless.
    pub(crate) fn take_unrecorded(&self) -> bool {
        std::mem::take(&mut self.state().unrecorded)
    }

    /// The row of an equal report that this transaction wrote, unless a savepoint rolled it back.
    pub(crate) fn report_row(&self, fingerprint: &str) -> Option<i64> {
        self.state().reports.get(fingerprint).copied()
    }

    pub(crate) fn note_report_row(&self, fingerprint: String, id: i64) {
        self.state().reports.insert(fingerprint, id);
    }
}

/// A change that is not recorded yet.
#[must_use = "a guard must be disarmed, or it fails the transaction"]
pub(crate) struct UnrecordedGuard<'a> {
    frames: &'a Frames,
    policy: FailurePolicy,
    /// The records being written; else it is a write of the application.
    pub(super) lost: Option<(AuditConfig, usize)>,
    settled: bool,
}

impl UnrecordedGuard<'_> {
    /// The change is recorded, or did not happen.
    pub(crate) fn disarm(mut self) {
        self.settled = true;
    }
}

impl Drop for UnrecordedGuard<'_> {
    fn drop(&mut self) {
        if self.settled || self.frames.failure().is_some() {
            return;
        }
        let records = self.lost.as_ref().map_or(1, |(_, records)| *records as u64);
        let given_up = (self.frames).drop_record(self.policy, Cause::Dropped, records);
        // An error that is not dropped has failed the frame; a dropped one may be committed.
        if given_up.is_err() {
            return;
        }
        match self.lost.take() {
            Some((config, records)) => {
                let reported = UncapturedStatement::of_lost_records(config, records);
                self.frames.report_before_commit(reported);
            }
            None => self.frames.state().unrecorded = true,
        }
    }
}
