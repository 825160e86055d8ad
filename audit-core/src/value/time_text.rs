//! The text of dates and times, one form for the types of every crate.
//!
//! Written digit by digit: `format!` takes six times as long, and rows are full of times.

/// The capacity for any text but that of a year beyond 9999.
const LENGTH: usize = "2026-11-23T04:05:06.123456789Z".len();

/// A date, a time, or a date and then a time.
pub(super) struct TimeText(String);

impl TimeText {
    pub(super) fn new() -> Self {
        Self(String::with_capacity(LENGTH))
    }

    /// Adds `2026-11-23`; years outside 0 to 9999 carry a sign, as in ISO 8601.
    pub(super) fn date(mut self, year: i32, month: u32, day: u32) -> Self {
        match year {
            ..0 => self.0.push('-'),
            0..=9999 => {}
            10_000.. => self.0.push('+'),
        }
        self.number(year.unsigned_abs(), 4);
        self.0.push('-');
        self.number(month, 2);
        self.0.push('-');
        self.number(day, 2);
        self
    }

    /// Adds `04:05:06.123456`, after a date `T04:05:06.123456`; 9 digits when the nanoseconds are
    /// not a whole number of microseconds.
    ///
    /// A leap second, which chrono keeps as 10^9 nanoseconds and more, is second 60.
    pub(super) fn time(mut self, hour: u32, minute: u32, second: u32, nanosecond: u32) -> Self {
        let (second, nanosecond) = match nanosecond.checked_sub(1_000_000_000) {
            Some(rest) => (second + 1, rest),
            None => (second, nanosecond),
        };
        if !self.0.is_empty() {
            self.0.push('T');
        }
        self.number(hour, 2);
        self.0.push(':');
        self.number(minute, 2);
        self.0.push(':');
        self.number(second, 2);
        self.0.push('.');
        if nanosecond.is_multiple_of(1000) {
            self.number(nanosecond / 1000, 6);
        } else {
            self.number(nanosecond, 9);
        }
        self
    }

    /// The text without a zone.
    pub(super) fn naive(self) -> String {
        self.0
    }

    /// The text of what is in UTC.
    pub(super) fn utc(mut self) -> String {
        self.0.push('Z');
        self.0
    }

    /// Adds a number in at least so many digits.
    fn number(&mut self, number: u32, digits: u32) {
        let mut place = 10_u32.pow(digits - 1);
        while number / 10 >= place {
            place *= 10;
        }
        while place > 0 {
            let digit = char::from_digit(number / place % 10, 10);
            self.0.push(digit.unwrap_or('0'));
            place /= 10;
        }
    }
}
