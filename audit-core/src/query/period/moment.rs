//! One time as written: a year, a month, a day, or a time of day with an optional offset.
//!
//! The forms are those of RFC 3339, and their beginnings. A *moment* here covers as much time as its text leaves open:
//! `2026-03` covers a month.

use std::fmt;

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use sea_orm::prelude::DateTimeUtc;

use super::problem::{Fault, PeriodProblem};

/// The first time that every database supports: the begin of the year 1.
pub(in crate::query) const FIRST: DateTimeUtc = at(-62_135_596_800);
/// The end of the year 9999: the first time that they do not support.
pub(in crate::query) const END: DateTimeUtc = at(253_402_300_800);

const fn at(second: i64) -> DateTimeUtc {
    match DateTimeUtc::from_timestamp(second, 0) {
        Some(time) => time,
        None => DateTimeUtc::UNIX_EPOCH,
    }
}

/// The last part that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// So many digits of the second's fraction, 1 to 9.
    Fraction(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Offset {
    /// Nothing is written, which is UTC.
    None,
    Z,
    /// Minutes east of UTC.
    Minutes(i16),
}

/// One time as written. Its begin and its end are of the years 1 to 9999, the end may also be that of 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Moment {
    /// The begin, at the offset.
    local: NaiveDateTime,
    precision: Precision,
    offset: Offset,
}

impl Moment {
    /// The moment of a time, to the nanosecond.
    pub(super) fn exactly(time: DateTimeUtc) -> Self {
        let nanosecond = TimeDelta::nanoseconds(1);
        let local = time.clamp(FIRST, END - nanosecond).naive_utc();
        // chrono represents a leap second as a nanosecond above a second. The log has none.
        let nanos = local.nanosecond().min(999_999_999);
        let mut digits = 9_u8;
        let mut rest = nanos;
        while digits > 0 && rest.is_multiple_of(10) {
            rest /= 10;
            digits -= 1;
        }
        Self {
            local: local.with_nanosecond(nanos).unwrap_or(local),
            precision: match digits {
                0 => Precision::Second,
                digits => Precision::Fraction(digits),
            },
            offset: Offset::Z,
        }
    }

    /// The first time that the moment covers.
    pub(super) fn begin(&self) -> DateTimeUtc {
        self.utc(self.local).max(FIRST)
    }

    /// The first time after it.
    pub(super) fn end(&self) -> DateTimeUtc {
        let after = match self.precision {
            Precision::Year => self.local.checked_add_months(Months::new(12)),
            Precision::Month => self.local.checked_add_months(Months::new(1)),
            Precision::Day => self.local.checked_add_signed(TimeDelta::days(1)),
            Precision::Hour => self.local.checked_add_signed(TimeDelta::hours(1)),
            Precision::Minute => self.local.checked_add_signed(TimeDelta::minutes(1)),
            Precision::Second => self.local.checked_add_signed(TimeDelta::seconds(1)),
            Precision::Fraction(digits) => {
                let nanos = 10_i64.pow(u32::from(9_u8.saturating_sub(digits)));
                self.local.checked_add_signed(TimeDelta::nanoseconds(nanos))
            }
        };
        after.map_or(END, |after| self.utc(after).min(END))
    }

