//! The client's address: where a request came from, as far as that can be known.
//!
//! A *hop* is one address in a header that proxies write. This module reads hops from the right. It trusts a hop only
//! if the next hop, or the socket's peer, is a proxy that the operator trusts. The first address that is not a
//! trusted proxy is the client. The client itself sent what stands further left: this module ignores it, and never
//! guesses at a hop that it cannot parse. Syntax:
//! RFC 7239 (`Forwarded`); `X-Forwarded-For` and `X-Real-IP` have no standard.
//!
//! This is our own parser, since no crate fits: `client-ip` and `axum-client-ip` take one hop and know no trusted
//! networks and no ports; `forwarded-header-value` and `rfc7239` split hops at commas inside quotes, which clients
//! can send.

mod forwarded;
mod hop_address;
mod hops;
mod privacy;
mod proxies;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::header::{FORWARDED, HeaderMap, HeaderName};

use hops::Hops;
pub use privacy::AddressPrivacy;
pub use proxies::{AddressError, TrustedProxies};

/// No legitimate chain of proxies is longer.
const MAX_HOPS: usize = 64;

/// The header in which the trusted proxies record where a request came from.
///
/// Name the one header that the proxies themselves write. Proxies pass other headers on as the client sent them, so
/// trust in several headers would let every client choose its address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// `X-Forwarded-For`: every proxy appends the address it was called from. The most common one.
    XForwardedFor,
    /// `Forwarded` (RFC 7239): the same with names, `for=192.0.2.1;proto=https`.
    Forwarded,
    /// `X-Real-IP`: one address, replaced by the proxy. Behind two proxies it may be the first one's.
    XRealIp,
    /// Another header with one address that the proxy replaces, such as `cf-connecting-ip`.
    Single(HeaderName),
}

impl ProxyHeader {
    fn hops<'a>(&self, headers: &'a HeaderMap) -> Option<Hops<'a>> {
        let lines = headers.get_all(match self {
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Forwarded => FORWARDED,
            Self::XRealIp => HeaderName::from_static("x-real-ip"),
            Self::Single(name) => name.clone(),
        });
        match self {
            Self::XForwardedFor => Some(Hops::new(lines.iter(), hops::last_comma)),
            Self::Forwarded => Some(Hops::new(lines.iter(), forwarded::last_comma)),
            // A proxy that replaces the header leaves one line. If there are two, one came from the client.
            Self::XRealIp | Self::Single(_) => {
                let one = lines.iter().nth(1).is_none();
                one.then(|| Hops::new(lines.iter(), |_| None))
            }
        }
    }

    fn address(&self, hop: &[u8]) -> Option<IpAddr> {
        match self {
            Self::Forwarded => forwarded::address(hop),
            _ => hop_address::address(std::str::from_utf8(hop).ok()?),
        }
    }
}

/// Finds the client's address.
///
/// By default no header is trusted: the address is that of the socket's peer. A request is never refused, whatever
/// its headers contain. Addresses are canonical: `::ffff:192.0.2.1` is `192.0.2.1`.
///
/// # Examples
/// ```
/// use http::HeaderMap;
/// use sea_orm_audit_web::{ClientAddress, ProxyHeader, TrustedProxies};
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8"])?;
/// let client = ClientAddress::behind(proxies, ProxyHeader::XForwardedFor);
///
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "1.1.1.1, 192.0.2.60, 10.0.0.7".parse()?);
/// let peer = "10.0.0.8".parse()?;
/// assert_eq!(client.of(Some(peer), &headers), Some("192.0.2.60".parse()?)); // 1.1.1.1 is forged
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ClientAddress {
    proxies: TrustedProxies,
    header: ProxyHeader,
    trust_unknown_peer: bool,
}

impl ClientAddress {
    /// Uses the address of the socket; no header is trusted. This is the default.
    pub const fn of_socket() -> Self {
        Self::behind(TrustedProxies::none(), ProxyHeader::XForwardedFor)
    }

    /// Trusts `header` from these proxies only.
    ///
    /// Every proxy in the list must append to the header or replace it. If an address of the list can belong
    /// to a client, that client can choose the address under which it is recorded.
    pub const fn behind(proxies: TrustedProxies, header: ProxyHeader) -> Self {
        Self {
            proxies,
            header,
            trust_unknown_peer: false,
        }
    }

    /// Whether a peer without an address is a trusted proxy; by default it is not.
    ///
    /// For Unix sockets, where only the proxy can connect. On any server that does not pass on the peer's address,
    /// `true` lets every client choose the address under which it is recorded.
    pub const fn trust_unknown_peer(mut self, trust: bool) -> Self {
        self.trust_unknown_peer = trust;
        self
    }

    /// The client's address, from the address of the socket's peer and the request's headers.
    ///
    /// Reads hops from the right: returns the first address that is not a trusted proxy, or the left-most one if all
    /// are. It stops at the last valid address before a hop that cannot be parsed (`unknown`, `_hidden`, garbage,
    /// nothing), after 64 hops and after 8 KiB. `None` when the peer has no address, and is not trusted or names
    /// none.
    #[must_use]
    #[inline]
    pub fn of(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        if self.proxies.is_empty() && !self.trust_unknown_peer {
            return peer.map(|address| address.to_canonical());
        }
        self.walk(peer, headers).address
    }

    fn walk(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> HopIterator {
        let mut walk = HopIterator {
            address: peer.map(|address| address.to_canonical()),
            hops: 0,
        };
        if !self.trusts(walk.address) {
            return walk;
        }
        let Some(mut hops) = self.header.hops(headers) else {
            return walk;
        };
        while walk.hops < MAX_HOPS && self.trusts(walk.address) {
            let Some(hop) = hops.next() else { break };
            walk.hops += 1;
            let Some(address) = self.header.address(hop) else {
                break;
            };
            walk.address = Some(address);
        }
        walk
    }

    fn trusts(&self, address: Option<IpAddr>) -> bool {
        address.map_or(self.trust_unknown_peer, |address| {
            self.proxies.contains(address)
        })
    }
}

impl Default for ClientAddress {
    fn default() -> Self {
        Self::of_socket()
    }
}

/// How far the hops were followed.
struct HopIterator {
    address: Option<IpAddr>,
    /// How many hops were read, the invalid one included.
    hops: usize,
}
