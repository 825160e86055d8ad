//! The address of one hop, as text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest text that is parsed: an IPv6 address with its zone, brackets and a port.
const MAX_CHARS: usize = 128;

/// The address in `1.2.3.4`, `1.2.3.4:567`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:567` or `fe80::1%eth0`,
/// without port and zone; `None` for everything else, `unknown` and `_hidden` included.
///
/// An IPv6 address without brackets has no port: `2001:db8::1:567` is an address as it stands.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    if text.len() > MAX_CHARS {
        return None;
    }
    let address = if let Some(text) = text.strip_prefix('[') {
        let (address, port) = text.split_once(']')?;
        let without_port = port.is_empty() || is_port(port.strip_prefix(':')?);
        IpAddr::V6(without_port.then(|| v6(address))??)
    } else if let Some((address, port)) = text.split_once(':').filter(|(_, p)| !p.contains(':')) {
        IpAddr::V4(is_port(port).then(|| address.parse::<Ipv4Addr>().ok())??)
    } else if text.contains(':') {
        IpAddr::V6(v6(text)?)
    } else {
        IpAddr::V4(text.parse().ok()?)
    };
    Some(address.to_canonical())
}

fn v6(text: &str) -> Option<Ipv6Addr> {
    let address = match text.split_once('%') {
        Some((address, zone)) => is_name(zone).then_some(address)?,
        None => text,
    };
    address.parse().ok()
}

/// A port has at most five digits, or is an obfuscated name (RFC 7239, section 6).
fn is_port(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match text.strip_prefix('_') {
        Some(name) => is_name(name),
        None => (1..=5).contains(&text.len()) && digits(text),
    }
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_form_is_read_without_port_and_zone() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            (" \t192.0.2.1 ", "192.0.2.1"),
            ("192.0.2.1:567", "192.0.2.1"),
            ("192.0.2.43:_gazonk", "192.0.2.43"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("2001:db8::1:567", "2001:db8::1:567"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:567", "2001:db8::1"),
            ("[2001:db8::1]:_x-1", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0.1]:80", "fe80::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("[::ffff:c000:201]:80", "192.0.2.1"),
        ] {
            assert_eq!(address(text), expected.parse().ok(), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_an_address() {
        for text in [
            "",
            " ",
            "unknown",
            "_hidden",
            "_gazonk:80",
            "localhost",
            "192.0.2",
            "192.0.2.256",
            "010.0.0.1",
            "0x7f.0.0.1",
            "3221225985",
            "192.0.2.1:",
            "192.0.2.1:123456",
            "192.0.2.1:-1",
            "192.0.2.1:_",
            "192.0.2.1/24",
            "192.0.2.1%eth0",
            "192.0.2.1 192.0.2.2",
            "192.0.2.1\r\n",
            "\u{ff11}92.0.2.1",
            "[192.0.2.1]",
            "[192.0.2.1]:80",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]567",
            "[2001:db8::1]:",
            "[[2001:db8::1]]",
            "2001:db8::1%",
            "2001:db8::1%a b",
            "\"192.0.2.1\"",
            ":",
            "::::",
        ] {
            assert_eq!(address(text), None, "{text:?}");
        }
        assert_eq!(address(&format!("fe80::1%{}", "a".repeat(200))), None);
    }
}
