//! The program itself: start, requests, stop by a signal; no queued record is lost.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, QueryOrder};
use sea_orm_audit::entity::{
    audit_data_export, audit_log, audit_login_attempt, audit_system_event,
};
use serde_json::json;
use tokio::task::JoinHandle;

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const PASSWORD: &str = "correct horse battery";

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A separate database for a test.
struct Database {
    path: PathBuf,
    url: String,
}

impl Database {
    fn new(name: &str) -> Self {
        let name = format!("axum_shop_{name}_{}.sqlite", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let url = format!("sqlite:{}?mode=rwc", path.display());
        Self { path, url }
    }

    async fn connect(&self) -> TestResult<DatabaseConnection> {
        Ok(sea_orm::Database::connect(&self.url).await?)
    }

    /// The program on this database.
    fn shop(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_axum-shop"));
        command
            .env("DATABASE_URL", &self.url)
            .env("ADDRESS", "127.0.0.1:0")
            .env("ADMIN_PASSWORD", PASSWORD)
            .env_remove("RUST_LOG")
            .env_remove("TRUSTED_PROXIES")
            .env_remove("DEMO");
        command
    }

    async fn remove(self, db: DatabaseConnection) -> TestResult {
        db.close().await?;
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.path.display()));
        }
        Ok(())
    }
}

