//! Queries of the event tables use an index, whatever the tables hold.

use std::sync::Mutex;
use std::time::Duration;

use sea_orm::prelude::DateTimeUtc;
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use sea_orm_audit::AuditContext;
use sea_orm_audit::config::HashKey;
use sea_orm_audit::event::{EventType, Lockout, SystemEvent};
use sea_orm_audit::query::Summary;

use crate::support::{HandClock, TestDb, TestResult};

on_every_database! {
    summary_scans_no_table,
    lockout_scans_no_table,
    event_scans_no_table,
}

/// A connection that reads the plan of each query before it runs it.
struct Explaining<'c> {
    db: &'c DatabaseConnection,
    plans: Mutex<Vec<String>>,
}

impl<'c> Explaining<'c> {
    fn new(db: &'c DatabaseConnection) -> Self {
        let plans = Mutex::default();
        Self { db, plans }
    }

    async fn explain(&self, statement: &Statement) -> Result<(), DbErr> {
        let (word, columns) = match self.db.get_database_backend() {
            DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", &["detail"][..]),
            DbBackend::MySql => ("EXPLAIN", &["table", "type", "key", "Extra"][..]),
            _ => ("EXPLAIN", &["QUERY PLAN"][..]),
        };
        let mut explain = statement.clone();
        explain.sql = format!("{word} {}", statement.sql);
        let rows = self.db.query_all_raw(explain).await?;
        let mut plan = format!("{statement}");
        for row in rows {
            plan.push('\n');
            for column in columns {
                let word: Option<String> = row.try_get("", column)?;
                plan += &format!("{column}={} ", word.unwrap_or_default());
            }
        }
        self.plans.lock().unwrap().push(plan);
        Ok(())
    }

    /// Asserts that so many queries were run, and that each looked rows up in an index.
    fn check(self, queries: usize) {
        let plans = self.plans.into_inner().unwrap();
        assert_eq!(plans.len(), queries);
        for plan in plans {
            // SQLite scans an index as it scans a table, from its begin to its end.
            let scans = [
                "SCAN audit_",
                "SCAN \"audit_",
                "Seq Scan",
                "type=ALL ",
                "type=index ",
            ];
            assert!(!scans.iter().any(|scan| plan.contains(scan)), "{plan}");
            let looks_up = ["SEARCH", "Index", "key=idx_audit"];
            assert!(looks_up.iter().any(|word| plan.contains(word)), "{plan}");
        }
    }
}

#[async_trait]
impl ConnectionTrait for Explaining<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.db.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.db.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.db.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.db.query_all_raw(statement).await
    }
}

const NOW: &str = "2026-11-23T12:00:00Z";

/// Fills each table with 20,000 rows, one an hour, up to now.
async fn fill(db: &TestDb) -> TestResult {
    let (numbers, time) = match db.backend() {
        DbBackend::Sqlite => (
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)",
            "strftime('%Y-%m-%dT%H:%M:%f000+00:00', '2026-11-23 12:00:00', '-' || i || ' hours')",
        ),
        DbBackend::MySql => (
            "WITH n(i) AS (SELECT seq FROM seq_0_to_19999)",
            "timestamp '2026-11-23 12:00:00' - INTERVAL i HOUR",
        ),
        _ => (
            "WITH n(i) AS (SELECT generate_series(0, 19999))",
            "timestamptz '2026-11-23 12:00:00Z' - i * interval '1 hour'",
        ),
    };
    for (table, columns, values) in [
        (
            "audit_log",
            "action, outcome, model, object_id, actor_type, actor_id, source",
            "'UPDATE', 'SUCCESS', 'post', i % 100, 'USER', i % 50, 'HOOK'",
        ),
        (
            "audit_login_attempt",
            "username_key, status, actor_type, actor_id, network",
            "CONCAT('user', i % 50), 'FAILED', 'USER', i % 50, CONCAT('192.0.2.', i % 200)",
        ),
        (
            "audit_data_export",
            "export_type, outcome, actor_type, actor_id, record_count, download_count",
            "'customers', 'SUCCESS', 'USER', i % 50, 1, 0",
        ),
        (
            "audit_system_event",
            "event_type, title, actor_type, fingerprint, occurrences, resolved",
            "'ERROR', 'it broke', 'UNKNOWN', CONCAT('sha256:', i), 1, false",
        ),
    ] {
        db.execute_unprepared(&format!(
            "INSERT INTO {table} (occurred_at, {columns}) {numbers} SELECT {time}, {values} FROM n"
        ))
        .await?;
        if db.backend() == DbBackend::MySql {
            db.execute_unprepared(&format!("ANALYZE TABLE {table}"))
                .await?;
        }
    }
    if db.backend() == DbBackend::Postgres {
        db.execute_unprepared("ANALYZE").await?;
    }
    Ok(())
}

async fn summary_scans_no_table(db: &TestDb) -> TestResult {
    fill(db).await?;
    let until: DateTimeUtc = NOW.parse()?;
    let day = Summary::between(until - Duration::from_hours(24), until);
    for query in [day.clone(), day.actor("user7")] {
        let explaining = Explaining::new(&db.conn);
        query.fetch(&explaining).await?;
        explaining.check(8);
    }
    Ok(())
}

async fn lockout_scans_no_table(db: &TestDb) -> TestResult {
    fill(db).await?;
    let key = HashKey::from_bytes("k1", &[1; 32])?;
    let config = HandClock::at(NOW)?.config().hash_key(key).build()?;
    let window = Duration::from_mins(15);
    for lockout in [
        Lockout::per_address(5, window),
        Lockout::per_user_and_address(5, window),
        // Blocks for ever: nothing limits the time.
        Lockout::per_user_and_address(5, window).cool_down(Duration::MAX),
    ] {
        let here = AuditContext::new().ip_address("192.0.2.7".parse()?);
        for (context, has_address) in [(here, true), (AuditContext::new(), false)] {
            let explaining = Explaining::new(&db.conn);
            let check = lockout.check(&explaining, "user7");
            config.scope(context.scope(check)).await?;
            // An unknown address blocks no client and sends no query.
            explaining.check(usize::from(has_address));
        }
    }
    Ok(())
}

async fn event_scans_no_table(db: &TestDb) -> TestResult {
    fill(db).await?;
    let config = HandClock::at(NOW)?.config().build()?;
    let explaining = Explaining::new(&db.conn);
    let event = SystemEvent::new(EventType::Error, "it broke");
    config.scope(event.record(&explaining)).await?;
    let plan = explaining.plans.lock().unwrap()[0].clone();
    assert!(
        plan.contains("idx_audit_system_event_fingerprint"),
        "{plan}"
    );
    Ok(())
}
