//! `stats`.

use sea_orm::prelude::DateTimeUtc;
use sea_orm::{
    ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryOrder, QuerySelect,
};
use sea_orm_audit_core::entity::{
    audit_data_export, audit_log, audit_login_attempt, audit_system_event,
};
use sea_orm_audit_core::{AuditConfig, AuditQuery};
use serde_json::json;

use crate::catalog;
use crate::error::{Result, reading};
use crate::output::Output;
use crate::progress;
use crate::record::{table, write_table};
use crate::text::{full_time, or_dash};

/// How the log grows.
pub(crate) struct Growth {
    pub(crate) oldest: Option<DateTimeUtc>,
    pub(crate) newest: Option<DateTimeUtc>,
    /// The records of a day: the mean of the last seven days, or of the log's life where that is shorter.
    pub(crate) a_day: f64,
}

#[allow(clippy::cast_precision_loss, reason = "a mean")]
pub(crate) async fn growth(db: &DatabaseConnection) -> Result<Growth> {
    const DAYS: i64 = 7;
    let time = async |newest: bool| {
        let mut one = audit_log::Entity::find()
            .select_only()
            .column(audit_log::Column::OccurredAt);
        one = if newest {
            one.order_by_desc(audit_log::Column::Id)
        } else {
            one.order_by_asc(audit_log::Column::Id)
        };
        let time: Option<DateTimeUtc> = one.limit(1).into_tuple().one(db).await.map_err(reading)?;
        Ok::<_, crate::error::CliError>(time)
    };
    let (oldest, newest) = (time(false).await?, time(true).await?);
    let now = AuditConfig::current().now();
    let days = chrono::TimeDelta::days(DAYS);
    let since = now.checked_sub_signed(days).unwrap_or(DateTimeUtc::MIN_UTC);
    let recent = AuditQuery::new()
        .since(since)
        .estimate(db)
        .await
        .map_err(reading)?;
    let life = oldest.map_or(days, |oldest| now - oldest);
    // A log of less than a day is not extrapolated.
    let length = life.clamp(chrono::TimeDelta::days(1), days);
    Ok(Growth {
        oldest,
        newest,
        a_day: recent.count as f64 * 86_400.0 / length.num_seconds() as f64,
    })
}

async fn count<E>(db: &DatabaseConnection) -> Result<u64>
where
    E: EntityTrait,
    E::Model: Send + Sync,
{
    E::find().count(db).await.map_err(reading)
}

pub(super) async fn stats(db: &DatabaseConnection, output: &mut Output) -> Result {
    let waiting = progress::waiting("counting");
    let tables = AuditConfig::current().tables();
    let rows = [
        (tables.log(), count::<audit_log::Entity>(db).await?),
        (
            tables.login_attempt(),
            count::<audit_login_attempt::Entity>(db).await?,
        ),
        (
            tables.data_export(),
            count::<audit_data_export::Entity>(db).await?,
        ),
        (
            tables.system_event(),
            count::<audit_system_event::Entity>(db).await?,
        ),
    ];
    let mut sizes = Vec::new();
    for (name, count) in rows {
        sizes.push((
            name,
            count,
            catalog::bytes(db, name).await.map_err(reading)?,
        ));
    }
    let growth = growth(db).await?;
    let models: Vec<(Option<String>, i64)> = audit_log::Entity::find()
        .select_only()
        .column(audit_log::Column::Model)
        .column_as(audit_log::Column::Id.count(), "records")
        .group_by(audit_log::Column::Model)
        .order_by_desc(audit_log::Column::Id.count())
        .order_by_asc(audit_log::Column::Model)
        .into_tuple()
        .all(db)
        .await
        .map_err(reading)?;
    waiting.finish_and_clear();
    if output.json {
        let tables = sizes
            .iter()
            .map(|(name, rows, bytes)| json!({ "table": name, "rows": rows, "bytes": bytes }));
        let models = models
            .iter()
            .map(|(model, records)| json!({ "model": model, "records": records }));
        return output.json(&json!({
            "database": crate::database::backend_name(db),
            "tables": tables.collect::<Vec<_>>(),
            "oldest": growth.oldest.map(full_time),
            "newest": growth.newest.map(full_time),
            "records_a_day": growth.a_day,
            "by_model": models.collect::<Vec<_>>(),
        }));
    }
    let mut summary = table(output, ["TABLE", "ROWS", "BYTES"]);
    for (name, rows, bytes) in &sizes {
        let bytes = bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        summary.add_row([(*name).to_owned(), rows.to_string(), bytes]);
    }
    write_table(output, &summary)?;
    output.line("")?;
    let time = |time: Option<DateTimeUtc>| time.map_or_else(|| "-".to_owned(), full_time);
    output.line(format!("oldest record   {}", time(growth.oldest)))?;
    output.line(format!("newest record   {}", time(growth.newest)))?;
    output.line(format!(
        "records a day   {:.1}, the mean of the last 7 days",
        growth.a_day
    ))?;
    if !models.is_empty() {
        let mut by_model = table(output, ["MODEL", "RECORDS"]);
        for (model, records) in &models {
            by_model.add_row([or_dash(model.as_deref()), records.to_string()]);
        }
        output.line("")?;
        write_table(output, &by_model)?;
    }
    Ok(())
}
