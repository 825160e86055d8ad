//! Looking for runs of whole words, or whole path segments, in a text.

use std::borrow::Cow;

/// A rule: words that must follow one another, each matched whole, ASCII letters in any case.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The words, lower-case, at least one.
    words: Vec<Vec<u8>>,
    /// Whether the run must start where the text starts.
    rooted: bool,
    /// What the rule is called in findings.
    pub(super) name: Cow<'static, str>,
}

impl Run {
    /// Makes a rule of words that are not empty, or returns `None` when there are none.
    pub(super) fn new<'a>(
        words: impl Iterator<Item = &'a [u8]>,
        rooted: bool,
        name: Cow<'static, str>,
    ) -> Option<Self> {
        let words: Vec<_> = words
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_ascii_lowercase)
            .collect();
        (!words.is_empty()).then_some(Self {
            words,
            rooted,
            name,
        })
    }

    /// Returns how many words the run has.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    fn matches<'t>(&self, mut text: impl Iterator<Item = &'t [u8]>) -> bool {
        self.words.iter().all(|word| {
            text.next()
                .is_some_and(|other| word.eq_ignore_ascii_case(other))
        })
    }
}

/// A fixed set of runs, with a table that rules out almost every ordinary word at once.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    /// By the first byte of a run's first word: which lengths such words have, a bit each.
    lengths: Box<[u64; 256]>,
    /// Sorted by [`bucket`] of the first word.
    runs: Vec<Run>,
}

impl Runs {
    /// Builds the set.
    pub(super) fn new(mut runs: Vec<Run>) -> Self {
        let mut lengths = Box::new([0; 256]);
        for run in &runs {
            let (first, length) = bucket(&run.words[0]);
            lengths[usize::from(first)] |= 1 << length;
        }
        runs.sort_by_key(|run| bucket(&run.words[0]));
        Self { lengths, runs }
    }

    /// Finds a run that starts with the first word of `text`.
    pub(super) fn starting<'t>(
        &self,
        text: impl Iterator<Item = &'t [u8]> + Clone,
        at_root: bool,
    ) -> Option<&Run> {
        let word = text.clone().next()?;
        if word.is_empty() {
            return None;
        }
        let key = bucket(word);
        if self.lengths[usize::from(key.0)] & (1 << key.1) == 0 {
            return None;
        }
        let start = self.runs.partition_point(|run| bucket(&run.words[0]) < key);
        self.runs[start..]
            .iter()
            .take_while(|run| bucket(&run.words[0]) == key)
            .find(|run| (at_root || !run.rooted) && run.matches(text.clone()))
    }
}

/// Returns the first byte in lower case and the length, 63 standing for all longer ones.
fn bucket(word: &[u8]) -> (u8, u8) {
    let length = u8::try_from(word.len()).unwrap_or(u8::MAX).min(63);
    (word[0].to_ascii_lowercase(), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> impl Iterator<Item = &[u8]> + Clone {
        text.split(' ').map(str::as_bytes)
    }

    fn runs(rules: &[(&str, bool)]) -> Runs {
        let run =
            |&(rule, rooted): &(&str, bool)| Run::new(words(rule), rooted, rule.to_owned().into());
        Runs::new(rules.iter().filter_map(run).collect())
    }

    #[test]
    fn a_run_is_whole_words_in_any_case() {
        let runs = runs(&[("fuzz faster", false), ("fuzz", true)]);
        let found = |text, root| {
            runs.starting(words(text), root)
                .map(|run| run.name.to_string())
        };
        assert_eq!(
            found("Fuzz FASTER u", false).as_deref(),
            Some("fuzz faster")
        );
        assert_eq!(found("fuzz", true).as_deref(), Some("fuzz"));
        assert_eq!(found("fuzz", false), None);
        assert_eq!(found("fuzzy faster", false), None);
        assert_eq!(found("", true), None);
    }

    #[test]
    fn very_long_words_share_a_bucket_and_are_still_compared() {
        let (long, longer) = ("x".repeat(70), "x".repeat(300));
        let runs = runs(&[(long.as_str(), false)]);
        assert!(runs.starting(words(&long), false).is_some());
        assert!(runs.starting(words(&longer), false).is_none());
    }
}
