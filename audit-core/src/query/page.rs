//! Pages of a search: [`PageQuery`] and [`Page`].
//!
//! A page is found by its place in the order of the records' numbers (keyset paging), so page 10,000 costs what page 1
//! costs. It examines a bounded number of records: where few of them match, it returns what it found, and a cursor that
//! continues the search.

mod cursor;

use sea_orm::{ConnectionTrait, DbErr};

use super::AuditQuery;
use super::condition::Place;
use super::walk::{Found, Walk};
use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::entity::audit_log;
pub use cursor::Cursor;
pub(in crate::query) use cursor::Direction;

/// Reads the records that an [`AuditQuery`] finds, page by page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is read until `first` or `at` is awaited"]
pub struct PageQuery {
    query: AuditQuery,
    size: u64,
    budget: u64,
}

/// Some of the records that a query finds, the newest first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Page {
    /// The records, in descending order of their numbers.
    pub records: Vec<audit_log::Model>,
    /// Continues with older records; `None` if there are none.
    pub older: Option<Cursor>,
    /// Continues with newer records; `None` if there were none. [`tail`](Self::tail) asks for them again.
    pub newer: Option<Cursor>,
    /// Reads records that are added after the newest one of this page.
    pub tail: Cursor,
    /// How many records were looked at, at most.
    pub examined: u64,
    /// Whether the page is full, or ends where the log ends. If not, the budget was used up: more may be found from the
    /// cursor on.
    pub complete: bool,
}

impl Page {
    /// How many records the page has.
    #[must_use]
    pub const fn found(&self) -> usize {
        self.records.len()
    }
}

impl AuditQuery {
    /// Begins to read the records that the query finds, 50 a page.
    ///
    /// # Examples
    /// ```
    /// use sea_orm_audit_core::AuditQuery;
    /// # use sea_orm::{DatabaseConnection, DbErr};
    /// # async fn all(db: &DatabaseConnection) -> Result<(), DbErr> {
    /// let pages = AuditQuery::new().model("order").actor("7").pages().size(100);
    /// let mut page = pages.first(db).await?;
    /// while let Some(older) = page.older {
    ///     page = pages.at(db, &older).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub const fn pages(self) -> PageQuery {
        PageQuery {
            query: self,
            size: 50,
            budget: BUDGET,
        }
    }
}

/// How many records a page, or an estimate, looks at.
pub(crate) const BUDGET: u64 = 100_000;
/// The largest page.
const MAX_SIZE: u64 = 1_000;

impl PageQuery {
    /// How many records a page has, 50 by default; from 1 to 1,000, else the nearest of these.
    pub fn size(mut self, records: u64) -> Self {
        self.size = records.clamp(1, MAX_SIZE);
        self
    }

    /// How many records are looked at for a page, 100,000 by default, and at least 1.
    ///
    /// A page that is not full then has `complete == false`, and a cursor to continue from.
    pub fn budget(mut self, records: u64) -> Self {
        self.budget = records.max(1);
        self
    }

    /// Reads the newest records.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn first<C: ConnectionTrait>(&self, db: &C) -> Result<Page, DbErr> {
        Binding::to(db).scope(self.read(db, None)).await
    }

    /// Reads the page of a cursor of this query.
    ///
    /// The pages that follow a cursor have no record twice, and miss none that was there when the first was read. A record
    /// whose transaction is committed later may have a lower number than records of an earlier page.
    ///
    /// # Errors
    /// Returns the database's error, and [`AuditError::Cursor`](crate::AuditError::Cursor) if the cursor belongs to
    /// another query.
    pub async fn at<C: ConnectionTrait>(&self, db: &C, cursor: &Cursor) -> Result<Page, DbErr> {
        cursor.check(&self.query)?;
        Binding::to(db).scope(self.read(db, Some(cursor))).await
    }

    async fn read<C: ConnectionTrait>(
        &self,
        db: &C,
        cursor: Option<&Cursor>,
    ) -> Result<Page, DbErr> {
        let place = Place {
            backend: db.get_database_backend(),
            now: cursor.map_or_else(|| AuditConfig::current().now(), |cursor| cursor.now),
        };
        let direction = cursor.map_or(Direction::Older, |cursor| cursor.direction);
        let beyond = cursor.map(|cursor| cursor.beyond);
        let walk = Walk::new(db, &self.query, place).await?;
        // One more shows whether there are others.
        let mut found = walk
            .read(direction, beyond, self.size + 1, self.budget)
            .await?;
        let is_full = found.records.len() as u64 > self.size;
        if is_full {
            found.records.pop();
        }
        Ok(self.page(found, is_full, (direction, beyond), place))
    }

    fn page(
        &self,
        found: Found,
        is_full: bool,
        (direction, beyond): (Direction, Option<i64>),
        place: Place,
    ) -> Page {
        let Found {
            mut records,
            examined,
            stopped,
        } = found;
        let cursor = |direction, beyond| Cursor::new(direction, beyond, place.now, &self.query);
        let last = records.last().map(|record| record.id);
        // Where the search continues in its direction.
        let onward = if is_full { last } else { stopped };
        if direction == Direction::Newer {
            records.reverse();
        }
        let newest = records.first().map(|record| record.id);
        let oldest = records.last().map(|record| record.id);
        // An empty page lies beside its cursor, whose own record is on the page that it came from.
        let (older, newer, seen) = match direction {
            Direction::Older => {
                let seen = newest.or(beyond.map(|beyond| beyond.saturating_sub(1)));
                (onward, beyond.and(seen), seen)
            }
            Direction::Newer => {
                let older = oldest.or(beyond.map(|beyond| beyond.saturating_add(1)));
                (older, onward, newest.or(stopped).or(beyond))
            }
        };
        Page {
            older: older.map(|id| cursor(Direction::Older, id)),
            newer: newer.map(|id| cursor(Direction::Newer, id)),
            tail: cursor(Direction::Newer, seen.unwrap_or(0)),
            examined,
            complete: stopped.is_none() || records.len() as u64 == self.size,
            records,
        }
    }
}

/// The newest record that a query finds before one number, among a bounded number of records.
#[cfg(feature = "statements")]
pub(crate) async fn newest_before<C: ConnectionTrait>(
    db: &C,
    query: &AuditQuery,
    id: i64,
) -> Result<Option<audit_log::Model>, DbErr> {
    let place = Place {
        backend: db.get_database_backend(),
        now: AuditConfig::current().now(),
    };
    let walk = Walk::new(db, query, place).await?;
    let found = walk.read(Direction::Older, Some(id), 1, BUDGET).await?;
    Ok(found.records.into_iter().next())
}
