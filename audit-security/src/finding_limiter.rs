//! Limits how many different findings are recorded one by one within an hour: of one network, of one site, and of
//! all.
//!
//! Equal findings of one client are one row that counts; different ones are a row each. A client that requests
//! everything that the rules know, or has many addresses, could fill the log and the writer's queue. So all findings
//! beyond a limit are recorded as one finding that counts.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm_audit_core::{network_of, site_of};

/// The number of different findings of one network (an IPv4 address, an IPv6 /64) that are recorded one by one.
pub(super) const OF_NETWORK: usize = 50;
/// The number for one site: an IPv4 /24, an IPv6 /48.
pub(super) const OF_SITE: usize = 200;
/// The number for all networks, by default.
pub(super) const OF_ALL: usize = 2_000;

/// Starts with the first finding. Equal to the time in which the event writer counts equal events.
const WINDOW: Duration = Duration::from_hours(1);

/// How a finding is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    /// Separately, for this network.
    Alone(String),
    /// As one beyond the limit of this network or site, which must not be shown: it is the client's address. `kind`
    /// may be.
    AmongThose {
        of: String,
        kind: &'static str,
        most: usize,
    },
    /// As one beyond the limit of all networks.
    AmongAll { most: usize },
}

/// The different findings of the current window.
#[derive(Debug)]
pub(super) struct FindingLimiter {
    most: usize,
    window: Mutex<Window>,
}

/// The number of findings that are recorded one by one bounds all fields.
#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    findings: HashSet<(String, String)>,
    /// The number for each network and site.
    of: HashMap<String, usize>,
}

impl FindingLimiter {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            window: Mutex::default(),
        }
    }

    /// How a finding of this client is recorded.
    pub(super) fn admit(&self, client: Option<IpAddr>, finding: &str, now: Instant) -> Admission {
        let network = client.map_or_else(String::new, |client| network_of(client).to_string());
        let site = client.map_or_else(String::new, site_of);
        // A panic cannot leave an incomplete window: continue.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let age = window
            .since
            .map(|since| now.saturating_duration_since(since));
        if age.is_none_or(|age| age >= WINDOW) {
            *window = Window {
                since: Some(now),
                ..Window::default()
            };
        }
        let known = (network.clone(), finding.to_owned());
        if window.findings.contains(&known) {
            return Admission::Alone(network);
        }
        let count = |of: &String| window.of.get(of).copied().unwrap_or(0);
        if window.findings.len() >= self.most {
            return Admission::AmongAll { most: self.most };
        }
        for (of, kind, most) in [
            (&site, "network", OF_SITE),
            (&network, "client", OF_NETWORK),
        ] {
            if count(of) >= most {
                let of = of.clone();
                return Admission::AmongThose { of, kind, most };
            }
        }
        window.findings.insert(known);
        *window.of.entry(network.clone()).or_default() += 1;
        if site != network {
            *window.of.entry(site).or_default() += 1;
        }
        Admission::Alone(network)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn is_alone(
        limiter: &FindingLimiter,
        client: impl Into<IpAddr>,
        finding: usize,
        now: Instant,
    ) -> bool {
        let admission = limiter.admit(Some(client.into()), &finding.to_string(), now);
        matches!(admission, Admission::Alone(_))
    }

    const ONE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    #[test]
    fn after_fifty_different_findings_a_network_makes_no_more_and_others_do() {
        let (limiter, now) = (FindingLimiter::new(OF_ALL), Instant::now());
        for number in 0..OF_NETWORK {
            assert!(is_alone(&limiter, ONE, number, now));
        }
        assert!(!is_alone(&limiter, ONE, OF_NETWORK, now));
        assert!(is_alone(&limiter, ONE, 7, now), "it is known already");
        assert!(is_alone(&limiter, OTHER, OF_NETWORK, now));
    }

    #[test]
    fn the_count_begins_anew_after_an_hour() {
        let (limiter, now) = (FindingLimiter::new(OF_ALL), Instant::now());
        for number in 0..=OF_NETWORK {
            is_alone(&limiter, ONE, number, now);
        }
        assert!(!is_alone(&limiter, ONE, 1_000, now + WINDOW / 2));
        assert!(is_alone(&limiter, ONE, 1_000, now + WINDOW));
    }

    #[test]
    fn the_networks_of_one_site_are_bounded_together() {
        let (limiter, now) = (FindingLimiter::new(OF_ALL), Instant::now());
        let address = |network: u16| Ipv6Addr::new(0x2001, 0xdb8, 7, network, 0, 0, 0, 1);
        let alone = (0..60_000).filter(|network| is_alone(&limiter, address(*network), 1, now));
        assert_eq!(alone.count(), OF_SITE);
        let of = Admission::AmongThose {
            of: "2001:db8:7::/48".to_owned(),
            kind: "network",
            most: OF_SITE,
        };
        assert_eq!(limiter.admit(Some(address(60_001).into()), "1", now), of);
        assert!(is_alone(
            &limiter,
            Ipv6Addr::new(0x2001, 0xdb8, 8, 0, 0, 0, 0, 1),
            1,
            now
        ));
    }

    #[test]
    fn all_networks_are_bounded_together_and_so_is_the_memory() {
        let (limiter, now) = (FindingLimiter::new(OF_ALL), Instant::now());
        let address = |number: u32| Ipv4Addr::from(number << 8);
        let alone = (0..100_000).filter(|number| is_alone(&limiter, address(*number), 1, now));
        assert_eq!(alone.count(), OF_ALL);
        let among_all = Admission::AmongAll { most: OF_ALL };
        assert_eq!(limiter.admit(Some(ONE.into()), "1", now), among_all);
        let window = limiter
            .window
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        assert!(window.findings.len() <= OF_ALL && window.of.len() <= 2 * OF_ALL);
    }
}
