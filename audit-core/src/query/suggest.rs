//! The word that was probably meant in place of another one.

/// Words of more characters are not compared: no known word is nearly as long.
const MAX_CHARS: usize = 32;

/// The known word that is nearest to a word, `None` if none is near. Case does not matter.
///
/// *Near* are two edits (a character more, less or other, or two exchanged), and one for a word of up to four
/// characters, since most short words are two edits away from each other.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.chars().nth(MAX_CHARS).is_some() {
        return None;
    }
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|known| {
            let edits = strsim::osa_distance(&word, &known.to_lowercase());
            (edits, known)
        })
        .filter(|(edits, known)| *edits <= if known.len() <= 4 { 1 } else { 2 })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_word_is_found_and_a_far_one_is_not() {
        let known = ["model", "to", "from", "created"];
        for (word, expected) in [
            ("modle", Some("model")),
            ("MODELS", Some("model")),
            ("craeted", Some("created")),
            ("form", Some("from")),
            ("t", Some("to")),
            ("ip", None),
            ("banana", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest(&"m".repeat(1 << 20), known), None);
    }
}
