//! Tests of the monitor.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::SecurityRules;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const MINUTE: Duration = Duration::from_mins(1);

fn monitor(count: u32, keys: usize) -> Result<BurstMonitor, crate::SecurityRulesError> {
    let builder = Burst::ALL
        .into_iter()
        .fold(SecurityRules::builder(), |builder, burst| {
            builder.burst(burst, count, MINUTE)
        });
    Ok(builder.burst_keys(keys).build()?.burst_monitor())
}

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from(number).into()
}

#[test]
fn burst_fires_once_per_window() -> TestResult {
    let (monitor, start) = (monitor(3, 100)?, Instant::now());
    let miss = |second| {
        let now = start + Duration::from_secs(second);
        monitor
            .observe_status(v4(1), StatusCode::NOT_FOUND, now)
            .is_some()
    };
    let fired: Vec<_> = [0, 1, 2, 3, 59].into_iter().map(miss).collect();
    assert_eq!(fired, [false, false, true, false, false]);
    let fired: Vec<_> = [60, 61, 119, 120].into_iter().map(miss).collect();
    assert_eq!(fired, [false, false, true, false]);
    Ok(())
}

#[test]
fn each_status_has_its_own_counter_and_word() -> TestResult {
    let (monitor, now) = (monitor(2, 100)?, Instant::now());
    let event = |status| {
        monitor
            .observe_status(v4(1), status, now)
            .map(|finding| finding.event)
    };
    assert_eq!(event(StatusCode::OK), None);
    assert_eq!(event(StatusCode::NOT_FOUND), None);
    assert_eq!(event(StatusCode::UNAUTHORIZED), None);
    assert_eq!(
        event(StatusCode::FORBIDDEN),
        Some(SecurityEventName::AuthzFail)
    );
    assert_eq!(
        event(StatusCode::NOT_FOUND),
        Some(SecurityEventName::MaliciousExcess404)
    );
    Ok(())
}

#[test]
fn failed_logins_are_counted_per_user_and_per_address() -> TestResult {
    let (monitor, now) = (monitor(2, 100)?, Instant::now());
    let rules = |user, address| -> Vec<_> {
        let found = monitor.observe_failed_login(user, address, now);
        found.map(|finding| finding.rule.into_owned()).collect()
    };
    assert!(rules(Some("Ann"), Some(v4(1))).is_empty());
    assert_eq!(rules(Some(" ann "), Some(v4(2))), ["burst-logins-of-user"]);
    assert_eq!(
        rules(Some("bob"), Some(v4(2))),
        ["burst-logins-from-address"]
    );
    assert!(rules(None, None).is_empty());
    Ok(())
}

#[test]
fn network_of_ipv6_is_one_address() -> TestResult {
    let (monitor, now) = (monitor(2, 100)?, Instant::now());
    let miss = |address| {
        monitor
            .observe_status(address, StatusCode::NOT_FOUND, now)
            .is_some()
    };
    let v6 = |network, host| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, host));
    assert!(!miss(v6(1, 1)) && !miss(v6(2, 1)));
    assert!(miss(v6(1, 2)));
    assert!(!miss(v4(7)));
    assert!(miss(Ipv4Addr::from(7).to_ipv6_mapped().into()));
    Ok(())
}

#[test]
fn flood_of_addresses_neither_grows_the_table_nor_hides_a_burst() -> TestResult {
    let (monitor, now) = (monitor(20, 1_000)?, Instant::now());
    let miss = |number| {
        monitor
            .observe_status(v4(number), StatusCode::NOT_FOUND, now)
            .is_some()
    };
    let mut fired = miss(0) | miss(0);
    for number in 1..=200_000 {
        assert!(!miss(number));
        if number % 10_000 == 0 {
            fired |= miss(0);
        }
    }
    assert!(fired);
    let slots = monitor.slots.lock().map_err(|_| "poisoned")?;
    assert_eq!(slots.len(), 1_000);
    Ok(())
}

#[test]
fn place_whose_window_is_over_is_taken_first() -> TestResult {
    let (monitor, start) = (monitor(3, 8)?, Instant::now());
    let miss = |number, now| {
        monitor
            .observe_status(v4(number), StatusCode::NOT_FOUND, now)
            .is_some()
    };
    for number in 0..8 {
        assert!(!miss(number, start) && !miss(number, start));
    }
    let later = start + MINUTE;
    assert!(!miss(100, later) && !miss(101, later) && !miss(100, later));
    assert!(miss(100, later));
    Ok(())
}

#[test]
fn clock_that_goes_back_does_no_harm() -> TestResult {
    let (monitor, start) = (monitor(2, 8)?, Instant::now());
    let miss = |now| {
        monitor
            .observe_status(v4(1), StatusCode::FORBIDDEN, now)
            .is_some()
    };
    assert!(!miss(start + MINUTE));
    assert!(miss(start));
    Ok(())
}

#[test]
fn detail_states_the_limit_and_no_name() -> TestResult {
    let (monitor, now) = (monitor(1, 8)?, Instant::now());
    let found: Vec<_> = monitor
        .observe_failed_login(Some("hunter2"), None, now)
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].detail, "1 failed logins of one user within 60 s");
    Ok(())
}
