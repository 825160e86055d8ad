//! The header `Forwarded` (RFC 7239), read from the right.
//!
//! Read from the left, one open quote sent by the client (`by="`) would include the commas of the valid hops after
//! it. Read from the right, a well-formed hop ends where it begins, whatever stands before it.

use std::net::IpAddr;

use super::hop_address;

/// The last comma that is not inside quotes.
pub(super) fn last_comma(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (at, &byte) in text.iter().enumerate().rev() {
        match byte {
            b'"' if !quoted => quoted = true,
            b'"' => quoted = is_escaped(&text[..at]),
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether the character after this text is the second half of a quoted pair.
fn is_escaped(before: &[u8]) -> bool {
    let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\');
    backslashes.count() % 2 == 1
}

/// The address of a hop's `for`; `None` where it has none, has two or is not well-formed.
pub(super) fn address(hop: &[u8]) -> Option<IpAddr> {
    // Invalid UTF-8 is no error: `host` comes from the client, who must not be able to hide with it.
    hop_address::address(&parameter_for(&String::from_utf8_lossy(hop))?)
}

fn parameter_for(hop: &str) -> Option<String> {
    let mut found = None;
    let mut rest = trim(hop);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(';') {
            rest = trim(after);
            continue;
        }
        let (name, after) = rest.split_once('=')?;
        let after = trim(after);
        let (value, after) = match after.strip_prefix('"') {
            Some(text) => quoted(text)?,
            None => token(after)?,
        };
        if trim(name).eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            // RFC 7239, section 4: once per hop. The client injected one of the two.
            return None;
        }
        rest = trim(after);
        if !rest.is_empty() && !rest.starts_with(';') {
            return None;
        }
    }
    found
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A value without quotes, and what follows it. It accepts more than a token: `[2001:db8::1]:80` must be quoted, but
/// some proxies do not quote it.
fn token(text: &str) -> Option<(String, &str)> {
    let (value, after) = text.split_at(text.find(';').unwrap_or(text.len()));
    (!value.contains(['"', '\\'])).then(|| (trim(value).to_owned(), after))
}

/// A value whose opening quote is already read, without quotes and backslashes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(chars.next()?.1),
            (_, char) => value.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hop: &str) -> Option<String> {
        address(hop.as_bytes()).map(|address| address.to_string())
    }

    fn hops(line: &str) -> Vec<&str> {
        let mut hops = Vec::new();
        let mut rest = line;
        while let Some(comma) = last_comma(rest.as_bytes()) {
            hops.push(rest[comma + 1..].trim());
            rest = &rest[..comma];
        }
        hops.push(rest.trim());
        hops
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        for (hop, expected) in [
            (r#"for="_gazonk""#, None),
            (
                r#"For="[2001:db8:cafe::17]:4711""#,
                Some("2001:db8:cafe::17"),
            ),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                Some("192.0.2.60"),
            ),
            ("for=192.0.2.43", Some("192.0.2.43")),
            (r#"for="192.0.2.43:47011""#, Some("192.0.2.43")),
            (r#"for="[2001:db8:cafe::17]""#, Some("2001:db8:cafe::17")),
            ("for=unknown", None),
            ("for=_hidden", None),
            ("for=_SEVKISEK", None),
            (
                "for=192.0.2.43;host=example.com;proto=https",
                Some("192.0.2.43"),
            ),
        ] {
            assert_eq!(read(hop).as_deref(), expected, "{hop}");
        }
    }

    #[test]
    fn names_have_no_case_and_the_order_does_not_count() {
        for hop in [
            "FOR=192.0.2.1",
            " ; for = 192.0.2.1 ; ",
            "by=203.0.113.43; for=192.0.2.1",
            r#"secret="a;for=1.1.1.1,b\"";for="192.0.2.1";proto=https"#,
            r#"host="\\";for="\1\92.0.2.1""#,
            "for=192.0.2.1;;proto=http",
        ] {
            assert_eq!(read(hop).as_deref(), Some("192.0.2.1"), "{hop}");
        }
        assert_eq!(
            read("for=[2001:db8::1]:80").as_deref(),
            Some("2001:db8::1"),
            "unquoted, as some proxies write it"
        );
    }

    #[test]
    fn hop_that_is_not_well_formed_has_no_address() {
        for hop in [
            "",
            ";",
            "for",
            "for=",
            "192.0.2.1",
            "for=192.0.2.1;for=192.0.2.2",
            r#"for="192.0.2.1"#,
            r#"for=192.0.2.1""#,
            r#"for="192.0.2.1"x"#,
            r#"for="192.0.2.1\"#,
            r#"for=192.0.2.1;by=""#,
            "for=192.0.2.1;secret",
            "forx=192.0.2.1",
        ] {
            assert_eq!(read(hop), None, "{hop}");
        }
    }

    #[test]
    fn host_that_is_not_utf_8_does_not_hide_the_client() {
        let hop = b"for=192.0.2.1;host=\"\xff\xfe\"";
        assert_eq!(address(hop), "192.0.2.1".parse().ok());
    }

    #[test]
    fn commas_inside_quotes_part_nothing() {
        assert_eq!(
            hops(r#"for=192.0.2.1, for="a,b\",c\\", for=192.0.2.2"#),
            ["for=192.0.2.2", r#"for="a,b\",c\\""#, "for=192.0.2.1"]
        );
    }

    #[test]
    fn open_quote_on_the_left_swallows_no_hop_on_the_right() {
        for forged in [
            r#"for=1.1.1.1;by=""#,
            r#"for=1.1.1.1;by="\"#,
            r#"""#,
            r"\",
            r#"\"\"#,
        ] {
            let line = format!(r#"{forged}, for="[2001:db8::1]";host="a,\"b", for=192.0.2.2"#);
            let hops = hops(&line);
            assert_eq!(hops[0], "for=192.0.2.2", "{forged}");
            assert_eq!(hops[1], r#"for="[2001:db8::1]";host="a,\"b""#, "{forged}");
        }
    }
}
