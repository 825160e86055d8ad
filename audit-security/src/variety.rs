//! How many different findings are told one by one within an hour: of one network, of all networks near it, and of all.
//!
//! Equal findings of one client are one row that counts; different ones are a row each, and whoever asks for
//! everything that the rules know, or has many addresses, could fill the log, and the room of the writer. So what is
//! beyond a bound is told as one finding that counts.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sea_orm_audit_core::network_of;

/// So many different findings of one network (an IPv4 address, an IPv6 /64) are told one by one.
pub(super) const OF_NETWORK: usize = 50;
/// So many of the networks that one owner usually has together: an IPv4 /24, an IPv6 /48.
pub(super) const OF_OWNER: usize = 200;
/// So many of all, by default.
pub(super) const OF_ALL: usize = 2_000;

/// From the first finding on. As long as the event writer counts equal events.
const WINDOW: Duration = Duration::from_hours(1);

/// How a finding is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// By itself, as this network's.
    Alone(String),
    /// As one of more than so many of this network, or group of networks.
    AmongThose { of: String, most: usize },
    /// As one of more than so many of all.
    AmongAll { most: usize },
}

/// The different findings of the current window.
#[derive(Debug)]
pub(super) struct Variety {
    most: usize,
    window: Mutex<Window>,
}

/// All that is in here is bounded by the number of findings that are told one by one.
#[derive(Debug, Default)]
struct Window {
    since: Option<Instant>,
    findings: HashSet<(String, String)>,
    /// How many of each network and owner.
    of: HashMap<String, usize>,
}

impl Variety {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            window: Mutex::default(),
        }
    }

    /// How a finding of this client is told.
    pub(super) fn told(&self, client: Option<IpAddr>, finding: &str, now: Instant) -> Told {
        let network = client.map_or_else(String::new, |client| network_of(client).to_string());
        let owner = client.map_or_else(String::new, owner_of);
        // A panic elsewhere cannot leave it half written: go on.
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
            return Told::Alone(network);
        }
        let count = |of: &String| window.of.get(of).copied().unwrap_or(0);
        if window.findings.len() >= self.most {
            return Told::AmongAll { most: self.most };
        }
        for (of, most) in [(&owner, OF_OWNER), (&network, OF_NETWORK)] {
            if count(of) >= most {
                let of = of.clone();
                return Told::AmongThose { of, most };
            }
        }
        window.findings.insert(known);
        *window.of.entry(network.clone()).or_default() += 1;
        if owner != network {
            *window.of.entry(owner).or_default() += 1;
        }
        Told::Alone(network)
    }
}

/// The networks that a client's owner usually has together.
fn owner_of(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn told(variety: &Variety, client: impl Into<IpAddr>, finding: usize, now: Instant) -> bool {
        let told = variety.told(Some(client.into()), &finding.to_string(), now);
        matches!(told, Told::Alone(_))
    }

    const ONE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const OTHER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    #[test]
    fn after_fifty_different_findings_a_network_makes_no_more_and_others_do() {
        let (variety, now) = (Variety::new(OF_ALL), Instant::now());
        for number in 0..OF_NETWORK {
            assert!(told(&variety, ONE, number, now));
        }
        assert!(!told(&variety, ONE, OF_NETWORK, now));
        assert!(told(&variety, ONE, 7, now), "it is known already");
        assert!(told(&variety, OTHER, OF_NETWORK, now));
    }

    #[test]
    fn the_count_begins_anew_after_an_hour() {
        let (variety, now) = (Variety::new(OF_ALL), Instant::now());
        for number in 0..=OF_NETWORK {
            told(&variety, ONE, number, now);
        }
        assert!(!told(&variety, ONE, 1_000, now + WINDOW / 2));
        assert!(told(&variety, ONE, 1_000, now + WINDOW));
    }

    #[test]
    fn the_networks_of_one_owner_are_bounded_together() {
        let (variety, now) = (Variety::new(OF_ALL), Instant::now());
        let address = |network: u16| Ipv6Addr::new(0x2001, 0xdb8, 7, network, 0, 0, 0, 1);
        let alone = (0..60_000).filter(|network| told(&variety, address(*network), 1, now));
        assert_eq!(alone.count(), OF_OWNER);
        let of = Told::AmongThose {
            of: "2001:db8:7::/48".to_owned(),
            most: OF_OWNER,
        };
        assert_eq!(variety.told(Some(address(60_001).into()), "1", now), of);
        assert!(told(
            &variety,
            Ipv6Addr::new(0x2001, 0xdb8, 8, 0, 0, 0, 0, 1),
            1,
            now
        ));
    }

    #[test]
    fn all_networks_are_bounded_together_and_so_is_the_memory() {
        let (variety, now) = (Variety::new(OF_ALL), Instant::now());
        let address = |number: u32| Ipv4Addr::from(number << 8);
        let alone = (0..100_000).filter(|number| told(&variety, address(*number), 1, now));
        assert_eq!(alone.count(), OF_ALL);
        let among_all = Told::AmongAll { most: OF_ALL };
        assert_eq!(variety.told(Some(ONE.into()), "1", now), among_all);
        let window = variety
            .window
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        assert!(window.findings.len() <= OF_ALL && window.of.len() <= 2 * OF_ALL);
    }
}
