//! How much of a client's address is stored.

use std::net::IpAddr;

use sea_orm_audit_core::site_of;

/// The length of the address column, in characters.
const MAX_CHARS: usize = 64;

/// How much of a client's address is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AddressPrivacy {
    /// The address: `192.0.2.60`. This is the default.
    #[default]
    Full,
    /// Its network: `192.0.2.0/24`, `2001:db8:85a3::/48`.
    ///
    /// The last 8 bits of an IPv4 address and the last 80 of an IPv6 address are left out, as Google Analytics'
    /// "IP masking" did: a /48 is the most that one IPv6 site is usually given (RFC 6177), a /24 the least
    /// that is routed on its own.
    Truncated,
    /// A keyed hash: it recognizes the same address without showing it.
    ///
    /// The key matters: without one, an attacker tries all four billion IPv4 addresses in seconds.
    Hashed,
    /// Nothing.
    Off,
}

impl AddressPrivacy {
    /// The text to store, 64 characters at most.
    ///
    /// `hash` is only called for [`Hashed`](Self::Hashed), with the canonical address; it must use a key. A longer
    /// result is truncated to 64 characters (RFC 2104, section 5, allows a shorter hash).
    #[must_use]
    pub fn shown(self, address: IpAddr, hash: impl FnOnce(&str) -> String) -> Option<String> {
        let address = address.to_canonical();
        match self {
            Self::Full => Some(address.to_string()),
            Self::Truncated => Some(site_of(address)),
            Self::Hashed => Some(hash(&address.to_string()).chars().take(MAX_CHARS).collect()),
            Self::Off => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::AddrParseError;

    use super::*;

    fn shown(privacy: AddressPrivacy, address: &str) -> Result<Option<String>, AddrParseError> {
        Ok(privacy.shown(address.parse()?, |text| format!("hash of {text}")))
    }

    #[test]
    fn each_degree_shows_what_it_says() -> Result<(), AddrParseError> {
        use AddressPrivacy::{Full, Hashed, Off, Truncated};
        let v6 = "2001:db8:85a3:8d3:1319:8a2e:370:7348";
        for (privacy, address, expected) in [
            (Full, "192.0.2.60", Some("192.0.2.60")),
            (Full, "::ffff:192.0.2.60", Some("192.0.2.60")),
            (Full, v6, Some(v6)),
            (Truncated, "192.0.2.60", Some("192.0.2.0/24")),
            (Truncated, "::ffff:192.0.2.60", Some("192.0.2.0/24")),
            (Truncated, v6, Some("2001:db8:85a3::/48")),
            (Hashed, "::ffff:192.0.2.60", Some("hash of 192.0.2.60")),
            (Off, "192.0.2.60", None),
        ] {
            assert_eq!(shown(privacy, address)?.as_deref(), expected);
        }
        assert_eq!(AddressPrivacy::default(), Full);
        Ok(())
    }

    #[test]
    fn long_hash_is_cut_to_the_column() -> Result<(), AddrParseError> {
        let text = AddressPrivacy::Hashed.shown("::1".parse()?, |_| "é".repeat(100));
        assert_eq!(text, Some("é".repeat(64)));
        Ok(())
    }

    #[test]
    fn only_hashing_calls_the_hash() -> Result<(), AddrParseError> {
        use AddressPrivacy::{Full, Off, Truncated};
        for privacy in [Full, Truncated, Off] {
            let mut called = false;
            let _ = privacy.shown("::1".parse()?, |_| {
                called = true;
                String::new()
            });
            assert!(!called, "{privacy:?}");
        }
        Ok(())
    }
}
