//! Looking for runs of whole words, or whole path segments, in a text.

use std::borrow::Cow;

/// A rule: words that must follow one another, each matched whole, ASCII letters in any case.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The [`hash`] of the first word.
    key: u32,
    /// The words, at least one.
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
            .map(<[u8]>::to_vec)
            .collect();
        Some(Self {
            key: hash(words.first()?),
            words,
            rooted,
            name,
        })
    }

    /// Returns how many words the run has.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    fn matches<'t>(&self, word: &[u8], mut rest: impl Iterator<Item = &'t [u8]>) -> bool {
        let Some((first, others)) = self.words.split_first() else {
            return false;
        };
        let next = |other: &Vec<u8>| {
            rest.next()
                .is_some_and(|word| other.eq_ignore_ascii_case(word))
        };
        first.eq_ignore_ascii_case(word) && others.iter().all(next)
    }
}

/// A fixed set of runs, with a table that rules out almost every ordinary word at once.
#[derive(Debug, Clone)]
pub(super) struct Runs {
    /// A bit for the last [`BITS`] of each key: to look for a key among a thousand is a dozen looks at memory that
    /// nobody else has just used.
    known: Box<[u64; 1 << (BITS - 6)]>,
    /// Sorted by key.
    sorted: Vec<Run>,
}

/// Of a thousand rules, one ordinary word in 64 meets one by chance.
const BITS: u32 = 16;

impl Runs {
    /// Builds the set.
    pub(super) fn new(mut runs: Vec<Run>) -> Self {
        let mut known = Box::new([0; 1 << (BITS - 6)]);
        for run in &runs {
            let (word, bit) = place(run.key);
            known[word] |= bit;
        }
        runs.sort_by_key(|run| run.key);
        Self {
            known,
            sorted: runs,
        }
    }

    /// Whether surely no run starts with one of the words between these bytes, in one look at each byte.
    pub(super) fn none_starts_in(&self, text: &[u8], between: u8) -> bool {
        let mut key = NO_BYTES;
        for byte in text {
            if *byte != between {
                key = with_byte(key, *byte);
            } else if self.may_know(std::mem::replace(&mut key, NO_BYTES)) {
                return false;
            }
        }
        !self.may_know(key)
    }

    /// Whether there can be a run of this key.
    fn may_know(&self, key: u32) -> bool {
        let (index, bit) = place(key);
        self.known[index] & bit != 0
    }

    /// Finds a run that starts with `word` and goes on with the words of `rest`.
    pub(super) fn starting<'t>(
        &self,
        word: &[u8],
        rest: &(impl Iterator<Item = &'t [u8]> + Clone),
        at_root: bool,
    ) -> Option<&Run> {
        if self.sorted.is_empty() {
            return None;
        }
        let key = hash(word);
        if !self.may_know(key) {
            return None;
        }
        let start = self.sorted.partition_point(|run| run.key < key);
        self.sorted[start..]
            .iter()
            .take_while(|run| run.key == key)
            .find(|run| (at_root || !run.rooted) && run.matches(word, rest.clone()))
    }
}

/// Where a key is in the table, and which bit of it.
const fn place(key: u32) -> (usize, u64) {
    let low = key & ((1 << BITS) - 1);
    ((low >> 6) as usize, 1 << (low & 63))
}

/// A hash of a word, the same in any case of its ASCII letters: FNV-1a of 32 bits. Whoever makes words that meet it
/// makes the search as long as for a word of the rules, and no longer.
fn hash(word: &[u8]) -> u32 {
    word.iter()
        .fold(NO_BYTES, |hash, byte| with_byte(hash, *byte))
}

/// The hash of no byte.
const NO_BYTES: u32 = 0x811c_9dc5;

const fn with_byte(hash: u32, byte: u8) -> u32 {
    (hash ^ byte.to_ascii_lowercase() as u32).wrapping_mul(0x0100_0193)
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

    fn found(runs: &Runs, text: &str, at_root: bool) -> Option<String> {
        let mut words = words(text);
        let first = words.next()?;
        runs.starting(first, &words, at_root)
            .map(|run| run.name.to_string())
    }

    #[test]
    fn a_run_is_whole_words_in_any_case() {
        let runs = runs(&[("fuzz faster", false), ("fuzz", true)]);
        assert_eq!(
            found(&runs, "Fuzz FASTER u", false).as_deref(),
            Some("fuzz faster")
        );
        assert_eq!(found(&runs, "fuzz", true).as_deref(), Some("fuzz"));
        assert_eq!(found(&runs, "fuzz", false), None);
        assert_eq!(found(&runs, "fuzzy faster", false), None);
        assert_eq!(found(&runs, "", true), None);
    }

    #[test]
    fn a_text_in_which_none_starts_is_told_by_its_words() {
        let runs = runs(&[("fuzz faster", false), ("zap", true)]);
        for text in ["/fuzz", "/a/FUZZ/b", "zap/", "//zap"] {
            assert!(!runs.none_starts_in(text.as_bytes(), b'/'), "{text}");
        }
        for text in ["/fuzzy", "/zap-fuzz", "/faster", "/"] {
            assert!(runs.none_starts_in(text.as_bytes(), b'/'), "{text}");
        }
    }

    #[test]
    fn very_long_words_are_compared_whole() {
        let (long, longer) = ("x".repeat(70), "x".repeat(300));
        let runs = runs(&[(long.as_str(), false)]);
        assert!(found(&runs, &long, false).is_some());
        assert!(found(&runs, &longer, false).is_none());
    }
}