/// Starts the program. Returns its address, and a reader of its output: without a reader it would block.
async fn start(command: &mut Command) -> TestResult<(Running, String, JoinHandle<usize>)> {
    let mut shop = Running(command.stdout(Stdio::piped()).spawn()?);
    let output = shop.0.stdout.take().ok_or("no output")?;
    let (address, output) = tokio::task::spawn_blocking(move || {
        let mut lines = BufReader::new(output).lines();
        let address = lines.find_map(|line| {
            let line = line.ok()?;
            Some(line.split_once("address=")?.1.to_owned())
        });
        (address, lines)
    })
    .await?;
    let address = address.ok_or("the shop did not open")?;
    let output = tokio::task::spawn_blocking(move || output.map_while(Result::ok).count());
    Ok((shop, address, output))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_is_started_and_stopped_without_loss() -> TestResult {
    tokio::time::timeout(Duration::from_mins(2), started_and_stopped()).await?
}

async fn started_and_stopped() -> TestResult {
    let database = Database::new("binary");
    let mut command = database.shop();
    command
        .env("AUDIT_HASH_KEY", "0123456789abcdef0123456789abcdef")
        .env("DEMO", "1");
    let (mut shop, address, output) = start(&mut command).await?;

    let client = Client::builder().no_proxy().build()?;
    let wrong = json!({ "name": "admin", "password": "a guess" });
    for answer in [
        [StatusCode::UNAUTHORIZED; 5].as_slice(),
        &[StatusCode::TOO_MANY_REQUESTS],
    ]
    .concat()
    {
        let login = client.post(format!("http://{address}/login")).json(&wrong);
        assert_eq!(login.send().await?.status(), answer);
    }
    for path in ["panic", "error"] {
        let answer = client.get(format!("http://{address}/demo/{path}")).send();
        assert_eq!(answer.await?.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
    // Two clients send half of a request, and wait: one half of the head, for which the server waits half a minute,
    // and one half of the body, for which it waits without limit. Its `100 Continue` shows that the handler reads the
    // body.
    let mut half_head = std::net::TcpStream::connect(&address)?;
    half_head.write_all(b"GET /products HTTP/1.1\r\nhost: shop\r\n")?;
    let mut half_body = std::net::TcpStream::connect(&address)?;
    half_body.write_all(
        b"POST /login HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n\
          content-length: 1000\r\nexpect: 100-continue\r\n\r\n{\"name\":",
    )?;
    let mut go_on = [0; 12];
    half_body.read_exact(&mut go_on)?;
    assert_eq!(&go_on, b"HTTP/1.1 100");
    // At once: the last report is still queued.
    let asked = Command::new("kill")
        .args(["-TERM", &shop.0.id().to_string()])
        .status()?;
    assert!(asked.success());
    let status = tokio::task::spawn_blocking(move || shop.0.wait()).await??;
    assert!(status.success(), "{status}");
    output.await?;
    drop((half_head, half_body));

    let db = database.connect().await?;
    let log = audit_log::Entity::find().all(&db).await?;
    let actions: Vec<_> = log.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(
        actions,
        [["CREATE"].as_slice(), &["LOGIN_FAILED"; 6]].concat()
    );
    let attempts = audit_login_attempt::Entity::find().all(&db).await?;
    let statuses: Vec<_> = attempts
        .iter()
        .map(|attempt| attempt.status.as_str())
        .collect();
    assert_eq!(statuses, [["FAILED"; 5].as_slice(), &["BLOCKED"]].concat());
    let events = audit_system_event::Entity::find()
        .order_by_asc(audit_system_event::Column::Id)
        .all(&db)
        .await?;
    let recorded: Vec<_> = (events.iter())
        .map(|event| {
            (
                event.event_type.as_str(),
                event.title.as_str(),
                event.occurrences,
            )
        })
        .collect();
    assert_eq!(
        recorded,
        [
            ("MAINTENANCE", "audit configuration installed", 1),
            // For each of the shop's two migrations.
            ("MAINTENANCE", "audit migration mode entered", 1),
            ("MAINTENANCE", "audit migration mode left", 1),
            ("MAINTENANCE", "audit migration mode entered", 1),
            ("MAINTENANCE", "audit migration mode left", 1),
            ("SECURITY", "authn_login_fail_max", 1),
            ("ERROR", "a handler panicked", 1),
            ("ERROR", "the application logged an error", 1),
            ("ERROR", "a request was answered with a server error", 1),
            // The half of a body: it was cut off at the deadline.
            ("PERFORMANCE", "a request was slow", 1),
        ]
    );
    let cut_off = events[9].metadata.as_ref().ok_or("no metadata")?;
    assert_eq!(
        (&cut_off["path"], &cut_off["ended"]),
        (&json!("/login"), &json!("dropped"))
    );
    let left = events[4].metadata.as_ref().ok_or("no metadata")?;
    assert_eq!(left["suppressed"], 3);
    database.remove(db).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_setting_is_explained_and_earlier_reports_are_written() -> TestResult {
    let database = Database::new("setting");
    let output = (database.shop())
        .env("TRUSTED_PROXIES", "nginx")
        .env("NO_COLOR", "1")
        .output()?;
    assert_eq!(output.status.code(), Some(1));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said)?;
    assert!(
        said.contains("TRUSTED_PROXIES: `nginx` is neither a network nor an address"),
        "{said}"
    );
    assert!(!said.contains("NoNetwork"), "{said}");
    let db = database.connect().await?;
    let events = audit_system_event::Entity::find().all(&db).await?;
    let titles: Vec<_> = events.iter().map(|event| event.title.as_str()).collect();
    assert!(
        titles.contains(&"audit configuration installed"),
        "{titles:?}"
    );
    assert!(
        titles.contains(&"the application logged an error"),
        "{titles:?}"
    );
    database.remove(db).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::disallowed_methods)] // a process is waited for, without blocking where it serves on
async fn wrong_setting_of_any_kind_is_refused_with_its_name() -> TestResult {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let database = Database::new("settings");
    let not_text = OsStr::from_bytes(b"10.0.0.0\xff");
    for (name, value, reason) in [
        (
            "ADMIN_PASSWORD",
            OsStr::new("horse"),
            "at least 8 characters",
        ),
        ("ADMIN_PASSWORD", OsStr::new(""), "at least 8 characters"),
        ("ADMIN_PASSWORD", not_text, "is not UTF-8"),
        ("TRUSTED_PROXIES", not_text, "is not UTF-8"),
        ("ADDRESS", not_text, "is not UTF-8"),
        ("DATABASE_URL", not_text, "is not UTF-8"),
        ("RUST_LOG", not_text, "is not UTF-8"),
        ("DEMO", not_text, "is not UTF-8"),
        (
            "DEMO",
            OsStr::new("yes"),
            "is neither `1` (on) nor `0` (off)",
        ),
    ] {
        let mut shop = database.shop();
        shop.env("NO_COLOR", "1").env(name, value);
        let mut shop = Running(shop.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
        // A program that accepts the setting would serve on.
        let mut patience = 300;
        let status = loop {
            match shop.0.try_wait()? {
                Some(status) => break status,
                None if patience == 0 => return Err(format!("{name}={value:?} starts").into()),
                None => patience -= 1,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(status.code(), Some(1), "{name}={value:?}");
        let mut said = String::new();
        let (output, errors) = (shop.0.stdout.take(), shop.0.stderr.take());
        output.ok_or("no output")?.read_to_string(&mut said)?;
        errors.ok_or("no errors")?.read_to_string(&mut said)?;
        let line = said.lines().find(|line| line.contains(reason));
        assert!(line.is_some_and(|line| line.contains(name)), "{said}");
        assert!(!said.contains("horse"), "the password is logged: {said}");
    }
    let db = database.connect().await?;
    database.remove(db).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn demo_is_on_with_1_only() -> TestResult {
    let client = Client::builder().no_proxy().build()?;
    let database = Database::new("demo");
    for (demo, answer) in [
        ("1", StatusCode::INTERNAL_SERVER_ERROR),
        ("0", StatusCode::NOT_FOUND),
        ("", StatusCode::NOT_FOUND),
    ] {
        let (_shop, address, _output) = start(database.shop().env("DEMO", demo)).await?;
        let url = format!("http://{address}/demo/error");
        let status = client.get(url).send().await?.status();
        assert_eq!(status, answer, "DEMO={demo}");
    }
    let db = database.connect().await?;
    database.remove(db).await
}

/// A client that stops reading, before the program is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn export_of_a_killed_program_is_recorded_as_begun() -> TestResult {
    tokio::time::timeout(Duration::from_mins(2), killed_while_exporting()).await?
}

async fn killed_while_exporting() -> TestResult {
    let database = Database::new("killed");
    let (mut shop, address, _output) = start(&mut database.shop()).await?;

    // More lines than sockets buffer.
    let db = database.connect().await?;
    db.execute_unprepared(
        "INSERT INTO customer_order (id, user_id, placed_at) VALUES (1, 1, '2026-11-30T12:00:00Z'); \
         INSERT INTO order_line (order_id, product_id, quantity, price) \
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000) \
         SELECT 1, 1, 1, 1 FROM n",
    )
    .await?;
    let client = Client::builder().no_proxy().build()?;
    let admin = json!({ "name": "admin", "password": PASSWORD });
    let login = client.post(format!("http://{address}/login")).json(&admin);
    let login = login.send().await?;
    assert_eq!(login.status(), StatusCode::OK);
    let cookie = login.headers().get("set-cookie").ok_or("no cookie")?;
    let cookie = cookie.to_str()?.split(';').next().unwrap_or_default();
    let mut stalled = std::net::TcpStream::connect(&address)?;
    write!(
        stalled,
        "GET /export/orders.csv HTTP/1.1\r\nhost: shop\r\ncookie: {cookie}\r\n\r\n"
    )?;
    // The first bytes of the file follow the record of the beginning.
    let mut first = Vec::new();
    while !String::from_utf8_lossy(&first).contains("order_id,") {
        let mut byte = [0; 1];
        stalled.read_exact(&mut byte)?;
        first.extend(byte);
    }
    shop.0.kill()?;
    shop.0.wait()?;

    let exports = audit_data_export::Entity::find().all(&db).await?;
    assert_eq!(exports.len(), 1);
    assert_eq!((&*exports[0].outcome, exports[0].file_size), ("OPEN", None));
    assert_eq!(exports[0].actor_name.as_deref(), Some("admin"));
    let log = audit_log::Entity::find().all(&db).await?;
    let recorded: Vec<_> = (log.iter())
        .filter(|record| record.action == "EXPORT")
        .map(|record| (record.outcome.as_str(), Some(record.id)))
        .collect();
    assert_eq!(recorded, [("OPEN", exports[0].log_id)]);
    database.remove(db).await
}
