//! What happened in a period, in numbers.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::sea_query::{Expr, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, IdenStatic,
    QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::period::{END, FIRST};
use crate::action::Outcome;
use crate::binding::Binding;
use crate::config::AuditConfig;
use crate::entity::{audit_data_export, audit_log, audit_login_attempt, audit_system_event};
use crate::event::LoginStatus;
use crate::record::timestamp;

/// How often a value occurs.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct Count {
    /// What it is; `None` for records without it.
    pub name: Option<String>,
    /// How many there are.
    pub count: i64,
}

/// How many records an actor left.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct ActorCount {
    /// The kind of actor, such as `USER`.
    pub actor_type: String,
    /// The actor's id.
    pub actor_id: Option<String>,
    /// One of the names that the actor had.
    pub actor_name: Option<String>,
    /// How many records there are.
    pub count: i64,
}

/// How many records there are of an object.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
#[non_exhaustive]
pub struct ObjectCount {
    /// The model.
    pub model: String,
    /// The object's id.
    pub object_id: String,
    /// How many records there are.
    pub count: i64,
}

/// Exports in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExportCount {
    /// How many there were.
    pub count: i64,
    /// How many records they held, where that is known.
    pub records: i64,
    /// How many bytes they had, where that is known.
    pub bytes: i64,
}

/// What happened in a period, in numbers; the most frequent first.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::Summary;
/// # use sea_orm::{DatabaseConnection, DbErr};
/// # async fn report(db: &DatabaseConnection) -> Result<(), DbErr> {
/// let summary = Summary::last_days(30).actor("7").fetch(db).await?;
/// for action in &summary.by_action {
///     let name = action.name.as_deref().unwrap_or("-");
///     println_to_report(format!("{name}: {}", action.count));
/// }
/// # Ok(())
/// # }
/// # fn println_to_report(_: String) {}
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// From when on.
    pub since: DateTimeUtc,
    /// Until when, that moment excluded.
    pub until: DateTimeUtc,
    /// Records by action.
    pub by_action: Vec<Count>,
    /// Records by model.
    pub by_model: Vec<Count>,
    /// Records by actor; as many as [`SummaryQuery::top`] says.
    pub by_actor: Vec<ActorCount>,
    /// Records by day, as `2026-11-23`, UTC, in the order of time. Days without any are left out.
    pub by_day: Vec<Count>,
    /// The objects with the most records; as many as [`SummaryQuery::top`] says.
    pub top_objects: Vec<ObjectCount>,
    /// Attempts to sign in, by status. Logouts are none; [`by_action`](Self::by_action) has them.
    pub logins: Vec<Count>,
    /// Exports of data.
    pub exports: ExportCount,
    /// Events of the system that began in the period and are not resolved, by type.
    pub open_events: Vec<Count>,
}

impl Summary {
    /// Begins a summary of the last days: so many times 24 hours, up to now.
    pub fn last_days(days: u32) -> SummaryQuery {
        let until = AuditConfig::current().now();
        let since = until.checked_sub_signed(chrono::TimeDelta::days(i64::from(days)));
        Self::between(since.unwrap_or(DateTimeUtc::MIN_UTC), until)
    }

    /// Begins a summary of a period; its end is excluded.
    pub const fn between(since: DateTimeUtc, until: DateTimeUtc) -> SummaryQuery {
        SummaryQuery {
            since,
            until,
            actor: None,
            top: 10,
        }
    }
}

/// Which records a [`Summary`] is of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is read until `fetch` is awaited"]
pub struct SummaryQuery {
    since: DateTimeUtc,
    until: DateTimeUtc,
    actor: Option<String>,
    top: u64,
}

const NAME: &str = "name";
const COUNT: &str = "count";

impl SummaryQuery {
    /// Only records of the actor with this id. By default all actors.
    pub fn actor(mut self, id: impl ToString) -> Self {
        self.actor = Some(id.to_string());
        self
    }

    /// How many actors and objects are named, 10 by default.
    pub fn top(mut self, n: u64) -> Self {
        self.top = n;
        self
    }

    /// Reads the summary: eight statements, each on an index of time or of actors.
    ///
    /// They are not of one moment, unless `db` is a transaction that reads repeatably.
    ///
    /// # Errors
    /// Returns the database's error.
    pub async fn fetch<C: ConnectionTrait>(self, db: &C) -> Result<Summary, DbErr> {
        Binding::to(db).scope(self.fetch_here(db)).await
    }

