//! A server that is killed while twenty tasks write through one `AuditedConnection`, and restarted: the log equals the
//! table, and the pool recovers.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    clippy::drop_non_drop
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait,
    QueryOrder, Schema, Set, Statement, TransactionTrait,
};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::migration::{Migrator, MigratorTrait};

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

mod post {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "post")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub qty: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Which server is killed.
#[derive(Clone, Copy)]
enum Kind {
    Postgres,
    Mariadb,
}

impl Kind {
    const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "TEST_POSTGRES_URL",
            Self::Mariadb => "TEST_MYSQL_URL",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Postgres => Self::Mariadb,
            Self::Mariadb => Self::Postgres,
        }
    }

    /// The file with the server's process ID.
    async fn pid_file(self, db: &DatabaseConnection) -> TestResult<PathBuf> {
        let sql = match self {
            Self::Postgres => {
                "SELECT setting || '/postmaster.pid' AS file, setting AS folder FROM pg_settings \
                 WHERE name = 'data_directory'"
            }
            Self::Mariadb => "SELECT @@pid_file AS file, @@datadir AS folder",
        };
        let row = db
            .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
            .await?
            .ok_or("the server does not say where it is")?;
        let folder: String = row.try_get("", "folder")?;
        Ok(Path::new(&folder).join(row.try_get::<String>("", "file")?))
    }
}

/// A server of this test's own. It lives as long as the script that started it.
struct Server {
    script: Child,
    url: String,
    restarted: Option<Child>,
}

impl Server {
    fn start(kind: Kind) -> TestResult<Self> {
        let mut script = Command::new(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../scripts/with-databases"
        ))
        .args(["sh", "-c"])
        .arg(format!("echo ${}; cat >/dev/null", kind.variable()))
        .env_remove(kind.variable())
        // The script needs the variable, but starts no second server.
        .env(kind.other().variable(), "none")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
        let output = script.stdout.take().ok_or("no output")?;
        let mut url = String::new();
        BufReader::new(output).read_line(&mut url)?;
        Ok(Self {
            script,
            url: url.trim().to_owned(),
            restarted: None,
        })
    }

    /// Kills the server and all its processes at once, and starts it again on the same data.
    fn kill_and_restart(&mut self, pid_file: &Path) -> TestResult {
        let pid = std::fs::read_to_string(pid_file)?;
        let pid = pid.lines().next().ok_or("no pid")?.trim().to_owned();
        let command: Vec<String> = std::fs::read_to_string(format!("/proc/{pid}/cmdline"))?
            .split_terminator('\0')
            .map(str::to_owned)
            .collect();
        let (user, group) = (id_of(&pid, "Uid:")?, id_of(&pid, "Gid:")?);
        let children = children_of(&pid)?.join(" ");
        let kill = format!("kill -9 {pid} {children}");
        Command::new("sh").args(["-c", &kill]).status()?;
        // The file is unreadable after the process has ended.
        while std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
        {
            std::thread::yield_now();
        }
        std::fs::remove_file(pid_file)?;
        let is_root = Command::new("id").arg("-u").output()?.stdout == b"0\n";
        let mut again = if is_root {
            let mut again = Command::new("setpriv");
            again.args(["--reuid", &user, "--regid", &group, "--clear-groups", "--"]);
            again.args(&command);
            again
        } else {
            let mut again = Command::new(&command[0]);
            again.args(&command[1..]);
            again
        };
        self.restarted = Some(again.current_dir("/").stderr(Stdio::null()).spawn()?);
        Ok(())
    }
}

/// The user or group of a process, from `/proc`.
fn id_of(pid: &str, which: &str) -> TestResult<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(which));
    let id = line.and_then(|ids| ids.split_whitespace().next());
    Ok(id.ok_or("the process has no user")?.to_owned())
}

/// The children of a process, from `/proc`.
fn children_of(pid: &str) -> TestResult<Vec<String>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        // A process that has ended is no child.
        let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        if status.lines().any(|line| line == format!("PPid:\t{pid}")) {
            children.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(children)
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut server) = self.restarted.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
        // Its input ends, and so does the command that reads it.
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}

