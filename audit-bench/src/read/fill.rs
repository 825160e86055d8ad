//! A log of any size, made by the database itself: one record every 2.592 seconds, so that a day has 33,333 of them and
//! ten million are 300 days. Each object has about five, each of a thousand actors a thousandth, and every thousandth
//! record is a login.

use sea_orm::ConnectionTrait;

use crate::BoxError;
use crate::args::Server;
use crate::database::Database;

/// So many rows are written by one statement.
const CHUNK: u64 = 500_000;

/// The time of the record with number 0, UTC.
pub(super) const FIRST: &str = "2026-01-01 00:00:00";
/// Between two records.
pub(super) const MILLIS: u64 = 2_592;

const COLUMNS: &str = "occurred_at, action, outcome, model, object_id, object_repr, changes, actor_type, actor_id, \
     actor_name, ip_address, user_agent, request_id, transaction_id, source";

/// Writes the records with the numbers from `from` up to `to`, that excluded.
pub(crate) async fn fill(database: &Database, from: u64, to: u64) -> Result<(), BoxError> {
    let mut begin = from;
    while begin < to {
        let end = to.min(begin + CHUNK);
        database
            .conn
            .execute_unprepared(&insert(database.server, begin, end))
            .await?;
        begin = end;
    }
    let analyze = match database.server {
        // It also adds the last blocks to the index of time.
        Server::Postgres => "VACUUM ANALYZE audit_log",
        Server::Sqlite => "ANALYZE",
        Server::Mariadb => "ANALYZE TABLE audit_log",
    };
    database.conn.execute_unprepared(analyze).await?;
    Ok(())
}

fn insert(server: Server, begin: u64, end: u64) -> String {
    let last = end - 1;
    let (numbers, time, concat, uuid) = match server {
        Server::Sqlite => (
            format!(
                "WITH RECURSIVE r(n) AS (SELECT {begin} UNION ALL SELECT n + 1 FROM r WHERE n < {last})"
            ),
            format!(
                "strftime('%Y-%m-%dT%H:%M:%f', '{FIRST}', (n * {MILLIS} / 1000.0) || ' seconds') || '000+00:00'"
            ),
            ("", " || ", ""),
            "CAST(printf('%016d', n / 3) AS BLOB)".to_owned(),
        ),
        Server::Postgres => (
            format!("WITH r(n) AS (SELECT generate_series({begin}::bigint, {last}))"),
            format!("timestamptz '{FIRST}Z' + n * interval '{MILLIS} milliseconds'"),
            ("", " || ", ""),
            "lpad(to_hex(n / 3), 32, '0')::uuid".to_owned(),
        ),
        Server::Mariadb => (
            format!("WITH r(n) AS (SELECT seq FROM seq_{begin}_to_{last})"),
            format!("timestamp '{FIRST}' + INTERVAL n * {MILLIS}000 MICROSECOND"),
            ("CONCAT(", ", ", ")"),
            "LPAD(n DIV 3, 16, '0')".to_owned(),
        ),
    };
    let text = |parts: &[&str]| format!("{}{}{}", concat.0, parts.join(concat.1), concat.2);
    let cast = |number: &str| match server {
        Server::Mariadb => number.to_owned(),
        _ => format!("CAST({number} AS TEXT)"),
    };
    let divided = |by: u64| match server {
        Server::Mariadb => format!("n DIV {by}"),
        _ => format!("n / {by}"),
    };
    let changes = text(&[
        "'{\"price\":{\"new\":'",
        &cast("n"),
        "',\"old\":'",
        &cast("n + 1"),
        "'},\"stock\":{\"new\":7,\"old\":8}}'",
    ]);
    let changes = match server {
        Server::Postgres => format!("({changes})::json"),
        _ => changes,
    };
    let values = [
        time,
        "CASE WHEN n % 1000 = 999 THEN 'LOGIN' WHEN n % 5 = 0 THEN 'CREATE' WHEN n % 5 = 4 THEN 'DELETE' \
         ELSE 'UPDATE' END"
            .to_owned(),
        "'SUCCESS'".to_owned(),
        "CASE n % 4 WHEN 0 THEN 'product' WHEN 1 THEN 'customer' ELSE 'order' END".to_owned(),
        cast(&divided(20)),
        text(&["'no. '", &cast(&divided(20))]),
        changes,
        "'USER'".to_owned(),
        cast("n * 48271 % 1000"),
        text(&["'User '", &cast("n * 48271 % 1000")]),
        text(&["'192.0.2.'", &cast("n % 250")]),
        "'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'".to_owned(),
        text(&["'01890000-0000-7000-8000-'", &cast(&divided(4))]),
        uuid,
        "'HOOK'".to_owned(),
    ];
    format!(
        "INSERT INTO audit_log ({COLUMNS}) {numbers} SELECT {} FROM r",
        values.join(", ")
    )
}
