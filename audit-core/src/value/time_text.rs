//! The text of dates and times, one form whichever crate they come from.

/// `2026-11-23`; years outside 0 to 9999 carry a sign, as in ISO 8601.
pub(super) fn date(year: i32, month: u32, day: u32) -> String {
    if (0..=9999).contains(&year) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:+05}-{month:02}-{day:02}")
    }
}

/// `04:05:06.123456`; 9 digits when the nanoseconds are not a whole number of microseconds.
///
/// A leap second, which chrono keeps as 10^9 nanoseconds and more, is second 60.
pub(super) fn time(hour: u32, minute: u32, second: u32, nanosecond: u32) -> String {
    let (second, nanosecond) = match nanosecond.checked_sub(1_000_000_000) {
        Some(rest) => (second + 1, rest),
        None => (second, nanosecond),
    };
    if nanosecond.is_multiple_of(1000) {
        let micros = nanosecond / 1000;
        format!("{hour:02}:{minute:02}:{second:02}.{micros:06}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}.{nanosecond:09}")
    }
}

/// A date and a time without a zone.
pub(super) fn date_time(date: &str, time: &str) -> String {
    format!("{date}T{time}")
}

/// A date and time in UTC.
pub(super) fn instant(utc: &str) -> String {
    format!("{utc}Z")
}