async fn write(db: &AuditedConnection, task: usize, round: usize) -> Result<(), sea_orm::DbErr> {
    let new = || post::ActiveModel {
        qty: Set(i32::try_from(round).unwrap_or_default()),
        ..Default::default()
    };
    let row = i32::try_from(task % 5).unwrap_or_default() + 1;
    match round % 4 {
        0 => drop(new().insert(db).await?),
        1 => {
            let changed = post::ActiveModel {
                id: Set(row),
                ..new()
            };
            changed.update(db).await?;
        }
        2 => {
            let new = new().insert(db).await?;
            post::Entity::delete_by_id(new.id).exec(db).await?;
        }
        _ => {
            let tx = db.begin().await?;
            new().insert(&tx).await?;
            new().insert(&tx).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_postgres_leaves_a_true_log_and_a_pool_that_goes_on() -> TestResult {
    killed(Kind::Postgres).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_mariadb_leaves_a_true_log_and_a_pool_that_goes_on() -> TestResult {
    killed(Kind::Mariadb).await
}

async fn killed(kind: Kind) -> TestResult {
    let variable = kind.variable();
    if std::env::var_os(variable).is_none() {
        assert!(std::env::var_os("CI").is_none(), "{variable} is not set");
        eprintln!("NOT RUN: start servers with scripts/with-databases");
        return Ok(());
    }
    let mut server = Server::start(kind)?;
    let mut options = ConnectOptions::new(server.url.clone());
    options
        .max_connections(5)
        .sqlx_logging(false)
        .acquire_timeout(Duration::from_mins(1));
    let plain = Database::connect(options).await?;
    Migrator::up(&plain, None).await?;
    let schema = Schema::new(plain.get_database_backend());
    plain
        .execute(&schema.create_table_from_entity(post::Entity))
        .await?;
    let db = AuditedConnection::new(plain.clone());
    for _ in 0..5 {
        write(&db, 0, 0).await?;
    }
    let pid_file = kind.pid_file(&plain).await?;

    let (done, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut tasks = Vec::new();
    for task in 0..20 {
        let (db, done, failed) = (db.clone(), Arc::clone(&done), Arc::clone(&failed));
        tasks.push(tokio::spawn(async move {
            let mut round = 0;
            // Enough records before the server is killed, and after its restart.
            while done.load(Ordering::SeqCst) < 1500 {
                match write(&db, task, round).await {
                    Ok(()) => done.fetch_add(1, Ordering::SeqCst),
                    Err(_) => failed.fetch_add(1, Ordering::SeqCst),
                };
                round += 1;
                tokio::task::yield_now().await;
            }
        }));
    }
    while done.load(Ordering::SeqCst) < 500 {
        tokio::task::yield_now().await;
    }
    let server = tokio::task::spawn_blocking(move || {
        server.kill_and_restart(&pid_file)?;
        TestResult::Ok(server)
    })
    .await??;
    for task in tasks {
        task.await?;
    }
    assert!(
        failed.load(Ordering::SeqCst) > 0,
        "nothing was under way when the server went"
    );

    let mut rows = std::collections::BTreeMap::new();
    let log = audit_log::Entity::find()
        .order_by_asc(audit_log::Column::Id)
        .all(&plain)
        .await?;
    for record in log {
        let id: i32 = record.object_id.clone().unwrap_or_default().parse()?;
        let changes = record.changed().unwrap_or_default();
        let qty = changes.get("qty");
        if let Some(old) = qty.and_then(|change| change.old_value()) {
            assert_eq!(rows.get(&id), Some(old), "row {id}");
        }
        match (
            record.action.as_str(),
            qty.and_then(|change| change.new_value()),
        ) {
            ("DELETE", _) => drop(rows.remove(&id)),
            (_, Some(new)) => drop(rows.insert(id, new.clone())),
            _ => {}
        }
    }
    let posts = post::Entity::find().all(&plain).await?;
    assert_eq!(posts.len(), rows.len());
    for post in posts {
        assert_eq!(rows[&post.id], post.qty, "row {}", post.id);
    }
    plain.close().await?;
    drop(server);
    Ok(())
}
