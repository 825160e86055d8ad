//! Counting refused requests and failed logins, in bounded memory.
//!
//! A *burst* is a given number of events of one kind from one address, or about one user, within one window. The
//! window opens with the first event and does not slide: up to twice the count less two events can occur around its
//! end without a burst. A burst fires once per key and window.
//!
//! # Bounds
//! The table stores a fixed number of keys, in sets of eight. A keyed hash chooses the set, so no client can target a
//! set. A new key in a full set replaces an entry whose window is over, else the entry with the lowest count, the
//! oldest of equals. So addresses with one request each compete for one entry of each set, however many they are:
//! they displace at most one address with two requests, the weakest of eight. To displace a count of `n`, eight other
//! keys of the set must have reached `n`, and would be bursts themselves. A displaced key starts again at one: a
//! flood can delay a burst, but cannot forge one.
//!
//! One mutex guards the table. Only refused requests and failed logins take it, for a hash and
//! eight comparisons.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use sea_orm_audit_core::network_of;

use super::event::SecurityEventName;
use super::finding::Finding;

const WAYS: usize = 8;
const DEFAULT_KEYS: usize = 10_000;
/// The number of characters of a user name that are hashed: the name is client input.
const NAME_CHARS: usize = 256;

/// The kinds of bursts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Burst {
    /// 401 or 403 for one address: 20 within 60 seconds by default.
    Refused,
    /// 404 for one address: 40 within 60 seconds by default.
    NotFound,
    /// Failed logins of one user from any address: 5 within 300 seconds by default.
    LoginsOfUser,
    /// Failed logins from one address, of any user: 20 within 300 seconds by default.
    LoginsFromAddress,
}

impl Burst {
    const ALL: [Self; 4] = [
        Self::Refused,
        Self::NotFound,
        Self::LoginsOfUser,
        Self::LoginsFromAddress,
    ];

    /// Returns the rule name in findings, which never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "burst-refused",
            Self::NotFound => "burst-not-found",
            Self::LoginsOfUser => "burst-logins-of-user",
            Self::LoginsFromAddress => "burst-logins-from-address",
        }
    }

    /// The burst that a response with this status counts for.
    pub(super) const fn of_status(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(Self::Refused),
            StatusCode::NOT_FOUND => Some(Self::NotFound),
            _ => None,
        }
    }

    const fn event(self) -> SecurityEventName {
        match self {
            Self::Refused => SecurityEventName::AuthzFail,
            Self::NotFound => SecurityEventName::MaliciousExcess404,
            Self::LoginsOfUser | Self::LoginsFromAddress => SecurityEventName::AuthnLoginFailMax,
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Refused => "refused requests (401, 403) from one address",
            Self::NotFound => "requests for what does not exist (404) from one address",
            Self::LoginsOfUser => "failed logins of one user",
            Self::LoginsFromAddress => "failed logins from one address",
        }
    }
}

impl fmt::Display for Burst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number of events within a window that make a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BurstLimit {
    /// The number of the event that fires the burst: with 5, the fifth fires.
    pub count: u32,
    /// How long events are counted after the first.
    pub window: Duration,
}

/// The limits of all bursts, and the number of keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct BurstLimits {
    limits: [BurstLimit; 4],
    pub(super) keys: usize,
}

impl Default for BurstLimits {
    fn default() -> Self {
        let limit = |count, seconds| BurstLimit {
            count,
            window: Duration::from_secs(seconds),
        };
        Self {
            limits: [limit(20, 60), limit(40, 60), limit(5, 300), limit(20, 300)],
            keys: DEFAULT_KEYS,
        }
    }
}

impl BurstLimits {
    fn of(&self, burst: Burst) -> BurstLimit {
        self.limits[burst as usize]
    }

    pub(super) fn set(&mut self, burst: Burst, limit: BurstLimit) {
        self.limits[burst as usize] = limit;
    }

    /// Returns a burst with an invalid limit.
    pub(super) fn unusable(&self) -> Option<Burst> {
        let zero = |burst: &Burst| self.of(*burst).count == 0 || self.of(*burst).window.is_zero();
        Burst::ALL.into_iter().find(zero)
    }
}

/// Counts refused requests and failed logins, and reports when they become a burst.
///
/// The caller provides the clock: every method takes the time.
#[derive(Debug)]
pub struct BurstMonitor {
    limits: BurstLimits,
    hasher: RandomState,
    slots: Mutex<Box<[Slot]>>,
}

/// A counter; a count of zero marks a free entry.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// 128 bits of keyed hash: two keys that share them would be counted as one.
    key: u128,
    since: Option<Instant>,
    count: u32,
    burst: Burst,
}

