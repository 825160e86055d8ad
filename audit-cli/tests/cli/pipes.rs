//! Pipes that are closed, processes that are killed, and `--follow`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::{NotSet, Set};
use sea_orm_audit::entity::audit_log;
use serde_json::{Value, json};

use crate::program::{command, json, run, url};
use crate::sample::{fill, insert};
use crate::support::{TestDb, TestResult};

on_every_database! {
    closed_pipe_ends_the_command_quietly,
    killed_export_stays_open,
    stopped_export_is_recorded_as_cancelled,
    follow_shows_new_records,
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn record(number: i32) -> TestResult<audit_log::ActiveModel> {
    Ok(audit_log::ActiveModel {
        id: NotSet,
        occurred_at: Set("2026-03-05T10:30:15Z".parse()?),
        action: Set("UPDATE".to_owned()),
        outcome: Set("SUCCESS".to_owned()),
        model: Set(Some("stock".to_owned())),
        object_id: Set(Some(number.to_string())),
        changes: Set(Some(
            json!({ "text": { "new": "a long text ".repeat(40) } }),
        )),
        actor_type: Set("SYSTEM".to_owned()),
        source: Set("MANUAL".to_owned()),
        ..Default::default()
    })
}

/// More than a pipe holds.
async fn fill_pipe(db: &TestDb) -> TestResult {
    use sea_orm::EntityTrait;
    for chunk in 0..10 {
        let records: Vec<_> = (0..200)
            .map(|number| record(chunk * 200 + number))
            .collect::<TestResult<_>>()?;
        audit_log::Entity::insert_many(records)
            .exec(&db.conn)
            .await?;
    }
    Ok(())
}

async fn closed_pipe_ends_the_command_quietly(db: &TestDb) -> TestResult {
    fill_pipe(db).await?;
    for args in [&["log", "--all"] as &[&str], &["log", "--all", "--json"]] {
        let mut child = command(&url(db))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut out = BufReader::new(child.stdout.take().ok_or("no output")?);
        out.read_line(&mut String::new())?;
        drop(out);
        let mut err = String::new();
        child
            .stderr
            .take()
            .ok_or("no errors")?
            .read_to_string(&mut err)?;
        assert_eq!(
            (child.wait()?.code(), err.as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
    // An export that is cut off is a failure, and says nothing either.
    let mut child = command(&url(db))
        .args(["export", "-f", "csv"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut out = BufReader::with_capacity(1, child.stdout.take().ok_or("no output")?);
    out.read_line(&mut String::new())?;
    drop(out);
    let mut err = String::new();
    child
        .stderr
        .take()
        .ok_or("no errors")?
        .read_to_string(&mut err)?;
    assert_eq!((child.wait()?.code(), err.as_str()), (Some(4), ""));
    let export = json(&url(db), &["exports", "-n", "1"])?.remove(0);
    assert_eq!(export["outcome"], "FAILURE");
    assert!(export["record_count"].as_i64() < Some(2_000), "{export}");
    Ok(())
}

/// Begins an export to a pipe, and reads the first line: the rest does not fit into the pipe.
fn begun(db: &TestDb) -> TestResult<(Running, BufReader<std::process::ChildStdout>)> {
    let mut child = Running(
        command(&url(db))
            .args(["export", "-f", "jsonl"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?,
    );
    let mut out = BufReader::with_capacity(1, child.0.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    out.read_line(&mut line)?;
    assert!(line.starts_with("{\"id\":"), "{line}");
    Ok((child, out))
}

async fn killed_export_stays_open(db: &TestDb) -> TestResult {
    fill_pipe(db).await?;
    let (mut child, _out) = begun(db)?;
    child.0.kill()?;
    child.0.wait()?;
    let open = json(&url(db), &["exports", "--open"])?;
    assert_eq!((open.len(), &open[0]["record_count"]), (1, &Value::Null));
    Ok(())
}

async fn stopped_export_is_recorded_as_cancelled(db: &TestDb) -> TestResult {
    fill_pipe(db).await?;
    for signal in ["-TERM", "-INT"] {
        let (mut child, out) = begun(db)?;
        let done = Command::new("kill")
            .args([signal, &child.0.id().to_string()])
            .status()?;
        assert!(done.success());
        let mut err = String::new();
        let mut errors = child.0.stderr.take().ok_or("no errors")?;
        // The write that waits for the pipe must end before the process does.
        let drained = std::thread::spawn(move || std::io::copy(&mut { out }, &mut std::io::sink()));
        errors.read_to_string(&mut err)?;
        assert_eq!(child.0.wait()?.code(), Some(4), "{err}");
        drained.join().map_err(|_| "the reader panicked")??;
        assert!(err.contains("stopped by a signal"), "{err}");
        let export = json(&url(db), &["exports", "-n", "1"])?.remove(0);
        assert_eq!(export["outcome"], "FAILURE", "{signal}");
        let end = json(&url(db), &["log", "action:export", "-n", "1"])?.remove(0);
        assert_eq!(end["metadata"]["cut_off"], "cancelled");
    }
    Ok(())
}

async fn follow_shows_new_records(db: &TestDb) -> TestResult {
    fill(db).await?;
    let args = [
        "log",
        "model:stock,product",
        "--follow",
        "-n",
        "2",
        "--interval",
        "0.05",
        "--json",
    ];
    let mut child = Running(
        command(&url(db))
            .args(args)
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut lines = BufReader::new(child.0.stdout.take().ok_or("no output")?).lines();
    let mut next = || -> TestResult<Value> {
        let line = lines.next().ok_or("the command ended")??;
        Ok(serde_json::from_str(&line)?)
    };
    let begin = Instant::now();
    assert_eq!(
        (next()?["id"].clone(), next()?["id"].clone()),
        (json!(4), json!(5))
    );
    for number in 1..=3 {
        let id = insert(db, record(number)?).await?;
        let shown = next()?;
        assert_eq!(
            (&shown["id"], &shown["object_id"]),
            (&json!(id), &json!(number.to_string()))
        );
    }
    // More than a page at once: in order, and each once.
    let mut ids = Vec::new();
    for number in 0..120 {
        ids.push(insert(db, record(number)?).await?);
    }
    for id in ids {
        assert_eq!(next()?["id"], json!(id));
    }
    assert!(begin.elapsed() < Duration::from_mins(1));
    let stopped = Command::new("kill")
        .args(["-INT", &child.0.id().to_string()])
        .status()?;
    assert!(stopped.success());
    assert!(!child.0.wait()?.success());
    // As lines, too.
    let mut child = Running(
        command(&url(db))
            .args(["log", "model:product", "-f", "-n", "1"])
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    assert!(line.contains("2026-03-04 09:01:05  DELETE"), "{line}");
    drop(child);
    assert_eq!(run(&url(db), &["log", "-f", "--all"])?.code, Some(2));
    Ok(())
}
