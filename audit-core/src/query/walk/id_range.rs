//! The range of numbers that the records of a period have.
//!
//! Numbers grow with time, so the first record of a period is found by interpolation, in a few reads of the primary key.
//! The two do not agree exactly: a record has the time of its statement, and its number from when it is written, which
//! for a transaction may be at its COMMIT; and clocks differ. So the range is extended by a day on both sides.

use chrono::TimeDelta;
use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use crate::entity::audit_log::{self, Column as C};
use crate::query::AuditQuery;
use crate::query::condition::Place;
use crate::query::filter::Condition;
use crate::query::page::Direction;

/// By how much a record's time may differ from those of the records with numbers around its own.
pub(in crate::query) const SLACK: TimeDelta = TimeDelta::days(1);

/// Numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) struct IdRange {
    pub(in crate::query) first: i64,
    pub(in crate::query) last: i64,
}

impl IdRange {
    const ALL: Self = Self {
        first: i64::MIN,
        last: i64::MAX,
    };

    pub(in crate::query) const fn is_empty(self) -> bool {
        self.first > self.last
    }

    /// The part beyond a number.
    pub(super) fn beyond(self, direction: Direction, id: Option<i64>) -> Self {
        const NONE: IdRange = IdRange { first: 1, last: 0 };
        let Some(id) = id else {
            return self;
        };
        let next = match direction {
            Direction::Older => id.checked_sub(1).map(|last| Self {
                last: Ord::min(last, self.last),
                ..self
            }),
            Direction::Newer => id.checked_add(1).map(|first| Self {
                first: Ord::max(first, self.first),
                ..self
            }),
        };
        next.unwrap_or(NONE)
    }

    /// The part up to a number, that included.
    pub(super) const fn until(self, direction: Direction, id: i64) -> Self {
        match direction {
            Direction::Older => Self { first: id, ..self },
            Direction::Newer => Self { last: id, ..self },
        }
    }

    /// The number with which a walk through the range ends.
    pub(super) const fn edge(self, direction: Direction) -> i64 {
        match direction {
            Direction::Older => self.first,
            Direction::Newer => self.last,
        }
    }

    /// Only the records of the range.
    pub(super) fn limit(self, mut records: Select<audit_log::Entity>) -> Select<audit_log::Entity> {
        if self.first != i64::MIN {
            records = records.filter(C::Id.gte(self.first));
        }
        if self.last != i64::MAX {
            records = records.filter(C::Id.lte(self.last));
        }
        records
    }
}

/// The range of all periods of a query; all numbers without any.
pub(super) async fn of_query<Db: ConnectionTrait>(
    db: &Db,
    query: &AuditQuery,
    place: Place,
    slack: TimeDelta,
) -> Result<IdRange, DbErr> {
    let (mut since, mut until) = (None, None);
    for filter in query.filters().iter().filter(|filter| !filter.negated) {
        if let Condition::Created(period) = &filter.condition {
            let (begin, end) = period.bounds(place.now);
            since = Ord::max(since, begin);
            until = match (until, end) {
                (Some(a), Some(b)) => Some(std::cmp::min::<DateTimeUtc>(a, b)),
                (a, b) => a.or(b),
            };
        }
    }
    let mut ids = IdRange::ALL;
    if since.is_none() && until.is_none() {
        return Ok(ids);
    }
    let Some((oldest, newest)) = ends(db).await? else {
        return Ok(ids);
    };
    if let Some(since) = since.and_then(|time| time.checked_sub_signed(slack)) {
        ids.first = around(db, since, oldest, newest).await?.0;
    }
    if let Some(until) = until.and_then(|time| time.checked_add_signed(slack)) {
        ids.last = around(db, until, oldest, newest).await?.1;
    }
    Ok(ids)
}

