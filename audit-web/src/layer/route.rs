//! The routes of requests, as named in events.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::Method;

/// The maximum number of path segments in a route, the empty one before the first slash included.
const SEGMENTS: usize = 5;

/// The maximum number of routes that are derived from paths within an hour.
const MOST: usize = 256;
const HOUR: Duration = Duration::from_hours(1);

/// Replaces further routes.
const OTHER: &str = "*";

/// The routes of this process. Clients choose the paths, and every route makes another event: their number is
/// bounded.
static DISTINCT_LABELS: Mutex<Option<LabeledRoute>> = Mutex::new(None);

struct LabeledRoute {
    since: Instant,
    routes: HashSet<String>,
}

/// The route of a path without a known pattern: the path, with numbers and ids replaced.
pub(super) fn guessed(path: &str) -> String {
    let words = path.split('/').take(SEGMENTS).map(|segment| {
        let is_word = segment.len() <= 64 && !segment.bytes().any(|byte| byte.is_ascii_digit());
        if is_word { segment } else { "*" }
    });
    let route = words.collect::<Vec<_>>().join("/");
    let mut distinguished = DISTINCT_LABELS
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let begun = || LabeledRoute {
        since: now,
        routes: HashSet::new(),
    };
    distinguished.get_or_insert_with(begun).bounded(route, now)
}

impl LabeledRoute {
    fn bounded(&mut self, route: String, now: Instant) -> String {
        if now.saturating_duration_since(self.since) >= HOUR {
            (self.since, self.routes) = (now, HashSet::new());
        }
        if self.routes.contains(&route) {
            return route;
        }
        if self.routes.len() >= MOST {
            return OTHER.to_owned();
        }
        self.routes.insert(route.clone());
        route
    }
}

/// The methods that are registered with IANA, and not constants of the crate `http`.
const REGISTERED: [&str; 31] = [
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "LOCK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PRI",
    "PROPFIND",
    "PROPPATCH",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// The method's name, if it is registered; clients may send any word.
pub(super) fn method(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::HEAD
        | Method::OPTIONS
        | Method::CONNECT
        | Method::PATCH
        | Method::TRACE => method.as_str(),
        _ if REGISTERED.contains(&method.as_str()) => method.as_str(),
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limited_number_of_routes_is_distinguished() {
        let since = Instant::now();
        let routes = HashSet::new();
        let mut distinguished = LabeledRoute { since, routes };
        let mut route = |number: usize, minute: u64| {
            let now = since + Duration::from_mins(minute);
            distinguished.bounded(format!("/{number}"), now)
        };
        let first: HashSet<_> = (0..2 * MOST).map(|number| route(number, 0)).collect();
        assert_eq!(first.len(), MOST + 1);
        assert_eq!(route(0, 59), "/0");
        assert_eq!(route(MOST, 59), OTHER);
        assert_eq!(route(MOST, 60), format!("/{MOST}"), "an hour later");
    }

    #[test]
    fn route_is_the_words_of_a_path() {
        for (path, route) in [
            ("/orders/7/lines", "/orders/*/lines"),
            ("/a/b/c/d/e/f", "/a/b/c/d"),
            ("/", "/"),
        ] {
            assert_eq!(guessed(path), route);
        }
        assert_eq!(guessed(&format!("/{}", "x".repeat(65))), "/*");
    }

    #[test]
    fn method_is_one_that_is_known() -> Result<(), http::method::InvalidMethod> {
        assert_eq!(method(&Method::PATCH), "PATCH");
        assert_eq!(method(&Method::from_bytes(b"PROPFIND")?), "PROPFIND");
        let own = Method::from_bytes("X".repeat(10_000).as_bytes())?;
        assert_eq!(method(&own), OTHER);
        Ok(())
    }
}
