//! Decodes a path or query.
//!
//! Percent-encoding is decoded repeatedly (attackers encode twice), `%uXXXX` as IIS reads it, and overlong UTF-8 is
//! mapped to its ASCII form. Nothing fails here: an invalid escape stays unchanged.

use std::borrow::Cow;

/// The maximum number of nested escapes that are decoded.
const ROUNDS: usize = 4;

/// Decodes a path; backslashes become slashes, and ASCII letters lower case.
pub(super) fn path(raw: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |byte: &u8| (b' '..=b'~').contains(byte) && !b"%\\".contains(byte);
    if raw
        .iter()
        .all(|byte| is_plain(byte) && !byte.is_ascii_uppercase())
    {
        return Cow::Borrowed(raw);
    }
    let mut bytes = raw.to_vec();
    unfold(&mut bytes);
    for byte in &mut bytes {
        match byte {
            b'\\' => *byte = b'/',
            b'\n' => *byte = b'\r',
            other => other.make_ascii_lowercase(),
        }
    }
    Cow::Owned(bytes)
}

/// Decodes a query; each parameter becomes a line.
///
/// An encoded line feed becomes a carriage return, so that only parameters start lines, and an encoded `&` stays part
/// of a value.
pub(super) fn query(raw: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |byte: &u8| (b' '..=b'~').contains(byte) && !b"%+&".contains(byte);
    if raw.iter().all(is_plain) {
        return Cow::Borrowed(raw);
    }
    let mut bytes: Vec<u8> = raw
        .iter()
        .map(|byte| match byte {
            b'&' => b'\n',
            b'\n' => b'\r',
            b'+' => b' ',
            other => *other,
        })
        .collect();
    unfold(&mut bytes);
    Cow::Owned(bytes)
}

fn unfold(bytes: &mut Vec<u8>) {
    for _ in 0..ROUNDS {
        let escaped = replace(bytes, escape);
        let overlong = replace(bytes, overlong);
        if !escaped && !overlong {
            break;
        }
    }
}

/// Replaces in place each sequence that `read_one` reads as one byte, and returns whether there was any.
fn replace(bytes: &mut Vec<u8>, read_one: fn(&[u8]) -> Option<(u8, usize)>) -> bool {
    let (mut read, mut write, mut changed) = (0, 0, false);
    while read < bytes.len() {
        let (byte, width) = read_one(&bytes[read..]).unwrap_or((bytes[read], 1));
        changed |= width > 1;
        // A decoded line feed must not look like the start of a parameter.
        bytes[write] = if width > 1 && byte == b'\n' {
            b'\r'
        } else {
            byte
        };
        read += width;
        write += 1;
    }
    bytes.truncate(write);
    changed
}

/// Reads `%XX` or `%uXXXX` at the start, and returns the byte and the escape's width.
fn escape(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes {
        [b'%', b'u' | b'U', a, b, c, d, ..] => {
            let high = hex(*a)? << 4 | hex(*b)?;
            let low = hex(*c)? << 4 | hex(*d)?;
            Some((narrow(high, low), 6))
        }
        [b'%', high, low, ..] => Some((hex(*high)? << 4 | hex(*low)?, 3)),
        _ => None,
    }
}

/// Maps a UTF-16 unit to the ASCII that IIS reads.
fn narrow(high: u8, low: u8) -> u8 {
    match (high, low) {
        (0, low) => low,
        (0x22, 0x15 | 0x16) => b'/',
        (0xff, 0x01..=0x5e) => low + 0x20,
        _ => b'?',
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Reads an overlong or full-width form of an ASCII character.
///
/// The second byte of `C1 1C` and `C0 2F` is no continuation byte, but old versions of IIS accepted it.
fn overlong(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes {
        [first @ (0xc0 | 0xc1), second @ 0x80..=0xbf, ..] => {
            Some(((first & 1) << 6 | (second & 0x3f), 2))
        }
        [0xc1, 0x1c, ..] => Some((b'\\', 2)),
        [0xc0, 0x2f, ..] => Some((b'/', 2)),
        [0xe0, second @ (0x80 | 0x81), third @ 0x80..=0xbf, ..] => {
            Some(((second & 1) << 6 | (third & 0x3f), 3))
        }
        // The full-width forms of ASCII, and the ideographic full stop, which host names may have for a dot.
        [0xef, 0xbc, third @ 0x81..=0xbf, ..] => Some((third - 0x81 + b'!', 3)),
        [0xef, 0xbd, third @ 0x80..=0x9e, ..] => Some((third - 0x80 + b'`', 3)),
        [0xe3, 0x80, 0x82, ..] => Some((b'.', 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        assert!(matches!(path(b"/a/b-c"), Cow::Borrowed(_)));
        assert!(matches!(query(b"a=1"), Cow::Borrowed(_)));
    }

    #[test]
    fn every_disguise_of_a_dot_is_undone() {
        for raw in [
            "%2e",
            "%2E",
            "%252e",
            "%25252e",
            "%c0%ae",
            "%e0%80%ae",
            "%u002e",
            "%%32%65",
            "%uff0e",
        ] {
            assert_eq!(path(raw.as_bytes()), b".".as_slice(), "{raw}");
        }
        for raw in [
            "%2f", "%5c", "\\", "%255c", "%c0%af", "%c1%9c", "%u2215", "%c0%2f",
        ] {
            assert_eq!(path(raw.as_bytes()), b"/".as_slice(), "{raw}");
        }
    }

    #[test]
    fn invalid_escape_stays() {
        for raw in ["100%", "%", "%2", "%zz", "%u12", "%-1"] {
            assert_eq!(path(raw.as_bytes()), raw.as_bytes(), "{raw}");
        }
        assert_eq!(path(b"%ff%fe"), b"\xff\xfe".as_slice());
    }

    #[test]
    fn each_parameter_is_a_line() {
        assert_eq!(query(b"a=1&b=x%26y%0Az+w"), b"a=1\nb=x&y\rz w".as_slice());
    }
}
