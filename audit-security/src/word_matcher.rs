//! Matches runs of whole path segments.

use std::borrow::Cow;
use std::collections::HashMap;

/// A rule: segments that must follow one another, each matched whole. In lower case.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// At least one.
    segments: Vec<Vec<u8>>,
    /// Whether the run must start where the path starts.
    rooted: bool,
    /// The name of the rule in findings.
    pub(super) name: Cow<'static, str>,
}

impl Run {
    /// Creates a rule from the segments of a path, or returns `None` when it has none.
    pub(super) fn of_path(path: Cow<'static, str>) -> Option<Self> {
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        let segments: Vec<_> =
            (segments.map(|segment| segment.to_ascii_lowercase().into_bytes())).collect();
        (!segments.is_empty()).then(|| Self {
            segments,
            rooted: path.starts_with('/'),
            name: path,
        })
    }

    /// The same rule with another name.
    pub(super) fn called(self, name: Cow<'static, str>) -> Self {
        Self { name, ..self }
    }

    /// Returns how many segments the run has.
    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    fn goes_on_with<'t>(&self, mut rest: impl Iterator<Item = &'t [u8]>) -> bool {
        let mut others = self.segments[1..].iter();
        others.all(|other| rest.next() == Some(other))
    }
}

/// A fixed set of runs, by the first segment of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs(HashMap<Vec<u8>, Vec<Run>>);

impl Runs {
    pub(super) fn new(runs: impl IntoIterator<Item = Run>) -> Self {
        let mut all = Self::default();
        for run in runs {
            all.0.entry(run.segments[0].clone()).or_default().push(run);
        }
        all
    }

    /// Finds a run that starts with `segment` and continues with those of `rest`. All are in lower case.
    pub(super) fn starting<'t>(
        &self,
        segment: &[u8],
        rest: &(impl Iterator<Item = &'t [u8]> + Clone),
        at_root: bool,
    ) -> Option<&Run> {
        let mut runs = self.0.get(segment)?.iter();
        runs.find(|run| (at_root || !run.rooted) && run.goes_on_with(rest.clone()))
    }
}
