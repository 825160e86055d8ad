//! Past moments, and the records that come after them.

use std::fmt;

use sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::entity::audit_log::{self, Column as C};
use crate::error::AuditError;
use crate::query::first_later;

/// A past moment: a time, or the place of a record or of a transaction in the log.
///
/// At a time, the changes count whose statements ran at that time or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Time(DateTimeUtc),
    BeforeRecord(i64),
    AfterRecord(i64),
    BeforeTransaction(Uuid),
    AfterTransaction(Uuid),
}

impl Moment {
    /// A time.
    #[must_use]
    pub const fn time(time: DateTimeUtc) -> Self {
        Self(Kind::Time(time))
    }

    /// Before the change of the record with this number.
    #[must_use]
    pub const fn before_record(id: i64) -> Self {
        Self(Kind::BeforeRecord(id))
    }

    /// After the change of the record with this number.
    #[must_use]
    pub const fn after_record(id: i64) -> Self {
        Self(Kind::AfterRecord(id))
    }

    /// Before the first record of an audited transaction, by its `transaction_id`.
    #[must_use]
    pub const fn before_transaction(id: Uuid) -> Self {
        Self(Kind::BeforeTransaction(id))
    }

    /// After the last record of an audited transaction, by its `transaction_id`.
    #[must_use]
    pub const fn after_transaction(id: Uuid) -> Self {
        Self(Kind::AfterTransaction(id))
    }

    /// Where the moment lies in the log.
    pub(crate) async fn find<Db: ConnectionTrait>(self, db: &Db) -> Result<Place, DbErr> {
        let after = |id: Option<i64>| Place {
            first: id.unwrap_or(i64::MAX),
            time: None,
        };
        Ok(match self.0 {
            Kind::Time(time) => Place {
                time: Some(time),
                ..after(first_later(db, time).await?)
            },
            Kind::BeforeRecord(id) => after(Some(self.record(db, id).await?)),
            Kind::AfterRecord(id) => after(self.record(db, id).await?.checked_add(1)),
            Kind::BeforeTransaction(id) => after(Some(self.transaction(db, id).await?.0)),
            Kind::AfterTransaction(id) => after(self.transaction(db, id).await?.1.checked_add(1)),
        })
    }

    async fn record<Db: ConnectionTrait>(self, db: &Db, id: i64) -> Result<i64, DbErr> {
        let found: Option<i64> = audit_log::Entity::find_by_id(id)
            .select_only()
            .column(C::Id)
            .into_tuple()
            .one(db)
            .await?;
        found.ok_or_else(|| self.missing())
    }

    async fn transaction<Db: ConnectionTrait>(
        self,
        db: &Db,
        id: Uuid,
    ) -> Result<(i64, i64), DbErr> {
        let found: Option<(Option<i64>, Option<i64>)> = audit_log::Entity::find()
            .filter(C::TransactionId.eq(id))
            .select_only()
            .column_as(C::Id.min(), "first")
            .column_as(C::Id.max(), "last")
            .into_tuple()
            .one(db)
            .await?;
        (found.and_then(|(first, last)| first.zip(last))).ok_or_else(|| self.missing())
    }

    fn missing(self) -> DbErr {
        let why = format!("the log has no record {self}: look for its number with `AuditQuery`");
        AuditError::AsOf { why }.into()
    }
}

impl From<DateTimeUtc> for Moment {
    fn from(time: DateTimeUtc) -> Self {
        Self::time(time)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Time(time) => write!(f, "at {time}"),
            Kind::BeforeRecord(id) => write!(f, "before record {id}"),
            Kind::AfterRecord(id) => write!(f, "after record {id}"),
            Kind::BeforeTransaction(id) => write!(f, "before transaction {id}"),
            Kind::AfterTransaction(id) => write!(f, "after transaction {id}"),
        }
    }
}

/// Where a moment lies in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// All records before this one are of the moment or before it.
    pub(super) first: i64,
    /// If this is set, so are the later records of this time or before it: numbers do not always grow with time.
    time: Option<DateTimeUtc>,
}

impl Place {
    /// Whether a record from `first` on is of the moment or before it.
    pub(super) fn has_reached(&self, occurred_at: DateTimeUtc) -> bool {
        self.time.is_some_and(|time| occurred_at <= time)
    }
}
