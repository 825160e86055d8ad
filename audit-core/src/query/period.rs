//! Periods of time as written: [`Period`].

mod moment;
mod problem;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate, TimeDelta};
use sea_orm::prelude::DateTimeUtc;

use super::error::{Problem, QueryError};
use super::suggest::nearest;
use moment::Moment;
pub(super) use moment::{END, FIRST};
pub(super) use problem::{Fault, PeriodProblem};

/// A period of time, kept as it is written.
///
/// | form | period |
/// |---|---|
/// | `2026`, `2026-03`, `2026-03-05`, `2026-03-05T10`, `2026-03-05T10:30`, `2026-03-05T10:30:15.5` | the whole of it: `2026-03` is a month, `15.5` a tenth of a second |
/// | `2026-03..2026-04`, `2026-03..`, `..2026-03` | from the begin of the first to the end of the last, both included |
/// | `>=2026-03`, `>2026-03` | from its begin on, from its end on |
/// | `<2026-03`, `<=2026-03` | before its begin, before its end |
/// | `30m`, `24h`, `7d` | from that many minutes, hours or times 24 hours ago on |
/// | `today`, `yesterday`, `this-week`, `this-month` | that day; from Monday to Sunday; the calendar month |
///
/// Times are UTC. A time of day may end with `Z` or with an offset such as `+02:00`. Years are 1 to 9999.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::Period;
/// # use sea_orm::prelude::DateTimeUtc;
/// let period: Period = "2026-03..2026-04".parse()?;
/// let (begin, end) = period.bounds(DateTimeUtc::UNIX_EPOCH);
/// assert_eq!(begin, Some("2026-03-01T00:00:00Z".parse()?));
/// assert_eq!(end, Some("2026-05-01T00:00:00Z".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period(Form);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Whole(Moment),
    Range(Option<Moment>, Option<Moment>),
    Compared(Comparison, Moment),
    Last(u32, Unit),
    Named(Name),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// The longer signs first, since the others are their beginnings.
const COMPARISONS: [(&str, Comparison); 4] = [
    (">=", Comparison::GreaterOrEqual),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    ("<", Comparison::Less),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Minutes,
    Hours,
    Days,
}

const UNITS: [(char, Unit); 3] = [('m', Unit::Minutes), ('h', Unit::Hours), ('d', Unit::Days)];

/// 273 years of days.
const MAX_AMOUNT: u32 = 99_999;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Name {
    Today,
    Yesterday,
    ThisWeek,
    ThisMonth,
}

const NAMES: [(&str, Name); 4] = [
    ("today", Name::Today),
    ("yesterday", Name::Yesterday),
    ("this-week", Name::ThisWeek),
    ("this-month", Name::ThisMonth),
];

impl Period {
    /// The words that name a period, and examples of the relative forms.
    pub(super) const WORDS: [&'static str; 7] = [
        NAMES[0].0, NAMES[1].0, NAMES[2].0, NAMES[3].0, "30m", "24h", "7d",
    ];

    pub(super) fn since(time: DateTimeUtc) -> Self {
        Self(Form::Compared(
            Comparison::GreaterOrEqual,
            Moment::exactly(time),
        ))
    }

    pub(super) fn until(time: DateTimeUtc) -> Self {
        Self(Form::Compared(Comparison::Less, Moment::exactly(time)))
    }

    /// The begin of the period, which it includes, and its end, which it excludes; `None` where it has none.
    ///
    /// Relative periods are relative to `now`. Both bounds are of the years 1 to 9999, which every database supports: a
    /// period to the end of the year 9999 has no end.
    #[must_use]
    pub fn bounds(&self, now: DateTimeUtc) -> (Option<DateTimeUtc>, Option<DateTimeUtc>) {
        let (begin, end) = match self.0 {
            Form::Whole(moment) => (Some(moment.begin()), Some(moment.end())),
            Form::Range(first, last) => (
                first.map(|first| first.begin()),
                last.map(|last| last.end()),
            ),
            Form::Compared(comparison, moment) => match comparison {
                Comparison::Greater => (Some(moment.end()), None),
                Comparison::GreaterOrEqual => (Some(moment.begin()), None),
                Comparison::Less => (None, Some(moment.begin())),
                Comparison::LessOrEqual => (None, Some(moment.end())),
            },
            Form::Last(amount, unit) => (Some(ago(now, amount, unit)), None),
            Form::Named(name) => {
                // A day of a year far from 9999, so that the calendar has the next ones.
                let today = now.clamp(FIRST, END - TimeDelta::nanoseconds(1));
                let (first, after) = name.days(today.date_naive());
                (Some(midnight(first)), Some(midnight(after)))
            }
        };
        (
            begin.map(|begin| begin.clamp(FIRST, END - TimeDelta::microseconds(1))),
            end.filter(|end| *end < END),
        )
    }

