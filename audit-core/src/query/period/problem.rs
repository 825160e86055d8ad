//! What can be wrong with the text of a period.

use std::ops::Range;

/// A problem, and the bytes of the text that it is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::query) struct Fault {
    pub(in crate::query) span: Range<usize>,
    pub(in crate::query) problem: PeriodProblem,
}

impl Fault {
    pub(super) const fn new(span: Range<usize>, problem: PeriodProblem) -> Self {
        Self { span, problem }
    }

    /// The same fault in a text in which this many bytes precede.
    pub(super) fn after(self, bytes: usize) -> Self {
        Self::new(self.span.start + bytes..self.span.end + bytes, self.problem)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::query) enum PeriodProblem {
    #[error(
        "this is no period: write `2026`, `2026-03`, `2026-03-05`, `2026-03-05T10:30`, `2026-03..2026-04`, \
         `>=2026-03`, `7d` or `today`"
    )]
    Malformed,
    #[error("this is no period: did you mean `{0}`?")]
    Word(&'static str),
    #[error("the {name} has {width} digits: write `2026-03-05T10:30`")]
    Digits { name: &'static str, width: usize },
    #[error("the {name} is {low} to {high}")]
    Part {
        name: &'static str,
        low: u32,
        high: u32,
    },
    #[error("{year:04}-{month:02} has {days} days")]
    Day { year: u32, month: u32, days: u32 },
    #[error("the hour is 0 to 23: write the next day with the hour 00")]
    Hour24,
    #[error("the second is 0 to 59: the log has no leap seconds, write 59")]
    Second60,
    #[error("the fraction of a second has 1 to 9 digits")]
    Fraction,
    #[error("this is no offset: write `Z` or `+02:00`")]
    Offset,
    #[error("a day has no offset: write a time as well, such as `2026-03-05T00:00+02:00`")]
    OffsetOfDay,
    #[error("a time has no space: write `T` between the day and the hour")]
    Space,
    #[error("this is before the year 1 or after the year 9999, UTC")]
    Year,
    #[error("no time is after this: write `>=`, or an earlier time")]
    Last,
    #[error("the range ends before it begins: exchange its ends")]
    Reversed,
    #[error("a range has a begin or an end: write `a..b`, `a..` or `..b`")]
    NoEnd,
    #[error("a relative period is no end of a range: write a time, such as `2026-03-05`")]
    RelativeEnd,
    #[error("the number is 1 to {0}")]
    Amount(u32),
}
