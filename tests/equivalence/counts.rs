//! How much was run, and how much of it was reported instead of recorded.

use std::collections::BTreeMap;

use crate::lane::CapturePath;

/// The greatest share of the writes of a kind that may be reported instead of recorded, in percent, on each path.
const REPORTED: &[(&str, usize)] = &[
    ("plain INSERT", 100),
    ("INSERT", 100),
    ("REPLACE", 100),
    ("plain UPDATE", 100),
    ("UPDATE", 100),
    ("plain DELETE", 100),
    ("DELETE", 100),
    ("insert by builder", 0),
    ("upsert by builder", 100),
    ("update by builder", 100),
    ("delete by builder", 100),
];

/// Fewer writes make no share.
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
    /// Seconds, the rest is spent on making cases smaller.
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
    pub(crate) fn assert_bounded(&self) {
        for ((path, kind), (all, reported)) in &self.writes {
            let most = REPORTED.iter().find(|(name, _)| name == kind);
            let (_, most) = most.unwrap_or_else(|| panic!("no bound for {kind}"));
            let share = 100 * reported / all;
            assert!(
                *all < ENOUGH || share <= *most,
                "{path:?}: {share} % of {all} writes of the kind {kind} are reported, not recorded"
            );
        }
        let unknown = 100 * self.unknown / self.records.max(1);
        assert!(
            unknown <= UNKNOWN,
            "{unknown} % of the records have unknown values"
        );
    }
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