    fn utc(&self, local: NaiveDateTime) -> DateTimeUtc {
        let minutes = match self.offset {
            Offset::None | Offset::Z => 0,
            Offset::Minutes(minutes) => minutes,
        };
        // A day at most, within a calendar of 262,000 years.
        (local - TimeDelta::minutes(i64::from(minutes))).and_utc()
    }

    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut scan = Scan { text, at: 0 };
        let mut precision = Precision::Year;
        let (mut month, mut day) = (1, 1);
        let (mut hour, mut minute, mut second, mut nanos) = (0, 0, 0, 0);
        let mut offset = Offset::None;
        let year = scan.number(&YEAR)?;
        if scan.take("-") {
            precision = Precision::Month;
            month = scan.number(&MONTH)?;
            if scan.take("-") {
                precision = Precision::Day;
                day = scan.day(year, month)?;
                if scan.take("Tt") {
                    precision = Precision::Hour;
                    hour = scan.number(&HOUR)?;
                    if scan.take(":") {
                        precision = Precision::Minute;
                        minute = scan.number(&MINUTE)?;
                        if scan.take(":") {
                            precision = Precision::Second;
                            second = scan.number(&SECOND)?;
                            if scan.take(".") {
                                let (value, digits) = scan.fraction()?;
                                precision = Precision::Fraction(digits);
                                nanos = value;
                            }
                        }
                    }
                    offset = scan.offset()?;
                }
            }
        }
        if !scan.rest().is_empty() {
            return Err(scan.rest_fault());
        }
        let local = i32::try_from(year).ok().and_then(|year| {
            NaiveDate::from_ymd_opt(year, month, day)?.and_hms_nano_opt(hour, minute, second, nanos)
        });
        let whole = 0..text.len();
        let local = local.ok_or_else(|| Fault::new(whole.clone(), PeriodProblem::Malformed))?;
        let moment = Self {
            local,
            precision,
            offset,
        };
        if !(FIRST..END).contains(&moment.utc(local)) {
            return Err(Fault::new(whole, PeriodProblem::Year));
        }
        Ok(moment)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.local;
        write!(f, "{:04}", local.year())?;
        let parts = match self.precision {
            Precision::Year => 0,
            Precision::Month => 1,
            Precision::Day => 2,
            Precision::Hour => 3,
            Precision::Minute => 4,
            Precision::Second | Precision::Fraction(_) => 5,
        };
        let written = [
            ('-', local.month()),
            ('-', local.day()),
            ('T', local.hour()),
            (':', local.minute()),
            (':', local.second()),
        ];
        for (separator, part) in written.into_iter().take(parts) {
            write!(f, "{separator}{part:02}")?;
        }
        if let Precision::Fraction(digits) = self.precision {
            let nanos = format!("{:09}", local.nanosecond());
            write!(f, ".{}", &nanos[..usize::from(digits.min(9))])?;
        }
        match self.offset {
            Offset::None => Ok(()),
            Offset::Z => f.write_str("Z"),
            Offset::Minutes(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.unsigned_abs();
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// A part of a moment: its name, its digits, and its first and last value.
struct Part(&'static str, usize, u32, u32);

const YEAR: Part = Part("year", 4, 1, 9999);
const MONTH: Part = Part("month", 2, 1, 12);
const DAY: Part = Part("day", 2, 1, 31);
const HOUR: Part = Part("hour", 2, 0, 23);
const MINUTE: Part = Part("minute", 2, 0, 59);
const SECOND: Part = Part("second", 2, 0, 59);

struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes one of these characters.
    fn take(&mut self, chars: &str) -> bool {
        let found = self.rest().starts_with(|char| chars.contains(char));
        // They are ASCII.
        self.at += usize::from(found);
        found
    }

    /// Passes all digits that follow.
    fn digits(&mut self) -> &'a str {
        let rest = self.rest();
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        &rest[..count]
    }

    fn number(&mut self, part: &Part) -> Result<u32, Fault> {
        let &Part(name, width, low, high) = part;
        let begin = self.at;
        let digits = self.digits();
        if digits.len() != width {
            return Err(self.width_fault(begin, PeriodProblem::Digits { name, width }));
        }
        match digits.parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(number),
            Ok(24) if name == HOUR.0 => Err(Fault::new(begin..self.at, PeriodProblem::Hour24)),
            Ok(60) if name == SECOND.0 => Err(Fault::new(begin..self.at, PeriodProblem::Second60)),
            _ => {
                let problem = PeriodProblem::Part { name, low, high };
                Err(Fault::new(begin..self.at, problem))
            }
        }
    }

    fn day(&mut self, year: u32, month: u32) -> Result<u32, Fault> {
        let begin = self.at;
        let day = self.number(&DAY)?;
        let first = i32::try_from(year).ok();
        let first = first.and_then(|year| NaiveDate::from_ymd_opt(year, month, 1));
        let days = first.map_or(31, |first| u32::from(first.num_days_in_month()));
        if day > days {
            let problem = PeriodProblem::Day { year, month, days };
            return Err(Fault::new(begin..self.at, problem));
        }
        Ok(day)
    }

    /// The nanoseconds of a fraction, and how many digits are written.
    fn fraction(&mut self) -> Result<(u32, u8), Fault> {
        let begin = self.at;
        let digits = self.digits();
        let count = u8::try_from(digits.len()).unwrap_or(u8::MAX);
        match digits.parse::<u32>() {
            Ok(number) if count <= 9 => Ok((number * 10_u32.pow(u32::from(9 - count)), count)),
            _ => Err(self.width_fault(begin, PeriodProblem::Fraction)),
        }
    }

    fn offset(&mut self) -> Result<Offset, Fault> {
        let begin = self.at;
        if self.take("Zz") {
            return Ok(Offset::Z);
        }
        let sign = match self.rest().as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Ok(Offset::None),
        };
        self.at += 1;
        let fault = |scan: &Self| Fault::new(begin..scan.text.len(), PeriodProblem::Offset);
        let hours = self.number(&HOUR).map_err(|_| fault(self))?;
        if !self.take(":") {
            return Err(fault(self));
        }
        let minutes = self.number(&MINUTE).map_err(|_| fault(self))?;
        let minutes = i16::try_from(hours * 60 + minutes).map_err(|_| fault(self))?;
        Ok(Offset::Minutes(sign * minutes))
    }

    /// The fault at digits that are too few or too many, or at what is there in place of them.
    fn width_fault(&self, begin: usize, problem: PeriodProblem) -> Fault {
        let next = self.rest().chars().next().map_or(0, char::len_utf8);
        let end = if self.at > begin {
            self.at
        } else {
            self.at + next
        };
        if begin == end {
            Fault::new(0..self.text.len(), problem)
        } else {
            Fault::new(begin..end, problem)
        }
    }

    /// The fault at what follows a moment.
    fn rest_fault(&self) -> Fault {
        let rest = self.rest();
        let problem = if rest.starts_with(' ') {
            PeriodProblem::Space
        } else if rest.starts_with(['Z', 'z', '+']) {
            PeriodProblem::OffsetOfDay
        } else {
            PeriodProblem::Malformed
        };
        Fault::new(self.at..self.text.len(), problem)
    }
}
