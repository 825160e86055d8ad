//! Looks for the records of a query in the order of their numbers, and at a bounded number of them.
//!
//! The log has few indexes. Where a filter has one, the walk is along that index, else along the primary key. It goes in
//! windows that grow, so that frequent matches cost little and rare ones few statements.

mod id_range;

use chrono::TimeDelta;
use sea_orm::sea_query::extension::mysql::{IndexHintScope, MySqlSelectStatementExt as _};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Order, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, Iden, QueryFilter, QueryOrder,
    QuerySelect, Select,
};

use super::AuditQuery;
use super::condition::{AddressTest, Place, are_events, of_filter};
use super::filter::{Condition, Filter};
use super::page::Direction;
use crate::entity::audit_log::{self, Column as C};
use id_range::IdRange;
#[cfg(feature = "statements")]
pub(crate) use id_range::first_later;

/// How many records the first window has, and how many times as many each next one.
const FIRST_WINDOW: u64 = 1_000;
const GROWTH: u64 = 8;

/// What a walk found.
pub(super) struct Found {
    /// In the order of the walk.
    pub(super) records: Vec<audit_log::Model>,
    /// The records looked at.
    pub(super) examined: u64,
    /// The last record looked at, if the budget was used up before the end.
    pub(super) stopped: Option<i64>,
}

/// A part of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) ids: IdRange,
    /// How many records it has, of those that the walk is along.
    pub(super) records: u64,
    /// Whether the walk ends with it.
    pub(super) is_last: bool,
}

/// A query, ready to be read.
pub(super) struct Walk<'a, C> {
    db: &'a C,
    /// All filters, if there are any.
    filter: Option<Expr>,
    /// The filter with an index that is in the order of numbers, if there is one.
    along: Option<Expr>,
    /// Whether `along` is all there is to test.
    is_exact: bool,
    rest: Vec<AddressTest>,
    pub(super) ids: IdRange,
}

impl<'a, Db: ConnectionTrait> Walk<'a, Db> {
    pub(super) async fn new(db: &'a Db, query: &AuditQuery, place: Place) -> Result<Self, DbErr> {
        Self::with_slack(db, query, place, id_range::SLACK).await
    }

    /// The same, whose records of a period may have times that differ so much from those of their neighbours.
    pub(super) async fn with_slack(
        db: &'a Db,
        query: &AuditQuery,
        place: Place,
        slack: TimeDelta,
    ) -> Result<Self, DbErr> {
        let mut filter = None;
        let mut rest = Vec::new();
        for one in query.filters() {
            let sql = of_filter(one, place);
            filter = Some(match filter {
                None => sql.expr,
                Some(filter) => sql.expr.and(filter),
            });
            rest.extend(sql.rest);
        }
        let indexed = indexed(query.filters());
        let along = (indexed.iter())
            .map(|one| of_filter(one, place).expr)
            .reduce(ExprTrait::and);
        Ok(Self {
            db,
            filter,
            along,
            is_exact: indexed.len() == query.filters().len(),
            rest,
            ids: id_range::of_query(db, query, place, slack).await?,
        })
    }

    /// Reads so many records, or as many as there are among so many records.
    pub(super) async fn read(
        &self,
        direction: Direction,
        beyond: Option<i64>,
        size: u64,
        budget: u64,
    ) -> Result<Found, DbErr> {
        let mut found = Found {
            records: Vec::new(),
            examined: 0,
            stopped: None,
        };
        let mut ids = self.ids.beyond(direction, beyond);
        if self.is_exact {
            found.records = self.records(ids, direction, size).await?;
            found.examined = found.records.len() as u64;
            return Ok(found);
        }
        let mut length = FIRST_WINDOW;
        loop {
            let left = budget - found.examined;
            let window = self.window(ids, direction, Ord::min(length, left)).await?;
            found.examined += window.records;
            let wanted = size - found.records.len() as u64;
            (found.records).extend(self.records(window.ids, direction, wanted).await?);
            if window.is_last || found.records.len() as u64 == size {
                return Ok(found);
            }
            let edge = window.ids.edge(direction);
            if found.examined >= budget {
                found.stopped = Some(edge);
                return Ok(found);
            }
            ids = ids.beyond(direction, Some(edge));
            length = length.saturating_mul(GROWTH);
        }
    }