/// The number of the first record of a time later than this one; `None` if there is none.
#[cfg(feature = "statements")]
pub(crate) async fn first_later<Db: ConnectionTrait>(
    db: &Db,
    time: DateTimeUtc,
) -> Result<Option<i64>, DbErr> {
    let Some((oldest, newest)) = ends(db).await? else {
        return Ok(None);
    };
    let begin = match time.checked_sub_signed(SLACK) {
        Some(since) => around(db, since, oldest, newest).await?.0,
        None => i64::MIN,
    };
    let records = audit_log::Entity::find()
        .filter(C::Id.gte(begin))
        .filter(C::OccurredAt.gt(time))
        .order_by_asc(C::Id);
    let first = point(db, super::along_numbers(records, db.get_database_backend())).await?;
    Ok(first.map(|first| first.id))
}

/// A range without the numbers before the first record and after the last.
pub(super) async fn within<Db: ConnectionTrait>(db: &Db, ids: IdRange) -> Result<IdRange, DbErr> {
    Ok(match ends(db).await? {
        Some((oldest, newest)) => intersection(
            ids,
            IdRange {
                first: oldest.id,
                last: newest.id,
            },
        ),
        None => ids,
    })
}

pub(super) fn intersection(a: IdRange, b: IdRange) -> IdRange {
    IdRange {
        first: Ord::max(a.first, b.first),
        last: Ord::min(a.last, b.last),
    }
}

/// A record's number and time.
#[derive(Debug, Clone, Copy)]
struct Point {
    id: i64,
    time: DateTimeUtc,
}

/// The oldest and the newest record; `None` for an empty log.
async fn ends<Db: ConnectionTrait>(db: &Db) -> Result<Option<(Point, Point)>, DbErr> {
    let oldest = point(db, audit_log::Entity::find().order_by_asc(C::Id)).await?;
    let newest = point(db, audit_log::Entity::find().order_by_desc(C::Id)).await?;
    Ok(oldest.zip(newest))
}

async fn point<Db: ConnectionTrait>(
    db: &Db,
    records: Select<audit_log::Entity>,
) -> Result<Option<Point>, DbErr> {
    let records = records
        .select_only()
        .column(C::Id)
        .column(C::OccurredAt)
        .limit(1);
    let found: Option<(i64, DateTimeUtc)> = records.into_tuple().one(db).await?;
    Ok(found.map(|(id, time)| Point { id, time }))
}

/// Two numbers that are near to each other: records up to the first are of before this time, and records from the
/// second on are of this time or later, as far as numbers grow with time.
async fn around<Db: ConnectionTrait>(
    db: &Db,
    time: DateTimeUtc,
    oldest: Point,
    newest: Point,
) -> Result<(i64, i64), DbErr> {
    /// A range that is small enough.
    const NEAR: i64 = 500;
    let (mut low, mut high) = (oldest, newest);
    if time <= low.time {
        return Ok((i64::MIN, low.id));
    }
    if time > high.time {
        return Ok((high.id, i64::MAX));
    }
    // Interpolation needs few steps where the log grows evenly; each other step halves the range in any case.
    let mut halves = false;
    while high.id.saturating_sub(low.id) > NEAR {
        let middle = if halves {
            low.id + (high.id - low.id) / 2
        } else {
            between(low, high, time)
        };
        halves = !halves;
        let records = audit_log::Entity::find()
            .filter(C::Id.gte(middle))
            .filter(C::Id.lt(high.id));
        match point(db, records.order_by_asc(C::Id)).await? {
            Some(found) if found.time < time => low = found,
            // Numbers between are missing.
            Some(found) => {
                high = Point {
                    id: middle,
                    time: found.time,
                }
            }
            None => high.id = middle,
        }
    }
    Ok((low.id, high.id))
}

/// The number that a record of this time has if the log grows evenly.
fn between(low: Point, high: Point, time: DateTimeUtc) -> i64 {
    let length = |to: DateTimeUtc| i128::from((to - low.time).num_milliseconds());
    let width = high.id - low.id;
    let step = i128::from(width) * length(time) / Ord::max(length(high.time), 1);
    let step = i64::try_from(step).unwrap_or(width);
    low.id + Ord::clamp(step, 1, width - 1)
}
