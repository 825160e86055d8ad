//! The command on the databases of the examples: the quickstart's and the shop's, which their programs make.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::program::{json, output};
use crate::support::TestResult;

/// A program of the examples, which `cargo test --workspace` builds.
fn program(name: &str) -> TestResult<PathBuf> {
    let tests = std::env::current_exe()?;
    let folder = tests.ancestors().nth(2).ok_or("no folder")?;
    let program = folder.join(name);
    if program.exists() {
        Ok(program)
    } else {
        Err(format!(
            "{} is not built: run `cargo build -p {name}` with the same features",
            program.display()
        )
        .into())
    }
}

/// The rows of an edition of the quickstart's data, by their key.
fn edition(name: &str, file: &str) -> TestResult<BTreeMap<String, Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/data/iso")
        .join(name)
        .join(file);
    let mut reader = csv::Reader::from_path(path)?;
    let columns = reader.headers()?.clone();
    let mut rows = BTreeMap::new();
    for line in reader.records() {
        let line = line?;
        let fields = columns.iter().zip(&line).map(|(column, value)| {
            let value = if value.is_empty() {
                Value::Null
            } else {
                json!(value)
            };
            (column.to_owned(), json!({ "value": value }))
        });
        rows.insert(line[0].to_owned(), Value::Object(fields.collect()));
    }
    Ok(rows)
}

