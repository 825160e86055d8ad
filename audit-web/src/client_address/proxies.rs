//! The proxies whose headers are trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use sea_orm_audit_core::clean_text as clean;

/// The networks of the trusted proxies.
///
/// An IPv4 network also contains its addresses in IPv6 form, `::ffff:10.0.0.1`.
///
/// # Examples
/// ```
/// use sea_orm_audit_web::TrustedProxies;
///
/// let listed = TrustedProxies::new(["10.0.0.0/8", "::1"])?;
/// assert!(listed.contains("10.1.2.3".parse()?));
/// // as an environment variable says it
/// assert_eq!("10.0.0.0/8, ::1".parse::<TrustedProxies>()?, listed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
}

const PRIVATE: [IpNet; 8] = [
    v4([127, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([169, 254, 0, 0], 16),
    v6(1, 128),
    v6(0xfc00 << 112, 7),
    v6(0xfe80 << 112, 10),
];

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix))
}

const fn v6(bits: u128, prefix: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), prefix))
}

impl TrustedProxies {
    /// Trusts no proxy, and so no header. This is the default.
    pub const fn none() -> Self {
        Self {
            networks: Vec::new(),
        }
    }

    /// These networks and single addresses, as text or as any type with that text form (`IpAddr`, `ipnet::IpNet`):
    /// `10.0.0.0/8`, `192.0.2.7`, `fd00::/8`, `::1`.
    ///
    /// # Errors
    /// Returns [`AddressError`] for text that is neither, and for a network that contains every address.
    pub fn new<I>(networks: I) -> Result<Self, AddressError>
    where
        I: IntoIterator<Item: ToString>,
    {
        Self::none().and(networks)
    }

    /// The networks that are not routed on the Internet: loopback, RFC 1918, RFC 4193 and link-local.
    ///
    /// For proxies in the same private network. Do not use it where clients are in that network, too: they could
    /// choose the address under which they are recorded. 100.64.0.0/10 (RFC 6598) is not included, since clients of
    /// providers have such addresses.
    pub fn private() -> Self {
        Self {
            networks: PRIVATE.to_vec(),
        }
    }

    /// Adds more proxies, in the form that [`new`](Self::new) takes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn and<I>(mut self, networks: I) -> Result<Self, AddressError>
    where
        I: IntoIterator<Item: ToString>,
    {
        for network in networks {
            self.networks.push(parse(&network.to_string())?);
        }
        Ok(self)
    }

    /// Whether the address is one of a trusted proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|net| net.contains(&address))
    }

    /// Whether no proxy is trusted.
    pub(super) const fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }
}

impl FromStr for TrustedProxies {
    type Err = AddressError;

    /// Parses a list separated by commas or white space. An empty text trusts no proxy.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let parts = text.split(|c: char| c == ',' || c.is_whitespace());
        Self::new(parts.filter(|part| !part.is_empty()))
    }
}

fn parse(text: &str) -> Result<IpNet, AddressError> {
    let trimmed = text.trim();
    let network = (trimmed.parse().ok())
        .or_else(|| trimmed.parse::<IpAddr>().ok().map(IpNet::from))
        .ok_or_else(|| AddressError::NoNetwork {
            text: shown(trimmed),
        })?;
    let network = canonical(network);
    if network.prefix_len() == 0 {
        return Err(AddressError::EveryAddress {
            text: shown(trimmed),
        });
    }
    Ok(network)
}

/// Converts IPv4 networks in IPv6 form to IPv4, the form in which addresses are compared.
fn canonical(network: IpNet) -> IpNet {
    let v4 = |net: Ipv6Net| {
        let prefix = net.prefix_len().checked_sub(96)?;
        Ipv4Net::new(net.addr().to_ipv4_mapped()?, prefix).ok()
    };
    match network {
        IpNet::V6(net) => v4(net).map_or(network, IpNet::V4),
        IpNet::V4(_) => network,
    }
}

fn shown(text: &str) -> String {
    clean(text, 64).into_owned()
}

/// A list of trusted proxies that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text is neither a network nor an address.
    #[error(
        "`{text}` is neither a network nor an address: write `10.0.0.0/8`, `192.0.2.7`, `fd00::/8` or `::1`"
    )]
    NoNetwork {
        /// The text.
        text: String,
    },
    /// The network contains every address.
    #[error(
        "`{text}` holds every address, and would let every client choose its own: list the networks of the proxies"
    )]
    EveryAddress {
        /// The text.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    type Outcome = Result<(), Box<dyn Error>>;

    #[test]
    fn networks_and_single_addresses_are_taken_as_text_and_as_values() -> Outcome {
        let address: IpAddr = "10.0.0.7".parse()?;
        let network: IpNet = "fd00::/8".parse()?;
        let proxies = TrustedProxies::new([" 192.0.2.0/24 "])?
            .and([address])?
            .and([network])?;
        for inside in ["192.0.2.255", "10.0.0.7", "fdff::1", "::ffff:10.0.0.7"] {
            assert!(proxies.contains(inside.parse()?), "{inside}");
        }
        for outside in ["192.0.3.0", "10.0.0.8", "fe00::1", "::10.0.0.7"] {
            assert!(!proxies.contains(outside.parse()?), "{outside}");
        }
        Ok(())
    }

    #[test]
    fn ipv4_network_in_ipv6_form_is_the_ipv4_network() -> Outcome {
        let mapped = TrustedProxies::new(["::ffff:10.0.0.0/104"])?;
        assert_eq!(mapped, TrustedProxies::new(["10.0.0.0/8"])?);
        assert!(mapped.contains("10.255.0.1".parse()?));
        Ok(())
    }

    #[test]
    fn list_is_read_from_one_text() -> Outcome {
        let proxies: TrustedProxies = " 10.0.0.0/8,::1\n192.0.2.7, ".parse()?;
        assert_eq!(
            proxies,
            TrustedProxies::new(["10.0.0.0/8", "::1", "192.0.2.7"])?
        );
        assert_eq!("".parse::<TrustedProxies>()?, TrustedProxies::none());
        Ok(())
    }

    #[test]
    fn invalid_network_is_named_in_the_error() {
        for text in [
            "proxy.example",
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.1:80",
            "",
        ] {
            let error = TrustedProxies::new([text]).err().map(|e| e.to_string());
            let error = error.unwrap_or_default();
            assert!(
                error.starts_with(&format!("`{text}` is neither")),
                "{error}"
            );
        }
        let long = TrustedProxies::new(["\r\n".repeat(1000)]).err();
        assert!(long.is_some_and(|error| error.to_string().len() < 400));
    }

    #[test]
    fn network_of_every_address_is_refused() {
        for text in ["0.0.0.0/0", "::/0", "::ffff:0:0/96"] {
            let error = TrustedProxies::new([text]).err();
            assert!(
                matches!(error, Some(AddressError::EveryAddress { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn private_networks_are_those_of_the_standards() -> Outcome {
        let private = TrustedProxies::private();
        for inside in [
            "127.0.0.1",
            "10.1.1.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "::1",
            "fd12::1",
            "fe80::1",
        ] {
            assert!(private.contains(inside.parse()?), "{inside}");
        }
        for outside in [
            "172.32.0.1",
            "100.64.0.1",
            "8.8.8.8",
            "2001:db8::1",
            "::",
            "0.0.0.0",
        ] {
            assert!(!private.contains(outside.parse()?), "{outside}");
        }
        Ok(())
    }
}
