//! Runs one case: its statements on a bare and on an audited connection, over one pooled connection each (`c`),
//! and in one transaction each (`t`).

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
use sea_orm_audit::AuditedConnection;

use crate::entities::{ACCT, FAMILY, account_table, items, slot_table};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, run};
use crate::support::{TestDb, TestResult};

pub(crate) mod more {
    entity!(gen_key, [table_name = "gen_key"], {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub a: i32,
    },);
    entity!(flagged, [table_name = "flagged"], {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub flag: bool,
    },);
    entity!(sample, [table_name = "sample"], {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: DateTime,
        pub n: i32,
    },);
    entity!(big, [table_name = "big"], {
        #[sea_orm(primary_key)]
        pub id: u64,
        pub n: i32,
    },);
    entity!(dflt, [table_name = "dflt"], {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub parent_id: i32,
    },
        #[sea_orm(belongs_to = "crate::entities::parent::Entity", from = "Column::ParentId", to = "crate::entities::parent::Column::Id", on_delete = "SetDefault")]
        Parent,
    );
    entity!(node, [table_name = "node"], {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub parent_id: Option<i32>,
        pub n: i32,
    },
        #[sea_orm(belongs_to = "Entity", from = "Column::ParentId", to = "Column::Id", on_delete = "Cascade")]
        Parent,
    );
    entity!(jdoc, [table_name = "jdoc"], {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub data: Json,
    },);
    entity!(clock, [table_name = "clock"], {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub t: Option<Time>,
        pub d: Option<DateTime>,
        pub z: Option<DateTimeUtc>,
    },);
}

pub(crate) fn item() -> Table {
    Table::of("item")
}

pub(crate) fn expand(db: &TestDb, setup: &[&str]) -> Vec<String> {
    let backend = db.backend();
    let mut all = Vec::new();
    for line in setup {
        match *line {
            "@items" => all.extend(items(backend, 4)),
            "@family" => all.extend(FAMILY.iter().map(|s| (*s).to_owned())),
            "@acct" => all.push(ACCT.to_owned()),
            "@account" => all.push(account_table(backend)),
            "@slot" => all.push(slot_table(backend)),
            sql => all.push(sql.to_owned()),
        }
    }
    all
}

pub(crate) fn call(kind: char) -> Call {
    match kind {
        'e' => Call::Execute,
        'u' => Call::Unprepared,
        '1' => Call::QueryOne,
        _ => Call::QueryAll,
    }
}

/// Runs one statement on both connections. Returns the differences.
async fn step<B: ConnectionTrait, A: ConnectionTrait>(
    bare: &B,
    audited: &A,
    kind: char,
    sql: &str,
    faults: &mut Vec<String>,
) {
    let expected = run(bare, call(kind), sql, &[]).await;
    let got = run(audited, call(kind), sql, &[]).await;
    if std::env::var_os("SHOW").is_some() {
        eprintln!("{kind} {sql}\n   {expected:?}");
    }
    if expected != got {
        faults.push(format!(
            "{kind} {sql}\n    bare:    {expected:?}\n    audited: {got:?}"
        ));
    }
}

async fn play(
    db: &TestDb,
    (mode, may_be_unknown): (char, bool),
    tables: &[Table],
    setup: &[&str],
    steps: &[(char, &str)],
) -> TestResult<Vec<String>> {
    let oracle = Oracle::new(db, tables, expand(db, setup)).await?;
    let mut faults = Vec::new();
    // State of the statement before, such as SQLite's number of rows, is the same on new connections.
    let bare = oracle.bare.another().await?;
    let plain = db.another().await?;
    let audited = AuditedConnection::new(plain.clone());
    if mode == 'c' {
        for (kind, sql) in steps {
            if *kind == 'x' {
                oracle.bare.conn.execute_unprepared(sql).await?;
                db.conn.execute_unprepared(sql).await?;
            } else {
                step(&bare, &audited, *kind, sql, &mut faults).await;
            }
        }
    } else {
        let bare = bare.begin().await?;
        let audited = audited.begin().await?;
        for (kind, sql) in steps {
            step(&bare, &audited, *kind, sql, &mut faults).await;
        }
        let expected = bare.commit().await.err().map(|e| e.to_string());
        let got = audited.commit().await.err().map(|e| e.to_string());
        // PostgreSQL answers COMMIT of an aborted transaction with ROLLBACK: the refused commit is permitted.
        let aborted = got
            .as_ref()
            .is_some_and(|e| e.contains("transaction is aborted"))
            && faults.is_empty();
        if expected.is_some() != got.is_some() && !aborted {
            faults.push(format!(
                "COMMIT\n    bare:    {expected:?}\n    audited: {got:?}"
            ));
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(3), bare.close()).await;
    let _ = tokio::time::timeout(Duration::from_secs(3), plain.close()).await;
    let reports = crate::oracle::reports(db).await?;
    if std::env::var_os("SHOW").is_some() {
        eprintln!("log: {:#?}\nreports: {reports:#?}", db.log().await?);
    }
    if let Some(fault) = oracle.fault_with(may_be_unknown).await? {
        faults.push(format!("{fault}\n    reports: {reports:?}"));
    }
    Ok(faults
        .into_iter()
        .map(|f| format!("[{mode}] {f}"))
        .collect())
}

pub(crate) async fn case<F: Future<Output = TestResult<Option<TestDb>>>>(
    open: impl Fn() -> F,
    modes: &str,
    tables: &[Table],
    setup: &[&str],
    steps: &[(char, &str)],
) -> TestResult {
    let mut faults = Vec::new();
    let may_be_unknown = !modes.contains('k');
    for mode in modes.chars().filter(|mode| *mode != 'k') {
        let db = open().await?.ok_or("no server")?;
        let needs_merge = db.backend() == DbBackend::Postgres
            && steps.iter().any(|(_, sql)| sql.contains("MERGE"));
        if needs_merge && !db.has_merge().await? {
            return db.remove().await;
        }
        let played = play(&db, (mode, may_be_unknown), tables, setup, steps);
        match tokio::time::timeout(Duration::from_secs(30), played).await {
            Ok(Ok(more)) => faults.extend(more),
            Ok(Err(error)) => faults.push(format!("[{mode}] HARNESS {error}")),
            Err(_) => faults.push(format!("[{mode}] HUNG")),
        }
        let _ = tokio::time::timeout(Duration::from_secs(5), db.remove()).await;
    }
    assert!(faults.is_empty(), "BROKEN\n{}", faults.join("\n"));
    Ok(())
}

macro_rules! cases {
    ($db:ident; $($name:ident $modes:literal [$($t:expr),*] [$($s:expr),* $(,)?] [$(($c:literal, $sql:expr)),* $(,)?])*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> $crate::support::TestResult {
                $crate::harness::case(
                    $crate::support::TestDb::$db,
                    $modes,
                    &[$($t),*],
                    &[$($s),*],
                    &[$(($c, $sql)),*],
                ).await
            }
        )*
    };
}