    /// The next records of a range.
    pub(super) async fn window(
        &self,
        ids: IdRange,
        direction: Direction,
        length: u64,
    ) -> Result<Window, DbErr> {
        const COUNT: &str = "records";
        const EDGE: &str = "edge";
        let mut inner = self.along(ids).select_only().column(C::Id).limit(length);
        inner = inner.order_by(C::Id, direction.order());
        let id = || Expr::col(Alias::new(C::Id.unquoted()));
        let edge = match direction {
            Direction::Older => id().min(),
            Direction::Newer => id().max(),
        };
        let query = Query::select()
            .expr_as(id().count(), COUNT)
            .expr_as(edge, EDGE)
            .from_subquery(sea_orm::QueryTrait::into_query(inner), "examined")
            .take();
        let row = self.db.query_one(&query).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("a count has no row".to_owned()))?;
        let records = u64::try_from(row.try_get::<i64>("", COUNT)?).unwrap_or(0);
        let edge: Option<i64> = row.try_get("", EDGE)?;
        let is_last = records < length;
        Ok(Window {
            ids: match edge {
                Some(edge) if !is_last => ids.until(direction, edge),
                _ => ids,
            },
            records,
            is_last,
        })
    }

    /// The matching records of a range.
    async fn records(
        &self,
        ids: IdRange,
        direction: Direction,
        size: u64,
    ) -> Result<Vec<audit_log::Model>, DbErr> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut matching = self.matching(ids).order_by(C::Id, direction.order());
        if self.rest.is_empty() {
            return matching.limit(size).all(self.db).await;
        }
        matching = matching.select_only().column(C::Id).column(C::IpAddress);
        let tested: Vec<(i64, Option<String>)> = matching.into_tuple().all(self.db).await?;
        let accepted = tested
            .into_iter()
            .filter(|(_, address)| self.accepts(address.as_deref()));
        let accepted = accepted.take(usize::try_from(size).unwrap_or(usize::MAX));
        audit_log::Entity::find()
            .filter(C::Id.is_in(accepted.map(|(id, _)| id)))
            .order_by(C::Id, direction.order())
            .all(self.db)
            .await
    }

    /// How many records of a range match.
    pub(super) async fn count(&self, ids: IdRange) -> Result<u64, DbErr> {
        if ids.is_empty() {
            return Ok(0);
        }
        let matching = self.matching(ids).select_only();
        if self.rest.is_empty() {
            let count: Option<i64> = matching
                .expr(Expr::cust("COUNT(*)"))
                .into_tuple()
                .one(self.db)
                .await?;
            return Ok(count
                .and_then(|count| u64::try_from(count).ok())
                .unwrap_or(0));
        }
        let addresses = matching
            .column(C::IpAddress)
            .column_as(Expr::cust("COUNT(*)"), "records");
        let addresses: Vec<(Option<String>, i64)> = addresses
            .group_by(C::IpAddress)
            .into_tuple()
            .all(self.db)
            .await?;
        let accepted = addresses
            .into_iter()
            .filter(|(address, _)| self.accepts(address.as_deref()));
        Ok(accepted
            .map(|(_, count)| u64::try_from(count).unwrap_or(0))
            .sum())
    }

    /// Which share of the whole range a part of it is.
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) async fn share(&self, part: IdRange) -> Result<f64, DbErr> {
        let width = |ids: IdRange| (ids.last as f64 - ids.first as f64 + 1.0).max(1.0);
        let whole = id_range::within(self.db, self.ids).await?;
        Ok(width(id_range::intersection(whole, part)) / width(whole))
    }

    fn accepts(&self, address: Option<&str>) -> bool {
        self.rest.iter().all(|test| test.accepts(address))
    }

    fn matching(&self, ids: IdRange) -> Select<audit_log::Entity> {
        let mut records = ids.limit(audit_log::Entity::find());
        if self.along.is_none() {
            records = along_numbers(records, self.db.get_database_backend());
        }
        match &self.filter {
            Some(filter) => records.filter(filter.clone()),
            None => records,
        }
    }

    fn along(&self, ids: IdRange) -> Select<audit_log::Entity> {
        let records = ids.limit(audit_log::Entity::find());
        match &self.along {
            Some(along) => records.filter(along.clone()),
            None => records,
        }
    }
}

/// Reads along the primary key. MySQL and MariaDB may otherwise read all records of a frequent value, in any order.
pub(crate) fn along_numbers(
    mut records: Select<audit_log::Entity>,
    backend: DbBackend,
) -> Select<audit_log::Entity> {
    if backend == DbBackend::MySql {
        sea_orm::QueryTrait::query(&mut records).force_index("PRIMARY", IndexHintScope::All);
    }
    records
}

impl Direction {
    const fn order(self) -> Order {
        match self {
            Self::Older => Order::Desc,
            Self::Newer => Order::Asc,
        }
    }
}

/// The filters that one index serves in the order of numbers: an index has that order for a single value only.
fn indexed(filters: &[Filter]) -> Vec<&Filter> {
    let find = |is_indexed: fn(&Condition) -> bool| {
        (filters.iter()).find(|filter| !filter.negated && is_indexed(&filter.condition))
    };
    let one = |filter: Option<_>| filter.into_iter().collect::<Vec<_>>();
    if let Some(transaction) = find(|c| matches!(c, Condition::Transaction(ids) if ids.len() == 1))
    {
        return vec![transaction];
    }
    if let Some(request) = find(|c| matches!(c, Condition::Request(ids) if ids.len() == 1)) {
        return vec![request];
    }
    let model = find(|c| matches!(c, Condition::Model(names) if names.len() == 1));
    let object = find(|c| matches!(c, Condition::Object(ids) if ids.len() == 1));
    if let (Some(model), Some(object)) = (model, object) {
        return vec![model, object];
    }
    if let Some(actor) = find(|c| matches!(c, Condition::Actor(ids) if ids.len() == 1)) {
        return vec![actor];
    }
    one(find(
        |c| matches!(c, Condition::Action(actions) if actions.len() == 1 && are_events(actions)),
    ))
}
