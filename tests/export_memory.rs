//! The memory of an export does not grow with the number of records. The export runs in a process of its own, which
//! reports the most memory that it had.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::process::Command;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait, PaginatorTrait,
};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::export::{AuditExport, ExportFormat};
use sea_orm_audit::migration::{Migrator, MigratorTrait};
use sea_orm_audit::query::AuditQuery;
use sea_orm_audit_tests::support::{TestResult, temporary_folder};

/// More than a page's budget. `EXPORT_RECORDS=1000000` repeats it with a million.
const RECORDS: u64 = 120_000;
const MOST_BYTES: u64 = 64 << 20;

async fn connect(url: &str) -> TestResult<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

async fn fill(url: &str, records: u64) -> TestResult {
    let db = connect(url).await?;
    Migrator::up(&db, None).await?;
    db.execute_unprepared(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {records}) \
         INSERT INTO audit_log (occurred_at, action, outcome, model, object_id, object_repr, changes, actor_type, \
         actor_id, actor_name, ip_address, user_agent, source, metadata) \
         SELECT '2026-03-05 10:30:15.123456+00:00', 'UPDATE', 'SUCCESS', 'product', i, 'Tea no. ' || i, \
         '{{\"price\":{{\"old\":' || i || ',\"new\":' || (i + 1) || '}},\"note\":{{\"old\":null,\"new\":\"a text that is longer\"}}}}', \
         'USER', i % 1000, 'Ann Lee', '192.0.2.7', 'Mozilla/5.0 (X11; Linux x86_64; rv:131.0)', 'HOOK', \
         '{{\"step\":' || i || '}}' FROM n"
    ))
    .await?;
    db.close().await?;
    Ok(())
}

/// The most memory that this process had.
fn peak() -> TestResult<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .ok_or("no VmHWM")?;
    let kilobytes = line.split_whitespace().nth(1).ok_or("no number")?;
    Ok(kilobytes.parse::<u64>()? * 1024)
}

#[tokio::test]
async fn memory_of_an_export_is_bounded() -> TestResult {
    if let Ok(url) = std::env::var("EXPORT_URL") {
        return export(&url).await;
    }
    let records = std::env::var("EXPORT_RECORDS").map_or(Ok(RECORDS), |count| count.parse())?;
    let file = temporary_folder()?.join(format!("export_memory_{}.sqlite", std::process::id()));
    let url = format!("sqlite:{}?mode=rwc", file.display());
    fill(&url, records).await?;
    let mut children = Vec::new();
    for format in ExportFormat::ALL {
        // It writes nothing, so that the processes do not wait for each other.
        let child = Command::new(std::env::current_exe()?)
            .args(["memory_of_an_export_is_bounded", "--exact", "--nocapture"])
            .env("EXPORT_URL", &url)
            .env("EXPORT_FORMAT", format.as_str())
            .stdout(std::process::Stdio::piped())
            .spawn()?;
        children.push((format, child));
    }
    for (format, child) in children {
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        let number = |name: &str| -> u64 {
            let (_, rest) = text.split_once(name).unwrap();
            rest.split_whitespace().next().unwrap().parse().unwrap()
        };
        println!(
            "{format}: {} records, {} bytes, {} bytes of memory",
            number("records="),
            number("bytes="),
            number("peak=")
        );
        assert_eq!(number("records="), records);
        assert!(number("bytes=") > records);
        assert!(number("peak=") < MOST_BYTES, "{format}: {text}");
        // A record that is found only after a page has used up its budget.
        assert_eq!(number("oldest="), 1);
        // The limit is reached, and the search for one more record, which uses up a budget, shows that there is none.
        assert_eq!(number("cut_off="), 0);
    }
    std::fs::remove_file(file)?;
    Ok(())
}

/// In the process of its own.
async fn export(url: &str) -> TestResult {
    let db = connect(url).await?;
    let format: ExportFormat = std::env::var("EXPORT_FORMAT")?.parse()?;
    let export = |query: AuditQuery| AuditExport::new(query, format).unrecorded();
    let oldest = export("to:price=2".parse()?)
        .write_to(&db, tokio::io::sink())
        .await?;
    let records = audit_log::Entity::find().count(&db).await?;
    let newest = export(format!("to:price={}", records + 1).parse()?).limit(1);
    let newest = newest.write_to(&db, tokio::io::sink()).await?;
    assert_eq!(newest.records, 1);
    let all = export(AuditQuery::new())
        .write_to(&db, tokio::io::sink())
        .await?;
    println!(
        "oldest={} cut_off={} records={} bytes={} peak={} ",
        oldest.records,
        u8::from(newest.cut_off.is_some()),
        all.records,
        all.bytes,
        peak()?
    );
    db.close().await?;
    Ok(())
}