    async fn fetch_here<C: ConnectionTrait>(self, db: &C) -> Result<Summary, DbErr> {
        use audit_log::Column as L;
        use audit_login_attempt::Column as A;
        use audit_system_event::Column as S;
        let backend = db.get_database_backend();
        let log = || {
            self.of::<audit_log::Entity>(backend, L::OccurredAt, L::ActorId)
                // An open action is counted when it ends.
                .filter(L::Outcome.ne(Outcome::Open.as_str()))
        };
        let open = self
            .of::<audit_system_event::Entity>(backend, S::OccurredAt, S::ActorId)
            .filter(S::Resolved.eq(false));
        let attempts = self
            .of::<audit_login_attempt::Entity>(backend, A::OccurredAt, A::ActorId)
            .filter(A::Status.ne(LoginStatus::Logout.as_str()));
        let day = day_of(backend);
        Ok(Summary {
            by_action: counted(db, log(), L::Action.into_expr()).await?,
            by_model: counted(db, log(), L::Model.into_expr()).await?,
            by_actor: self.actors(db, log()).await?,
            by_day: {
                let mut days = counted(db, log(), day).await?;
                days.sort_by(|a, b| a.name.cmp(&b.name));
                days
            },
            top_objects: self.objects(db, log()).await?,
            logins: counted(db, attempts, A::Status.into_expr()).await?,
            exports: self.exports(db).await?,
            open_events: counted(db, open, S::EventType.into_expr()).await?,
            since: self.since,
            until: self.until,
        })
    }

    /// The rows of the period, and of the actor.
    fn of<E: EntityTrait>(
        &self,
        backend: DbBackend,
        time: E::Column,
        actor: E::Column,
    ) -> Select<E> {
        // PostgreSQL and MySQL support no time beyond these years.
        let known = |time: DateTimeUtc| {
            timestamp(
                backend,
                time.clamp(FIRST, END - chrono::TimeDelta::seconds(1)),
            )
        };
        let rows = E::find()
            .select_only()
            .filter(time.gte(known(self.since)))
            .filter(time.lt(known(self.until)));
        match &self.actor {
            Some(id) => rows.filter(actor.eq(id.as_str())),
            None => rows,
        }
    }

    async fn actors<C: ConnectionTrait>(
        &self,
        db: &C,
        log: Select<audit_log::Entity>,
    ) -> Result<Vec<ActorCount>, DbErr> {
        use audit_log::Column as L;
        let id = L::Id.count();
        log.columns([L::ActorType, L::ActorId])
            // An actor may have had several names.
            .column_as(L::ActorName.max(), L::ActorName.as_str())
            .column_as(id.clone(), COUNT)
            .group_by(L::ActorType)
            .group_by(L::ActorId)
            .order_by_desc(id)
            .order_by_asc(L::ActorType)
            .order_by_asc(L::ActorId)
            .limit(self.top)
            .into_model()
            .all(db)
            .await
    }

    async fn objects<C: ConnectionTrait>(
        &self,
        db: &C,
        log: Select<audit_log::Entity>,
    ) -> Result<Vec<ObjectCount>, DbErr> {
        use audit_log::Column as L;
        let id = L::Id.count();
        log.columns([L::Model, L::ObjectId])
            .column_as(id.clone(), COUNT)
            .filter(L::Model.is_not_null())
            .filter(L::ObjectId.is_not_null())
            .group_by(L::Model)
            .group_by(L::ObjectId)
            .order_by_desc(id)
            .order_by_asc(L::Model)
            .order_by_asc(L::ObjectId)
            .limit(self.top)
            .into_model()
            .all(db)
            .await
    }

    async fn exports<C: ConnectionTrait>(&self, db: &C) -> Result<ExportCount, DbErr> {
        use audit_data_export::Column as X;
        // A sum may be more than 64 bits hold: PostgreSQL and MySQL sum integers to decimals, and SQLite's
        // SUM would fail. Its TOTAL is exact to 2^53.
        let backend = db.get_database_backend();
        let sum = |column: X| {
            let column = column.as_str();
            Expr::cust(match backend {
                DbBackend::MySql => format!("CAST(SUM({column}) AS SIGNED)"),
                DbBackend::Postgres => {
                    format!("LEAST(COALESCE(SUM({column}), 0), {})::bigint", i64::MAX)
                }
                _ => format!("CAST(TOTAL({column}) AS INTEGER)"),
            })
        };
        let row: Option<(i64, Option<i64>, Option<i64>)> = self
            .of::<audit_data_export::Entity>(backend, X::OccurredAt, X::ActorId)
            .column_as(X::Id.count(), COUNT)
            .column_as(sum(X::RecordCount), "records")
            .column_as(sum(X::FileSize), "bytes")
            .into_tuple()
            .one(db)
            .await?;
        Ok(
            row.map_or_else(ExportCount::default, |(count, records, bytes)| {
                ExportCount {
                    count,
                    records: records.unwrap_or(0),
                    bytes: bytes.unwrap_or(0),
                }
            }),
        )
    }
}

/// How many rows there are for each value, the most frequent first.
async fn counted<C: ConnectionTrait, E: EntityTrait>(
    db: &C,
    rows: Select<E>,
    by: SimpleExpr,
) -> Result<Vec<Count>, DbErr> {
    let mut counts: Vec<Count> = rows
        .column_as(by.clone(), NAME)
        .column_as(Expr::cust("COUNT(*)"), COUNT)
        .group_by(by)
        .into_model()
        .all(db)
        .await?;
    // Here, since databases sort NULL and the case of letters differently.
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    Ok(counts)
}

/// The day of a record, as text, UTC.
fn day_of(backend: DbBackend) -> SimpleExpr {
    Expr::cust(match backend {
        DbBackend::Postgres => "to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        DbBackend::MySql => "DATE_FORMAT(occurred_at, '%Y-%m-%d')",
        _ => "substr(occurred_at, 1, 10)",
    })
}
