//! `export`: the file, and the record of it.

use std::fs;

use sea_orm::ConnectionTrait;
use sea_orm_audit_tests::support::refuse_rows;
use serde_json::{Value, json};

use crate::program::{json, run, url};
use crate::sample::fill;
use crate::support::{TestDb, TestResult};

on_every_database! {
    export_writes_a_file_and_is_recorded,
    limit_is_reported,
    existing_file_is_kept,
    refused_record_writes_nothing_unless_it_is_unrecorded,
    full_disk_is_recorded_as_a_failure,
}

async fn export_writes_a_file_and_is_recorded(db: &TestDb) -> TestResult {
    fill(db).await?;
    let folder = tempfile::tempdir()?;
    let expected = json(&url(db), &["log", "model:product"])?;
    for (at, ending) in ["csv", "jsonl", "parquet"].into_iter().enumerate() {
        let file = folder.path().join(format!("product.{ending}"));
        let name = file.display().to_string();
        let done = run(
            &url(db),
            &[
                "export",
                "model:product",
                "--output",
                &name,
                "--reason",
                "audit 2026",
            ],
        )?;
        assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
        let bytes = fs::read(&file)?;
        let report = format!(
            "5 records, {} bytes, recorded as export {}\n",
            bytes.len(),
            at + 2
        );
        assert_eq!(done.err, report);
        match ending {
            "csv" => {
                let ids = csv::Reader::from_reader(bytes.as_slice());
                let ids: Vec<String> = ids
                    .into_records()
                    .map(|line| line.unwrap()[0].to_owned())
                    .collect();
                assert_eq!(ids, ["5", "4", "3", "2", "1"]);
            }
            "jsonl" => {
                let text = String::from_utf8(bytes)?;
                let lines: Vec<Value> = text
                    .lines()
                    .map(serde_json::from_str)
                    .collect::<Result<_, _>>()?;
                assert_eq!(lines, expected);
            }
            _ => assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1")),
        }
        let export = json(&url(db), &["exports", "-n", "1"])?.remove(0);
        assert_eq!(
            (
                &export["outcome"],
                &export["record_count"],
                &export["file_path"]
            ),
            (&json!("SUCCESS"), &json!(5), &json!(name))
        );
        assert_eq!(
            (&export["actor_id"], &export["actor_name"]),
            (&json!("sea-orm-audit"), &json!("ann"))
        );
        assert_eq!(
            export["filters_applied"],
            json!({ "query": "model:product" })
        );
        let records = json(&url(db), &["log", "action:export", "-n", "2"])?;
        assert_eq!(
            (&records[0]["reason"], &records[0]["module"]),
            (&json!("audit 2026"), &json!("command line"))
        );
        assert_eq!(
            (&records[0]["outcome"], &records[1]["outcome"]),
            (&json!("SUCCESS"), &json!("OPEN"))
        );
    }
    // To a pipe, with the report as JSON of a file.
    let piped = run(&url(db), &["export", "model:product", "-f", "jsonl"])?;
    assert_eq!(piped.out.lines().count(), 5);
    let name = folder.path().join("again.csv").display().to_string();
    let done = run(
        &url(db),
        &["export", "model:product", "-o", &name, "--json"],
    )?;
    let report: Value = serde_json::from_str(&done.out)?;
    assert_eq!(
        (&report["records"], &report["cut_off"]),
        (&json!(5), &Value::Null)
    );
    Ok(())
}

async fn limit_is_reported(db: &TestDb) -> TestResult {
    fill(db).await?;
    let done = run(
        &url(db),
        &["export", "model:product", "-f", "csv", "-n", "2"],
    )?;
    assert_eq!((done.code, done.out.lines().count()), (Some(0), 3));
    assert!(done.err.contains("the limit cut it off"), "{done:?}");
    let record = json(&url(db), &["log", "action:export", "-n", "1"])?.remove(0);
    assert_eq!(record["metadata"]["cut_off"], "limit");
    Ok(())
}

