//! The cost of a past state: what the first query on a table costs, and the memory that it takes, for tables of two sizes
//! and few or all of their rows changed since.

use std::time::Instant;

use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait, QueryOrder, QuerySelect, Schema};
use sea_orm_audit::query::{AsOf, Moment};

use crate::BoxError;
use crate::args::Server;
use crate::database::Database;
use crate::report::{aligned, grouped};

#[allow(unreachable_pub)] // SeaORM's macros need it
mod item {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "past_item")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub name: String,
        pub price: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// The table of one database.
pub(crate) async fn measure(database: &Database, rows: u64) -> Result<String, BoxError> {
    let header = [
        "rows",
        "changed since",
        "first query, ms",
        "one key, ms",
        "100 in order, ms",
        "peak, MiB",
    ];
    let mut table = vec![header.map(str::to_owned).to_vec()];
    for rows in [rows / 10, rows] {
        for changed in [rows / 100, rows] {
            eprintln!("  {changed} of {rows} rows");
            table.push(measure_one(database, rows, changed).await?);
        }
    }
    Ok(format!(
        "## Past states, {}\n\n\"First query\" counts the rows, and puts the table of then together. The peak is what \
         the process's resident memory grows by meanwhile.\n\n{}",
        database.server.name(),
        aligned(&table)
    ))
}

async fn measure_one(
    database: &Database,
    rows: u64,
    changed: u64,
) -> Result<Vec<String>, BoxError> {
    let db = &database.conn;
    fill(database, rows).await?;
    let moment = change(database, changed).await?;
    reset_peak()?;
    let before = memory("VmRSS:")?;
    let begin = Instant::now();
    let past = AsOf::new(Moment::after_record(moment)).open(db).await?;
    let count = item::Entity::find().count(&past).await?;
    let first = begin.elapsed();
    let peak = memory("VmHWM:")? - before;
    if count != rows {
        return Err(format!("{count} rows in place of {rows}").into());
    }
    let begin = Instant::now();
    let one = item::Entity::find_by_id(1).one(&past).await?;
    let one_key = begin.elapsed();
    if one.is_none_or(|one| one.price != 0) {
        return Err("a row is not as it was".into());
    }
    let begin = Instant::now();
    let some = item::Entity::find()
        .order_by_asc(item::Column::Id)
        .limit(100)
        .all(&past)
        .await?;
    let ordered = begin.elapsed();
    if some.len() != 100 {
        return Err("rows are missing".into());
    }
    past.close().await?;
    db.execute_unprepared("DROP TABLE past_item").await?;
    database.clear().await?;
    let millis = |time: std::time::Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
    #[allow(clippy::cast_precision_loss)] // There are never that many rows.
    let number = |number: u64| grouped(number as f64);
    Ok(vec![
        number(rows),
        number(changed),
        millis(first),
        millis(one_key),
        millis(ordered),
        format!("{peak:.1}"),
    ])
}

fn numbers(server: Server, count: u64) -> String {
    match server {
        Server::Sqlite => format!(
            "WITH RECURSIVE r(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM r WHERE n < {})",
            count - 1
        ),
        Server::Postgres => format!("WITH r(n) AS (SELECT generate_series(0, {}))", count - 1),
        Server::Mariadb => format!("WITH r(n) AS (SELECT seq FROM seq_0_to_{})", count - 1),
    }
}

/// Text of the parts, joined.
fn text(server: Server, parts: &[&str]) -> String {
    match server {
        Server::Mariadb => format!("CONCAT({})", parts.join(", ")),
        _ => parts.join(" || "),
    }
}

const LOG: &str = "INSERT INTO audit_log (occurred_at, action, outcome, model, object_id, changes, actor_type, source)";

fn record(server: Server, action: &str, changes: &[&str], count: u64) -> String {
    let (now, json) = match server {
        Server::Sqlite => ("'2026-01-01T00:00:00.000000+00:00'", text(server, changes)),
        Server::Postgres => ("now()", format!("({})::json", text(server, changes))),
        Server::Mariadb => ("UTC_TIMESTAMP(6)", text(server, changes)),
    };
    let id = match server {
        Server::Mariadb => "n",
        _ => "CAST(n AS TEXT)",
    };
    let numbers = numbers(server, count);
    format!(
        "{LOG} {numbers} SELECT {now}, '{action}', 'SUCCESS', 'past_item', {id}, {json}, 'SYSTEM', 'STATEMENT' FROM r"
    )
}

/// Makes so many rows, and their records.
async fn fill(database: &Database, rows: u64) -> Result<(), BoxError> {
    let (db, server) = (&database.conn, database.server);
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(item::Entity))
        .await?;
    let numbers = numbers(server, rows);
    let name = match server {
        Server::Mariadb => "CONCAT('item ', n)",
        _ => "'item ' || n",
    };
    let sql =
        format!("INSERT INTO past_item (id, name, price) {numbers} SELECT n, {name}, 0 FROM r");
    db.execute_unprepared(&sql).await?;
    let changes = [
        r#"'{"id":{"new":'"#,
        "n",
        r#"'},"name":{"new":"item '"#,
        "n",
        r#"'"},"price":{"new":0}}'"#,
    ];
    db.execute_unprepared(&record(server, "CREATE", &changes, rows))
        .await?;
    Ok(())
}

/// Changes so many rows. Returns the number of the last record before.
async fn change(database: &Database, changed: u64) -> Result<i64, BoxError> {
    let (db, server) = (&database.conn, database.server);
    let newest =
        sea_orm::Statement::from_string(db.get_database_backend(), "SELECT MAX(id) FROM audit_log");
    let row = db.query_one_raw(newest).await?.ok_or("no log")?;
    let moment: i64 = row.try_get_by_index(0)?;
    let sql = format!("UPDATE past_item SET price = id + 1 WHERE id < {changed}");
    db.execute_unprepared(&sql).await?;
    let price = [r#"'{"price":{"old":0,"new":'"#, "(n + 1)", "'}}'"];
    db.execute_unprepared(&record(server, "UPDATE", &price, changed))
        .await?;
    for table in ["audit_log", "past_item"] {
        let analyze = match server {
            Server::Mariadb => format!("ANALYZE TABLE {table}"),
            _ => format!("ANALYZE {table}"),
        };
        db.execute_unprepared(&analyze).await?;
    }
    Ok(moment)
}

/// The greatest resident memory counts from now on.
fn reset_peak() -> Result<(), BoxError> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}

/// A figure of this process's memory in MiB, as Linux reports it.
fn memory(name: &str) -> Result<f64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: f64 = kib
        .ok_or("the system does not report the memory")?
        .parse()?;
    Ok(kib / 1024.0)
}
