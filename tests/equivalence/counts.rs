//! Counts statements, and those that were reported instead of recorded.

use std::collections::BTreeMap;

use sea_orm::DbBackend;

use crate::lane::CapturePath;

/// The greatest shares of the writes of a kind that may be reported instead of recorded on each path, in percent:
/// on SQLite, PostgreSQL and MariaDB.
const REPORTED: &[(&str, [usize; 3])] = &[
    // RETURNING without the key.
    ("plain INSERT", [10, 10, 4]),
    // Conflicts that the statement's values do not decide, or rows that a query makes.
    ("INSERT", [50, 28, 52]),
    ("REPLACE", [55, 0, 48]),
    ("plain UPDATE", [3, 3, 8]),
    ("UPDATE", [28, 8, 44]),
    ("plain DELETE", [1, 1, 1]),
    // MariaDB's joined tables.
    ("DELETE", [1, 1, 50]),
    ("insert by builder", [1, 1, 1]),
    ("upsert by builder", [1, 1, 18]),
    ("update by builder", [1, 1, 1]),
    ("delete by builder", [1, 1, 1]),
];

/// With fewer writes no share is computed.
const ENOUGH: usize = 50;

/// The greatest share of records with unknown values, in percent.
const UNKNOWN: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) cases: usize,
    pub(crate) statements: usize,
    pub(crate) failed: usize,
    pub(crate) records: usize,
    pub(crate) unknown: usize,
    /// Seconds. The rest of the time is for shrinking cases.
    pub(crate) comparing: f32,
    /// The writes that succeeded by path and kind, and how many of them were reported.
    writes: BTreeMap<(CapturePath, &'static str), (usize, usize)>,
}

impl Counts {
    pub(crate) fn add(&mut self, path: CapturePath, kind: &'static str, is_reported: bool) {
        if path.has_triggers() || path.has_hooks_only() {
            return;
        }
        let (all, reported) = self.writes.entry((path, kind)).or_default();
        *all += 1;
        *reported += usize::from(is_reported);
    }

    /// # Panics
    /// When more is reported or unknown than may be.
    pub(crate) fn assert_bounded(&self, backend: DbBackend) {
        let at = match backend {
            DbBackend::Sqlite => 0,
            DbBackend::Postgres => 1,
            _ => 2,
        };
        for ((path, kind), (all, reported)) in &self.writes {
            let most = REPORTED.iter().find(|(name, _)| name == kind);
            let (_, shares) = most.unwrap_or_else(|| panic!("no bound for {kind}"));
            let most = shares[at];
            assert!(
                *all < ENOUGH || *reported <= bound(*all, most),
                "{path:?}: {reported} of {all} writes of the kind {kind} are reported, not recorded"
            );
        }
        let unknown = 100 * self.unknown / self.records.max(1);
        assert!(
            self.records < ENOUGH || unknown <= UNKNOWN,
            "{unknown} % of the records have unknown values"
        );
    }
}

/// This share of the writes, plus two standard deviations for other seeds.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn bound(all: usize, percent: usize) -> usize {
    let (all, share) = (all as f64, percent as f64 / 100.0);
    (all * share + 2.0 * (all * share * (1.0 - share)).sqrt()) as usize
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} cases, {} statements, {} failed, {} records, {} with unknown values, {:.1} s of comparing",
            self.cases, self.statements, self.failed, self.records, self.unknown, self.comparing
        )?;
        for ((path, kind), (all, reported)) in &self.writes {
            write!(f, "\n  {path:?}, {kind}: {reported} of {all} reported")?;
        }
        Ok(())
    }
}