async fn existing_file_is_kept(db: &TestDb) -> TestResult {
    fill(db).await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("x.csv");
    fs::write(&file, "precious")?;
    let name = file.display().to_string();
    let done = run(&url(db), &["export", "-o", &name])?;
    assert_eq!(done.code, Some(4));
    assert!(done.err.contains("`--force` replaces it"), "{done:?}");
    assert_eq!(fs::read_to_string(&file)?, "precious");
    assert_eq!(json(&url(db), &["exports"])?.len(), 1);
    assert_eq!(
        run(&url(db), &["export", "-o", &name, "--force"])?.code,
        Some(0)
    );
    assert!(fs::read_to_string(&file)?.starts_with("id,occurred_at"));
    Ok(())
}

async fn refused_record_writes_nothing_unless_it_is_unrecorded(db: &TestDb) -> TestResult {
    fill(db).await?;
    refuse_rows(db, "audit_data_export", "export_type", "audit_log").await?;
    let done = run(&url(db), &["export", "-f", "csv"])?;
    assert_eq!((done.code, done.out.as_str()), (Some(3), ""));
    assert!(
        done.err.contains("nothing was exported") && done.err.contains("`--unrecorded`"),
        "{done:?}"
    );
    let done = run(&url(db), &["export", "-f", "csv", "--unrecorded"])?;
    assert_eq!((done.code, done.out.lines().count()), (Some(0), 10));
    assert!(done.err.contains("not recorded"), "{done:?}");
    assert_eq!(json(&url(db), &["exports"])?.len(), 1);
    Ok(())
}

async fn full_disk_is_recorded_as_a_failure(db: &TestDb) -> TestResult {
    fill(db).await?;
    let done = run(&url(db), &["export", "-o", "/dev/full", "-f", "jsonl"])?;
    assert_eq!(done.code, Some(4));
    assert!(
        done.err.contains("is incomplete") && done.err.contains("No space left on device"),
        "{done:?}"
    );
    let export = json(&url(db), &["exports", "-n", "1"])?.remove(0);
    assert_eq!(
        (
            &export["outcome"],
            &export["record_count"],
            &export["file_size"]
        ),
        (&json!("FAILURE"), &json!(0), &json!(0))
    );
    // All other output.
    let full = || fs::OpenOptions::new().write(true).open("/dev/full");
    for args in [
        &["log"] as &[&str],
        &["stats"],
        &["history", "product", "1"],
        &["doctor"],
        &["man"],
        &["completions", "zsh"],
    ] {
        let output = crate::program::command(&url(db))
            .args(args)
            .stdout(full()?)
            .output()?;
        assert_eq!(output.status.code(), Some(4), "{args:?}");
        let text = String::from_utf8(output.stderr)?;
        assert!(text.contains("No space left on device"), "{args:?}: {text}");
    }
    Ok(())
}

/// A database that can only be read: SQLite's files have permissions, which do not bind the administrator.
#[tokio::test]
async fn read_only_database_is_explained() -> TestResult {
    let Some(db) = TestDb::sqlite().await? else {
        return Ok(());
    };
    fill(&db).await?;
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("copy.sqlite");
    db.execute_unprepared(&format!("VACUUM INTO '{}'", copy.display()))
        .await?;
    let url = format!("sqlite:{}?mode=ro", copy.display());
    assert_eq!(json(&url, &["log"])?.len(), 9);
    let done = run(&url, &["export", "-f", "csv"])?;
    assert_eq!((done.code, done.out.as_str()), (Some(3), ""));
    assert!(
        done.err.contains("readonly database") && done.err.contains("`--unrecorded`"),
        "{done:?}"
    );
    assert_eq!(
        run(&url, &["export", "-f", "csv", "--unrecorded"])?.code,
        Some(0)
    );
    let done = run(&url, &["events", "resolve", "1", "--note", "x"])?;
    assert_eq!(done.code, Some(3));
    db.remove().await
}
