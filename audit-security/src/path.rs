//! Checks a path segment by segment: probing rules, and traversal out of the root.

use std::borrow::Cow;

use super::word_matcher::{Run, Runs};

/// The rules about paths.
#[derive(Debug, Clone)]
pub(super) struct PathRules {
    /// Runs of segments that no application of ours has.
    pub(super) probes: Runs,
    /// Endings of the last segment (`php.bak`), each a run of one word.
    pub(super) endings: Runs,
    /// Runs of segments that this application does have.
    pub(super) allowed: Runs,
    /// Endings of paths that this application does have.
    pub(super) allowed_endings: Runs,
}

/// The problem of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathHit {
    /// The probing rule with this name matched.
    Probe(Cow<'static, str>),
    /// The path leaves the root, or hides a traversal.
    Traversal,
}

impl PathRules {
    /// Inspects a path: as it arrived, and decoded in lower case.
    ///
    /// `..` by itself raises nothing, since careless clients leave it in (`/docs/../guide`): a path that leaves the
    /// root does, and one whose `..` appears only after decoding.
    pub(super) fn inspect(&self, raw: &[u8], decoded: &[u8]) -> Option<PathHit> {
        let mut rest = segments(decoded);
        let (mut depth, mut index, mut allowed_before) = (0_usize, 0, 0);
        let (mut climbs, mut last) = (0, None);
        while let Some(segment) = rest.next() {
            if segment == b".." {
                climbs += 1;
                let Some(above) = depth.checked_sub(1) else {
                    return Some(PathHit::Traversal);
                };
                depth = above;
            } else {
                if let Some(run) = self.allowed.starting(segment, &rest, depth == 0) {
                    allowed_before = allowed_before.max(index + run.len());
                }
                if index >= allowed_before
                    && let Some(run) = self.probes.starting(segment, &rest, depth == 0)
                {
                    return Some(PathHit::Probe(run.name.clone()));
                }
                depth += 1;
            }
            index += 1;
            last = Some(segment);
        }
        if climbs > 0 && climbs > plain_climbs(raw) {
            return Some(PathHit::Traversal);
        }
        last.filter(|_| index > allowed_before)
            .and_then(|segment| ending(&self.endings, segment))
            .map(|run| PathHit::Probe(run.name.clone()))
    }

    /// Whether the application has a path of this kind.
    pub(super) fn allows(&self, decoded: &[u8]) -> bool {
        let mut rest = segments(decoded);
        let (mut at_root, mut last) = (true, None);
        while let Some(segment) = rest.next() {
            if self.allowed.starting(segment, &rest, at_root).is_some() {
                return true;
            }
            (at_root, last) = (false, Some(segment));
        }
        last.is_some_and(|last| ending(&self.allowed_endings, last).is_some())
    }
}

/// Finds a rule such as `*.php.bak` that the last segment matches.
fn ending<'r>(endings: &'r Runs, segment: &[u8]) -> Option<&'r Run> {
    let mut ends = segment
        .split_inclusive(|byte| *byte == b'.')
        .map(<[u8]>::len);
    let mut from = ends.next()?;
    for width in ends {
        let ending = endings.starting(&segment[from..], &std::iter::empty(), false);
        if ending.is_some() {
            return ending;
        }
        from += width;
    }
    None
}

/// Splits a path into segments, without empty ones, `.`, and matrix parameters (`;v=1`).
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    path.split(|byte| *byte == b'/')
        .map(
            |segment| match segment.iter().position(|byte| *byte == b';') {
                Some(end) => &segment[..end],
                None => segment,
            },
        )
        .filter(|segment| !segment.is_empty() && *segment != b".")
}

/// Counts the `..` segments that are not encoded.
fn plain_climbs(raw: &[u8]) -> usize {
    raw.split(|byte| *byte == b'/')
        .filter(|segment| *segment == b"..")
        .count()
}
