//! The queries that people ask of a log.

use sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use sea_orm_audit::entity::audit_log::{Column, Entity};
use sea_orm_audit::query::Summary;

use super::fill::{FIRST, MILLIS};
use crate::BoxError;

const PAGE: u64 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Query {
    Newest,
    PageInTheMiddle,
    Object,
    Actor,
    ActorInTheMiddle,
    Logins,
    LoginsInTheMiddle,
    Transaction,
    Request,
    Day,
    SummaryOfDay,
    SummaryOfDayAndActor,
}

impl Query {
    pub(super) const ALL: [Self; 12] = [
        Self::Newest,
        Self::PageInTheMiddle,
        Self::Object,
        Self::Actor,
        Self::ActorInTheMiddle,
        Self::Logins,
        Self::LoginsInTheMiddle,
        Self::Transaction,
        Self::Request,
        Self::Day,
        Self::SummaryOfDay,
        Self::SummaryOfDayAndActor,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest page",
            Self::PageInTheMiddle => "page in the middle",
            Self::Object => "history of an object",
            Self::Actor => "newest page of an actor",
            Self::ActorInTheMiddle => "page of an actor in the middle",
            Self::Logins => "newest page of logins",
            Self::LoginsInTheMiddle => "page of logins in the middle",
            Self::Transaction => "records of a transaction",
            Self::Request => "records of a request",
            Self::Day => "newest page of a past day",
            Self::SummaryOfDay => "summary of a past day",
            Self::SummaryOfDayAndActor => "summary of a past day and an actor",
        }
    }

    /// Whether the query takes the first rows in the order of their numbers, so that it stops early.
    pub(super) const fn stops_early(self) -> bool {
        matches!(self, Self::Newest | Self::PageInTheMiddle)
    }

    /// Runs the query on a log of so many rows, and returns how many it found.
    pub(super) async fn run<C: ConnectionTrait>(
        self,
        db: &C,
        rows: u64,
    ) -> Result<usize, BoxError> {
        let middle = rows / 2;
        let number = i64::try_from(middle)?;
        let newest = || Entity::find().order_by_desc(Column::Id).limit(PAGE);
        let before = |query: sea_orm::Select<Entity>| query.filter(Column::Id.lt(number));
        let of_actor = || newest().filter(Column::ActorId.eq("7"));
        let logins = || {
            let logins = newest().filter(Column::Action.eq("LOGIN"));
            // The condition of the partial index as its text has it: SQLite does not conclude it.
            match db.get_database_backend() {
                DbBackend::Sqlite => {
                    logins.filter(Expr::cust("action NOT IN ('CREATE', 'UPDATE', 'DELETE')"))
                }
                _ => logins,
            }
        };
        // The day that ends in the middle, or begins with the log.
        let first: DateTimeUtc = format!("{FIRST}Z").parse()?;
        let millis = i64::try_from(middle * MILLIS)?;
        let until = first + chrono::TimeDelta::milliseconds(millis);
        let since = until - chrono::TimeDelta::days(1);
        let query = match self {
            Self::Newest => newest(),
            Self::PageInTheMiddle => before(newest()),
            Self::Object => newest()
                .filter(Column::Model.eq("order"))
                .filter(Column::ObjectId.eq((middle / 20).to_string())),
            Self::Actor => of_actor(),
            Self::ActorInTheMiddle => before(of_actor()),
            Self::Logins => logins(),
            Self::LoginsInTheMiddle => before(logins()),
            Self::Transaction => {
                newest().filter(Column::TransactionId.eq(transaction(db, middle / 3)))
            }
            Self::Request => {
                let id = format!("01890000-0000-7000-8000-{}", middle / 4);
                newest().filter(Column::RequestId.eq(id))
            }
            Self::Day => Entity::find()
                .filter(Column::OccurredAt.gte(since))
                .filter(Column::OccurredAt.lt(until))
                .order_by_desc(Column::OccurredAt)
                .order_by_desc(Column::Id)
                .limit(PAGE),
            Self::SummaryOfDay => {
                let summary = Summary::between(since, until).fetch(db).await?;
                return Ok(count(&summary));
            }
            Self::SummaryOfDayAndActor => {
                let summary = Summary::between(since, until).actor("7").fetch(db).await?;
                return Ok(count(&summary));
            }
        };
        Ok(query.all(db).await?.len())
    }
}

fn count(summary: &Summary) -> usize {
    let all: i64 = summary.by_action.iter().map(|count| count.count).sum();
    usize::try_from(all).unwrap_or(0)
}

/// The id of a transaction as `fill` writes it.
fn transaction<C: ConnectionTrait>(db: &C, number: u64) -> Uuid {
    if db.get_database_backend() == DbBackend::Postgres {
        return Uuid::from_u128(number.into());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&format!("{number:016}").as_bytes()[..16]);
    Uuid::from_bytes(bytes)
}
