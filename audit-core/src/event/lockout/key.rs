//! The keys by which attempts to sign in are counted. Stored beside the given values, since databases differ in what is
//! lower case.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::AuditConfig;
use crate::limits;
use crate::record::address;
use crate::target::truncate_hashed;
use crate::text::clean as clean_text;

/// The stored form of a name, and the key that counts it.
pub(in crate::event) fn stored_names(username: &str, is_known: bool) -> (String, String) {
    if is_known {
        return (known_name(username), known_key(username));
    }
    let hash = unknown_name(username);
    (hash.clone(), hash)
}

/// The stored form of a name that belongs to an account.
pub(in crate::event) fn known_name(username: &str) -> String {
    // A client may type any spelling of the name.
    clean_text(username, limits::NAME as usize).into_owned()
}

/// The key that counts a name that belongs to an account: most applications treat all its spellings as one name.
pub(in crate::event) fn known_key(username: &str) -> String {
    // Lower case may be longer.
    truncate_hashed(lower(username), limits::NAME)
}

/// The stored form of a name that belongs to no account, and the key that counts it. A digest without a key would
/// reveal a password to a client that guesses it; without a configured key, names are distinguished until the process
/// ends.
#[doc(hidden)]
#[must_use]
pub fn unknown_name(username: &str) -> String {
    AuditConfig::current().private_hash("audit_login_attempt", "username", &lower(username))
}

fn lower(username: &str) -> String {
    clean_text(username.trim(), limits::NAME as usize).to_lowercase()
}

/// The key that counts a stored address. A part of an address, or a hash, is its own key.
pub(in crate::event) fn network(stored: &str) -> String {
    match stored.parse().map(network_of) {
        Ok(IpAddr::V6(network)) => format!("{network}/64"),
        Ok(IpAddr::V4(whole)) => whole.to_string(),
        Err(_) => address(stored.to_owned()),
    }
}

/// The address, or of IPv6 the /64: it is what one customer gets, with addresses without end.
#[doc(hidden)]
#[must_use]
pub fn network_of(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(whole) => Ipv6Addr::from_bits(whole.to_bits() & (!0 << 64)).into(),
        whole @ IpAddr::V4(_) => whole,
    }
}

/// The network that a site usually has: the /24 of an IPv4 address, which is the smallest that is routed on its own,
/// and the /48 of an IPv6 address, the largest that one site is usually given (RFC 6177).
#[doc(hidden)]
#[must_use]
pub fn site_of(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(v4) => format!("{}/24", Ipv4Addr::from_bits(v4.to_bits() & (!0 << 8))),
        IpAddr::V6(v6) => format!("{}/48", Ipv6Addr::from_bits(v6.to_bits() & (!0 << 80))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_ipv6_is_counted_with_its_network() {
        for (stored, counted) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:db8:0:0:9::1", "2001:db8::/64"),
            ("2001:db8:0:1:9::1", "2001:db8:0:1::/64"),
            ("2001:db8:1::/48", "2001:db8:1::/48"),
            ("hmac-sha256:k1:00", "hmac-sha256:k1:00"),
        ] {
            assert_eq!(network(stored), counted);
        }
    }

    #[test]
    fn name_is_one_in_any_case_and_with_blanks_around_it() {
        for name in ["émile", "Émile", "ÉMILE", " Émile\t"] {
            assert_eq!(known_key(name), "émile");
            assert_eq!(unknown_name(name), unknown_name("émile"));
        }
        assert_ne!(unknown_name("émile"), unknown_name("emile"));
        assert_eq!(known_key(&"İ".repeat(255)).chars().count(), 255);
    }
}
