//! Text from outside, made harmless to store and to show.
//!
//! *Harmless* means: it is one line, a terminal does nothing with it but print it, and it reads in the order in which
//! it is stored. OWASP calls the contrary log injection. This module does not judge what the text says: what displays
//! it must handle markup, formulas and look-alike letters.

use std::borrow::Cow;

/// Makes text from outside harmless, and cuts it to a number of characters.
///
/// Control characters become their pictures, so that an auditor sees what was tried: a line feed becomes `␊`, an escape
/// `␛`, and what follows it stays. Characters that reorder text or separate lines, the controls beyond ASCII and bytes
/// that are not UTF-8 become `\u{FFFD}`. Where something is cut off, the last character is `…`. Text that needs no
/// change is borrowed; of long text only the beginning is read.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::clean_text as clean;
///
/// assert_eq!(clean("curl/8.9", 512), "curl/8.9");
/// assert_eq!(clean("x\r\n2026-11-23 login ann", 512), "x␍␊2026-11-23 login ann");
/// assert_eq!(clean(b"caf\xe9", 512), "caf\u{FFFD}");
/// ```
#[must_use]
pub fn clean<T: AsRef<[u8]> + ?Sized>(text: &T, max_chars: usize) -> Cow<'_, str> {
    cleaned(text, max_chars, picture)
}

/// As [`clean`], for text of several lines: line feeds and tabs stay.
pub(crate) fn clean_lines<T: AsRef<[u8]> + ?Sized>(text: &T, max_chars: usize) -> Cow<'_, str> {
    cleaned(text, max_chars, |char| match char {
        '\n' | '\t' => None,
        other => picture(other),
    })
}

fn cleaned<T: AsRef<[u8]> + ?Sized>(
    text: &T,
    max_chars: usize,
    picture: fn(char) -> Option<char>,
) -> Cow<'_, str> {
    let bytes = text.as_ref();
    // A character has four bytes at most: this is always more than `max_chars` of them, if there are more.
    let enough = max_chars.saturating_add(1).saturating_mul(4);
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(enough)]);
    let fits = text.len() <= max_chars || text.chars().nth(max_chars).is_none();
    let harmless = |text: &str| text.chars().all(|char| picture(char).is_none());
    if fits && (text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || harmless(&text)) {
        return text;
    }
    let kept = if fits {
        max_chars
    } else {
        max_chars.saturating_sub(1)
    };
    let cut = (!fits && max_chars > 0).then_some('…');
    let chars = text.chars().map(|char| picture(char).unwrap_or(char));
    Cow::Owned(chars.take(kept).chain(cut).collect())
}

/// Whether a character changes what a terminal shows, or the order or line of other text.
pub(crate) fn is_harmful(char: char) -> bool {
    picture(char).is_some()
}

/// The replacement of a character that is not harmless.
fn picture(char: char) -> Option<char> {
    match char {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(char)),
        '\u{7f}' => Some('␡'),
        '\u{80}'..='\u{9f}'
        // The marks of direction (ALM, LRM, RLM), the separators of lines and paragraphs, then the embeddings,
        // overrides and isolates of UAX #9.
        | '\u{61c}'
        | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => Some(char::REPLACEMENT_CHARACTER),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_text_is_borrowed() {
        for text in [
            "",
            "Mozilla/5.0 (X11; Linux x86_64)",
            "Zoë Müller",
            "山田太郎",
            "مريم",
            "👩‍⚕️",
        ] {
            assert!(matches!(clean(text, 64), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn control_characters_become_visible() {
        for (text, expected) in [
            ("a\r\nb", "a␍␊b"),
            ("\x1b[2J\x1b[31mroot", "␛[2J␛[31mroot"),
            ("\x1b]8;;http://x\x07link", "␛]8;;http://x␇link"),
            ("a\tb\0c\x7f", "a␉b␀c␡"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("a\u{85}b\u{2028}c\u{2029}d", "a\u{fffd}b\u{fffd}c\u{fffd}d"),
            ("nna\u{202e}\u{2066}", "nna\u{fffd}\u{fffd}"),
            ("a\u{200e}b\u{200f}c\u{61c}", "a\u{fffd}b\u{fffd}c\u{fffd}"),
        ] {
            assert_eq!(clean(text, 64), expected);
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        assert_eq!(clean(b"a\xff\xfeb\xc3", 64), "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn several_lines_stay_lines() {
        let trace = "at a\n\tat b\r\x1b[2J";
        assert_eq!(clean_lines(trace, 64), "at a\n\tat b␍␛[2J");
        assert_eq!(clean_lines("a\nb\nc", 4), "a\nb…");
        assert!(matches!(clean_lines("a\nb", 4), Cow::Borrowed(_)));
    }

    #[test]
    fn bytes_are_taken_as_they_come() {
        assert_eq!(clean(b"x\t\xe9", 512), "x␉\u{fffd}");
    }

    #[test]
    fn long_text_is_cut_between_characters_and_says_so() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
        assert_eq!(clean("日本語日本語", 4), "日本語…");
        assert_eq!(clean("日本語日", 4), "日本語日");
        assert_eq!(clean(&"𝒳".repeat(9999), 3), "𝒳𝒳…");
        assert_eq!(clean("abc", 1), "…");
        assert_eq!(clean("abc", 0), "");
        assert_eq!(clean(&vec![0xff; 10_240], 512).chars().count(), 512);
        assert_eq!(clean("abc", usize::MAX), "abc");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_is_bounded_and_harmless(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "(?s).{0,60}",
            max in 0_usize..80,
        ) {
            for input in [bytes.as_slice(), text.as_bytes()] {
                let cleaned = clean(input, max);
                prop_assert!(cleaned.chars().count() <= max);
                prop_assert!(!cleaned.chars().any(char::is_control));
                prop_assert!(cleaned.chars().all(|c| picture(c).is_none()));
                let again = clean(cleaned.as_ref(), max).into_owned();
                prop_assert_eq!(&again, cleaned.as_ref());
            }
        }

        #[test]
        fn the_begin_that_is_looked_at_is_long_enough(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            max in 0_usize..40,
        ) {
            let all: Vec<char> = String::from_utf8_lossy(&bytes)
                .chars()
                .map(|c| picture(c).unwrap_or(c))
                .collect();
            let expected: String = if all.len() <= max {
                all.iter().collect()
            } else {
                let cut = (max > 0).then_some('…');
                all[..max.saturating_sub(1)].iter().copied().chain(cut).collect()
            };
            prop_assert_eq!(clean(&bytes, max), expected);
        }
    }
}