#[test]
fn quickstart_is_read_back_from_its_log() -> TestResult {
    let done = Command::new(program("quickstart")?).output()?;
    assert!(done.status.success(), "{done:?}");
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/quickstart.sqlite");
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("quickstart.sqlite");
    fs::copy(made, &file)?;
    let url = format!("sqlite:{}", file.display());

    // The editions' times are those of their last records.
    let mut times = Vec::new();
    for name in ["2018", "2024", "2026"] {
        let reason = format!("reason:\"edition {name}\"");
        let last = json(&url, &["log", &reason, "-n", "1"])?.remove(0);
        times.push((
            name,
            last["occurred_at"].as_str().ok_or("no time")?.to_owned(),
        ));
    }
    let languages: Vec<(&str, BTreeMap<String, Value>)> = times
        .iter()
        .map(|(name, _)| Ok((*name, edition(name, "languages.csv")?)))
        .collect::<TestResult<_>>()?;
    // Rows that changed in different ways, and one that did not.
    for key in ["slq", "deu", "ajp", "emy", "aac"] {
        for ((name, time), (_, rows)) in times.iter().zip(&languages) {
            let past = json(&url, &["as-of", "languages", key, time])?.remove(0);
            let expected = rows.get(key).cloned().unwrap_or(Value::Null);
            assert_eq!(past["fields"], expected, "{key} in {name}");
            assert_eq!(
                past["state"],
                if expected.is_null() {
                    "absent"
                } else {
                    "present"
                }
            );
        }
    }
    let stats = json(&url, &["stats"])?.remove(0);
    assert_eq!(stats["tables"][0]["rows"], 16_686);
    assert_eq!(
        stats["by_model"][0],
        json!({ "model": "languages", "records": 8_753 })
    );
    let updates = json(&url, &["log", "model:countries", "action:update", "--all"])?;
    assert_eq!(updates.len(), 9);
    let all = json(&url, &["log", "--all"])?;
    assert_eq!(all.len(), 16_686);
    assert!(output(&url, &["doctor"])?.ends_with("no problems\n"));
    let blame = json(&url, &["blame", "subdivisions", "IT-23"])?;
    let name = blame
        .iter()
        .find(|line| line["field"] == "name")
        .ok_or("no name")?;
    // The quickstart undoes the last edition, and undoes that: 313 records each, whose reference is in the metadata.
    assert_eq!(name["state"]["value"], json!("Valle d'Aosta"));
    assert!(name["record"]["metadata"]["undoes"]["transaction"].is_string());
    Ok(())
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a request. Returns the response.
fn send(address: &str, method: &str, path: &str, cookie: &str, body: &Value) -> TestResult<String> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         cookie: {cookie}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

#[test]
fn shop_is_read_while_it_runs() -> TestResult {
    const PASSWORD: &str = "correct horse battery";
    let folder = tempfile::tempdir()?;
    let url = format!(
        "sqlite:{}?mode=rwc",
        folder.path().join("shop.sqlite").display()
    );
    let mut shop = Running(
        Command::new(program("axum-shop")?)
            .env("DATABASE_URL", &url)
            .env("ADDRESS", "127.0.0.1:0")
            .env("ADMIN_PASSWORD", PASSWORD)
            .env("DEMO", "1")
            .env_remove("RUST_LOG")
            .env_remove("TRUSTED_PROXIES")
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut lines = BufReader::new(shop.0.stdout.take().ok_or("no output")?).lines();
    let address = lines
        .find_map(|line| Some(line.ok()?.split_once("address=")?.1.to_owned()))
        .ok_or("the shop did not open")?;
    // It would block without a reader.
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).count());

    let wrong = send(
        &address,
        "POST",
        "/login",
        "",
        &json!({ "name": "admin", "password": "a guess" }),
    )?;
    assert!(wrong.starts_with("HTTP/1.1 401"), "{wrong}");
    let right = send(
        &address,
        "POST",
        "/login",
        "",
        &json!({ "name": "admin", "password": PASSWORD }),
    )?;
    let cookie = right
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .and_then(|cookie| cookie.split(';').next())
        .ok_or_else(|| format!("no session: {right}"))?;
    let product = json!({ "name": "Tea \u{1b}[2J", "price": "4.50", "stock": 3 });
    let created = send(&address, "POST", "/products", cookie, &product)?;
    assert!(created.starts_with("HTTP/1.1 2"), "{created}");
    let id = json(&url, &["log", "model:product", "action:create", "-n", "1"])?.remove(0);
    let id = id["object_id"].as_str().ok_or("no id")?;
    let edit = json!({ "price": "4.90", "reason": "new prices" });
    let edited = send(&address, "PATCH", &format!("/products/{id}"), cookie, &edit)?;
    assert!(edited.starts_with("HTTP/1.1 2"), "{edited}");
    let exported = send(&address, "GET", "/export/orders.csv", cookie, &json!(null))?;
    assert!(exported.starts_with("HTTP/1.1 200"), "{exported}");
    let failed = send(&address, "GET", "/demo/panic", cookie, &json!(null))?;
    assert!(failed.starts_with("HTTP/1.1 500"), "{failed}");

    let history = json(&url, &["history", "product", id])?;
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!(history[1]["record"]["reason"], "new prices");
    assert_eq!(history[1]["record"]["actor_name"], "admin");
    assert_eq!(history[1]["record"]["ip_address"], "127.0.0.1");
    let blame = output(&url, &["blame", "product", id])?;
    assert!(blame.contains("4.9"), "{blame}");
    let logins = json(&url, &["logins"])?;
    let statuses: Vec<&Value> = logins.iter().map(|login| &login["status"]).collect();
    assert_eq!(statuses, ["SUCCESS", "FAILED"]);
    assert_eq!(
        json(&url, &["logins", "--failed", "--user", "admin"])?.len(),
        1
    );
    let exports = json(&url, &["exports"])?;
    assert_eq!(
        (&exports[0]["outcome"], &exports[0]["actor_name"]),
        (&json!("SUCCESS"), &json!("admin"))
    );
    let summary = json(&url, &["summary"])?.remove(0);
    assert_eq!(summary["exports"]["count"], 1);
    let stopped = Command::new("kill")
        .args(["-TERM", &shop.0.id().to_string()])
        .status()?;
    assert!(stopped.success() && shop.0.wait()?.success());
    reader.join().map_err(|_| "the reader panicked")?;
    // All events are written when it has stopped.
    let events = json(&url, &["events"])?;
    assert!(
        events
            .iter()
            .any(|event| event["title"] == "a handler panicked"),
        "{events:?}"
    );
    assert!(output(&url, &["doctor"])?.contains("no problems"));
    Ok(())
}