    /// Reads a period. The bytes of a fault are those of `text`.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let form = if let Some((first, last)) = text.split_once("..") {
            range(first, last)?
        } else if let Some((sign, comparison)) = COMPARISONS
            .into_iter()
            .find(|(sign, _)| text.starts_with(sign))
        {
            let after = &text[sign.len()..];
            let moment = Moment::parse(after).map_err(|fault| {
                if after.is_empty() {
                    Fault::new(0..text.len(), PeriodProblem::Malformed)
                } else {
                    fault.after(sign.len())
                }
            })?;
            if comparison == Comparison::Greater && moment.end() >= END {
                return Err(Fault::new(0..text.len(), PeriodProblem::Last));
            }
            Form::Compared(comparison, moment)
        } else if let Some(relative) = relative(text) {
            relative?
        } else {
            Form::Whole(Moment::parse(text).map_err(|fault| word_fault(text, fault))?)
        };
        Ok(Self(form))
    }
}

/// The time so long ago, or the first that every database supports.
fn ago(now: DateTimeUtc, amount: u32, unit: Unit) -> DateTimeUtc {
    let amount = i64::from(amount);
    let length = match unit {
        Unit::Minutes => TimeDelta::try_minutes(amount),
        Unit::Hours => TimeDelta::try_hours(amount),
        Unit::Days => TimeDelta::try_days(amount),
    };
    length
        .and_then(|length| now.checked_sub_signed(length))
        .unwrap_or(FIRST)
}

fn midnight(day: NaiveDate) -> DateTimeUtc {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}

impl Name {
    /// The first day, and the day after the last one.
    fn days(self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
        let before = |days: u32| {
            let days = Days::new(u64::from(days));
            today.checked_sub_days(days).unwrap_or(today)
        };
        let after = |day: NaiveDate, days| day.checked_add_days(Days::new(days)).unwrap_or(day);
        match self {
            Self::Today => (today, after(today, 1)),
            Self::Yesterday => (before(1), today),
            Self::ThisWeek => {
                let monday = before(today.weekday().num_days_from_monday());
                (monday, after(monday, 7))
            }
            Self::ThisMonth => {
                let first = before(today.day0());
                let next = first.checked_add_months(Months::new(1));
                (first, next.unwrap_or(first))
            }
        }
    }
}

fn range(first: &str, last: &str) -> Result<Form, Fault> {
    let last_at = first.len() + "..".len();
    let whole = 0..last_at + last.len();
    if first.is_empty() && last.is_empty() {
        return Err(Fault::new(whole, PeriodProblem::NoEnd));
    }
    let moment = |text: &str, at: usize| {
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(Ok(_)) = relative(text) {
            let whole = at..at + text.len();
            return Err(Fault::new(whole, PeriodProblem::RelativeEnd));
        }
        let moment = Moment::parse(text).map_err(|fault| fault.after(at))?;
        Ok(Some(moment))
    };
    let (first, last) = (moment(first, 0)?, moment(last, last_at)?);
    if let (Some(first), Some(last)) = (first, last)
        && first.begin() >= last.end()
    {
        return Err(Fault::new(whole, PeriodProblem::Reversed));
    }
    Ok(Form::Range(first, last))
}

/// A name, or an amount with its unit; `None` where the text looks like neither.
fn relative(text: &str) -> Option<Result<Form, Fault>> {
    let name = NAMES
        .iter()
        .find(|(word, _)| text.eq_ignore_ascii_case(word));
    if let Some(&(_, name)) = name {
        return Some(Ok(Form::Named(name)));
    }
    let (&(_, unit), digits) = UNITS.iter().find_map(|unit| {
        let digits = text.strip_suffix([unit.0, unit.0.to_ascii_uppercase()])?;
        Some((unit, digits))
    })?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(match digits.parse() {
        Ok(amount @ 1..=MAX_AMOUNT) => Ok(Form::Last(amount, unit)),
        _ => Err(Fault::new(
            0..digits.len(),
            PeriodProblem::Amount(MAX_AMOUNT),
        )),
    })
}

/// The fault of a text that may be meant as a word.
fn word_fault(text: &str, fault: Fault) -> Fault {
    let whole = 0..text.len();
    if text.starts_with(|char: char| char.is_ascii_digit()) {
        return fault;
    }
    let words = NAMES.iter().map(|(word, _)| *word);
    match nearest(text, words) {
        Some(word) => Fault::new(whole, PeriodProblem::Word(word)),
        None => Fault::new(whole, PeriodProblem::Malformed),
    }
}

impl FromStr for Period {
    type Err = QueryError;

    /// Reads a period in one of the forms above.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
            .map_err(|fault| QueryError::new(fault.span, Problem::period(text, fault.problem)))
    }
}

impl fmt::Display for Period {
    /// Writes the period as it was read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Whole(moment) => moment.fmt(f),
            Form::Range(first, last) => {
                if let Some(first) = first {
                    first.fmt(f)?;
                }
                f.write_str("..")?;
                last.map_or(Ok(()), |last| last.fmt(f))
            }
            Form::Compared(comparison, moment) => {
                let signs = COMPARISONS.iter().find(|(_, other)| other == comparison);
                f.write_str(signs.map_or("", |(sign, _)| sign))?;
                moment.fmt(f)
            }
            Form::Last(amount, unit) => {
                let unit = UNITS.iter().find(|(_, other)| other == unit);
                write!(f, "{amount}{}", unit.map_or('d', |(char, _)| *char))
            }
            Form::Named(name) => {
                let word = NAMES.iter().find(|(_, other)| other == name);
                f.write_str(word.map_or("", |(word, _)| word))
            }
        }
    }
}