impl BurstMonitor {
    pub(super) fn new(limits: BurstLimits) -> Self {
        let empty = Slot {
            key: 0,
            since: None,
            count: 0,
            burst: Burst::Refused,
        };
        let places = limits.keys.max(1).div_ceil(WAYS) * WAYS;
        Self {
            limits,
            hasher: RandomState::new(),
            slots: Mutex::new(vec![empty; places].into()),
        }
    }

    /// Counts a response, and returns a finding when it completes a burst of 401 and 403, or of
    /// 404.
    ///
    /// Other statuses are not counted and cost nothing. IPv6 addresses are counted per /64, the size of one
    /// customer's network; an IPv4 address inside IPv6 counts as IPv4.
    pub fn observe_status(
        &self,
        address: IpAddr,
        status: StatusCode,
        now: Instant,
    ) -> Option<Finding> {
        self.observe(Burst::of_status(status)?, address, now)
    }

    pub(super) fn observe(&self, burst: Burst, address: IpAddr, now: Instant) -> Option<Finding> {
        self.count(burst, self.address_key(burst, address), now)
    }

    /// Counts a failed login, and returns a finding for the user and one for the address when it
    /// completes their bursts.
    ///
    /// Names are compared without case and surrounding white space, and only their keyed hash is
    /// kept. The finding does not repeat the name, which sometimes is a password typed into the
    /// wrong field. Where the account is known, and clients may type its name in several ways, give its id.
    pub fn observe_failed_login(
        &self,
        user: Option<&str>,
        address: Option<IpAddr>,
        now: Instant,
    ) -> impl Iterator<Item = Finding> + use<> {
        let user = user.map(|user| self.user_key(user));
        self.observe_login_of(user, address, now)
    }

    /// As `observe_failed_login`, for a name that belongs to an account: all names of an account are counted together.
    pub(super) fn observe_failed_login_of(
        &self,
        (kind, id): (&str, &str),
        address: Option<IpAddr>,
        now: Instant,
    ) -> impl Iterator<Item = Finding> + use<> {
        let account = self.key((Burst::LoginsOfUser, kind, id));
        self.observe_login_of(Some(account), address, now)
    }

    fn observe_login_of(
        &self,
        user: Option<u128>,
        address: Option<IpAddr>,
        now: Instant,
    ) -> impl Iterator<Item = Finding> + use<> {
        let user = user.and_then(|key| self.count(Burst::LoginsOfUser, key, now));
        let address = address.and_then(|address| {
            let key = self.address_key(Burst::LoginsFromAddress, address);
            self.count(Burst::LoginsFromAddress, key, now)
        });
        user.into_iter().chain(address)
    }

    fn address_key(&self, burst: Burst, address: IpAddr) -> u128 {
        self.key((burst, network_of(address)))
    }

    fn user_key(&self, user: &str) -> u128 {
        let chars = user.trim().chars().take(NAME_CHARS);
        let name: String = chars.flat_map(char::to_lowercase).collect();
        self.key((Burst::LoginsOfUser, name))
    }

    fn key(&self, of: impl Hash) -> u128 {
        let half = |number: u8| u128::from(self.hasher.hash_one((number, &of)));
        half(0) << 64 | half(1)
    }

    fn count(&self, burst: Burst, key: u128, now: Instant) -> Option<Finding> {
        let limit = self.limits.of(burst);
        // A panic cannot leave an incomplete counter: continue to count.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let sets = slots.len() / WAYS;
        let set = usize::try_from(key % sets as u128).unwrap_or_default() * WAYS;
        let set = &mut slots[set..set + WAYS];
        let place = set
            .iter()
            .position(|slot| slot.count > 0 && slot.key == key)
            .unwrap_or_else(|| self.weakest(set, now));
        let slot = &mut set[place];
        if slot.count == 0 || slot.key != key || self.is_over(slot, now) {
            *slot = Slot {
                key,
                since: Some(now),
                count: 0,
                burst,
            };
        }
        slot.count = slot.count.saturating_add(1);
        (slot.count == limit.count).then(|| {
            let detail = format!(
                "{} {} within {} s",
                limit.count,
                burst.what(),
                limit.window.as_secs_f64()
            );
            Finding::stating(burst.event(), burst.as_str().into(), detail)
        })
    }

    /// Chooses the entry that a new key replaces.
    fn weakest(&self, set: &[Slot], now: Instant) -> usize {
        let strength = |slot: &Slot| {
            let count = if self.is_over(slot, now) {
                0
            } else {
                slot.count
            };
            (count, slot.since)
        };
        (0..set.len())
            .min_by_key(|place| strength(&set[*place]))
            .unwrap_or_default()
    }

    fn is_over(&self, slot: &Slot, now: Instant) -> bool {
        let age = slot.since.map(|since| now.saturating_duration_since(since));
        age.is_none_or(|age| age >= self.limits.of(slot.burst).window)
    }
}

#[cfg(test)]
#[path = "bursts_test.rs"]
mod tests;
