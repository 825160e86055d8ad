//! The queries that people ask of a log.

use std::sync::{Mutex, PoisonError};

use sea_orm::prelude::{DateTimeUtc, Uuid};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use sea_orm_audit::entity::audit_log::{Column, Entity};
use sea_orm_audit::query::{AuditQuery, Cursor, Summary};

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
    Search(&'static str),
    DeepPage,
    Estimate(&'static str),
}

impl Query {
    pub(super) const ALL: [Self; 23] = [
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
        Self::Search("model:order object:MIDDLE"),
        Self::Search("actor:7 action:update created:MONTH"),
        Self::Search("actor:7 action:import"),
        Self::Search("action:login created:MONTH"),
        Self::Search("action:delete created:MONTH"),
        Self::Search("model:customer action:import"),
        Self::Search("action:approve"),
        Self::Search("\"not written anywhere\""),
        Self::DeepPage,
        Self::Estimate("model:order action:update"),
        Self::Estimate("created:MONTH"),
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
            Self::Search(text) | Self::Estimate(text) => text,
            Self::DeepPage => "page 10,000 by cursor",
        }
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
                    logins.filter(Expr::cust("action NOT IN ('CREATE', 'UPDATE', 'DELETE', 'SOFT_DELETE', 'RESTORE', 'SNAPSHOT')"))
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
            Self::Search(text) => {
                let query = search(text, middle, until)?;
                return Ok(query.pages().first(db).await?.found());
            }
            Self::Estimate(text) => {
                let estimate = search(text, middle, until)?.estimate(db).await?;
                return Ok(usize::try_from(estimate.count)?);
            }
            Self::DeepPage => {
                let pages = AuditQuery::new().pages().size(DEEP_SIZE);
                if let Some(cursor) = deep_cursor(rows) {
                    return Ok(pages.at(db, &cursor).await?.found());
                }
                let mut page = pages.first(db).await?;
                for _ in 2..10_000 {
                    page = pages
                        .at(db, &page.older.ok_or("the log is too short")?)
                        .await?;
                }
                let cursor = page.older.ok_or("the log is too short")?;
                DEEP.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((rows, cursor));
                return Ok(pages.at(db, &cursor).await?.found());
            }
        };
        Ok(query.all(db).await?.len())
    }
}

/// A query with the month that ends in the middle of the log, and an object of the middle.
fn search(text: &str, middle: u64, until: DateTimeUtc) -> Result<AuditQuery, BoxError> {
    let since = until - chrono::TimeDelta::days(30);
    let time = |time: DateTimeUtc| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let month = format!("{}..{}", time(since), time(until));
    let object = (middle / 20).to_string();
    Ok(text
        .replace("MONTH", &month)
        .replace("MIDDLE", &object)
        .parse()?)
}

/// A log of 100,000 rows has 20,000 pages of this size.
const DEEP_SIZE: u64 = 5;

/// The cursors of the deep pages, by the size of the log: the way to them is not measured again.
static DEEP: Mutex<Vec<(u64, Cursor)>> = Mutex::new(Vec::new());

fn deep_cursor(rows: u64) -> Option<Cursor> {
    let cursors = DEEP.lock().unwrap_or_else(PoisonError::into_inner);
    cursors
        .iter()
        .find(|(of, _)| *of == rows)
        .map(|(_, cursor)| *cursor)
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
