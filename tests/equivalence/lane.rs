//! A lane: a way of writing with its own database, and the result of a case there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IsolationLevel, QueryOrder,
    Statement,
};
use sea_orm_audit::config::{AuditConfigBuilder, FailurePolicy};
use sea_orm_audit::entity::{audit_log, audit_system_event};
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::case::Case;
use crate::connection::Connection;
use crate::entities::each_audited;
use crate::log_replay::{self, Contents, Unreadable};
use crate::run_case::{Answered, Run, begin};
use crate::schema;
use crate::support::{TestDb, TestResult};
use crate::trace::{Moment, Trace};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CapturePath {
    Plain,
    Audited,
    /// With the smallest buffers and limits.
    AuditedSmall,
    AuditedIsolate,
    Triggers,
    /// Triggers without an audited connection, as they are for other programs.
    TriggersAlone,
    Hooks,
    PlainTransaction,
    AuditedTransaction,
    AuditedTransactionSmall,
    AuditedTransactionIsolate,
    HooksTransaction,
}

impl CapturePath {
    pub(crate) const ALL: [Self; 12] = [
        Self::Plain,
        Self::PlainTransaction,
        Self::Audited,
        Self::AuditedSmall,
        Self::AuditedIsolate,
        Self::Triggers,
        Self::TriggersAlone,
        Self::Hooks,
        Self::AuditedTransaction,
        Self::AuditedTransactionSmall,
        Self::AuditedTransactionIsolate,
        Self::HooksTransaction,
    ];

    pub(crate) fn in_transaction(self) -> bool {
        matches!(
            self,
            Self::PlainTransaction
                | Self::AuditedTransaction
                | Self::AuditedTransactionSmall
                | Self::AuditedTransactionIsolate
                | Self::HooksTransaction
        )
    }

    /// The lane that it is compared with.
    pub(crate) fn reference(self, backend: DbBackend) -> Self {
        if self == Self::Triggers && backend == DbBackend::MySql {
            // See `permitted::answer`.
            Self::TriggersAlone
        } else if self.in_transaction() {
            Self::PlainTransaction
        } else {
            Self::Plain
        }
    }

    /// Whether it is unaudited.
    pub(crate) fn is_reference(self) -> bool {
        matches!(self, Self::Plain | Self::PlainTransaction)
    }

    pub(crate) fn has_hooks_only(self) -> bool {
        matches!(self, Self::Hooks | Self::HooksTransaction)
    }

    pub(crate) fn has_triggers(self) -> bool {
        matches!(self, Self::Triggers | Self::TriggersAlone)
    }

    fn config(self) -> AuditConfigBuilder {
        let mut config = AuditConfig::builder().no_secret_detection();
        if matches!(self, Self::AuditedSmall | Self::AuditedTransactionSmall) {
            config = config.buffered_records(1).chunk_rows(1).before_row_bytes(1);
        }
        if matches!(self, Self::AuditedIsolate | Self::AuditedTransactionIsolate) {
            config = config.failure_policy(FailurePolicy::Isolate);
        }
        if self.has_triggers() {
            each_audited!(E => config = config.captured_by_trigger::<E>());
        }
        config
    }
}

/// Rows as text by table.
pub(crate) type Dump = BTreeMap<String, Vec<String>>;

/// The result of a case.
pub(crate) struct Left {
    pub(crate) answers: Vec<Answered>,
    pub(crate) dump: Dump,
    pub(crate) log: Vec<audit_log::Model>,
    pub(crate) events: Vec<audit_system_event::Model>,
    pub(crate) contents: Contents,
    pub(crate) unreadable: Unreadable,
    /// Empty unless requested.
    pub(crate) moments: Vec<Moment>,
}

pub(crate) struct Lane {
    pub(crate) path: CapturePath,
    pub(crate) db: TestDb,
    /// Reads the tables.
    other: DatabaseConnection,
    /// Another client, which waits for no lock.
    client: DatabaseConnection,
    config: AuditConfig,
    /// The tables that may differ from the first rows.
    written: Mutex<BTreeSet<String>>,
    dump: String,
    first: Dump,
    pub(crate) first_contents: Contents,
}

impl Lane {
    pub(crate) async fn new(path: CapturePath, backend: DbBackend) -> TestResult<Self> {
        let db = match backend {
            DbBackend::Postgres => TestDb::postgres().await?,
            DbBackend::MySql => TestDb::mariadb().await?,
            _ => TestDb::sqlite().await?,
        };
        let db = db.ok_or("the server is gone")?;
        db.conn.execute_unprepared(schema::create(backend)).await?;
        let config = path.config().build()?;
        if path.has_triggers() {
            each_audited!(E => {
                config.scope(AuditTriggers::of::<E>().create(&db.conn)).await?;
            });
        }
        let (other, client) = (db.another().await?, db.another().await?);
        match backend {
            DbBackend::MySql => {
                let level = "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED";
                other.execute_unprepared(level).await?;
                let lock_wait = "SET SESSION innodb_lock_wait_timeout = 0";
                client.execute_unprepared(lock_wait).await?;
            }
            DbBackend::Postgres => {
                client
                    .execute_unprepared("SET lock_timeout = '10ms'")
                    .await?;
            }
            _ => {}
        }
        let mut lane = Self {
            path,
            other,
            client,
            config,
            db,
            written: Mutex::default(),
            dump: schema::dump(backend),
            first: Dump::new(),
            first_contents: Contents::new(),
        };
        lane.reset(&schema::reset(backend, |_| true)).await?;
        lane.first = lane.read().await?;
        let tables = lane.first.keys().cloned().collect();
        let unreadable = log_replay::read(&lane.other, &tables, &mut lane.first_contents).await?;
        assert!(unreadable.is_empty(), "the first rows cannot be read");
        Ok(lane)
    }

    pub(crate) async fn close(self) -> TestResult {
        self.other.close().await?;
        self.client.close().await?;
        self.db.remove().await
    }

    async fn reset(&self, reset: &str) -> TestResult {
        self.other.execute_unprepared(reset).await?;
        if self.db.backend() != DbBackend::MySql {
            return Ok(());
        }
        let moved = Statement::from_string(DbBackend::MySql, schema::MOVED);
        for row in self.other.query_all_raw(moved).await? {
            let table: String = row.try_get_by_index(0)?;
            let back = format!("ALTER TABLE {table} AUTO_INCREMENT = 10");
            self.other.execute_unprepared(&back).await?;
        }
        Ok(())
    }

    async fn read(&self) -> TestResult<Dump> {
        let statement = Statement::from_string(self.db.backend(), &self.dump);
        let mut dump = Dump::new();
        for row in self.other.query_all_raw(statement).await? {
            let table: String = row.try_get_by_index(0)?;
            let row: String = row.try_get_by_index(1)?;
            dump.entry(table).or_default().push(row);
        }
        for rows in dump.values_mut() {
            rows.sort();
        }
        Ok(dump)
    }

    pub(crate) async fn run(&self, case: &Case) -> TestResult<Left> {
        self.run_with(case, false, false).await
    }

    /// Runs a case and records the rows after each step. The locks that conflict with another client on MariaDB depend
    /// on the deleted rows of earlier cases, so those may be purged first.
    pub(crate) async fn trace(&self, case: &Case, purged: bool) -> TestResult<Left> {
        self.run_with(case, true, purged).await
    }

    async fn run_with(&self, case: &Case, traces: bool, purged: bool) -> TestResult<Left> {
        let backend = self.db.backend();
        let (reset, tables) = {
            let mut written = self.written.lock().unwrap();
            let reset = schema::reset(backend, |table| written.contains(table));
            let text = case.text(backend, self.path.in_transaction());
            written.clear();
            let shop_writes_seen = text.to_lowercase().contains("seen").then_some("shop");
            written.extend(
                schema::written(&text)
                    .chain(shop_writes_seen)
                    .map(str::to_owned),
            );
            (reset, written.clone())
        };
        self.reset(&reset).await?;
        if purged && backend == DbBackend::MySql {
            let wait = "SET GLOBAL innodb_max_purge_lag_wait = 0";
            self.other.execute_unprepared(wait).await?;
        }
        let mut run = Run {
            backend,
            models_only: case.models_only,
            audited: !self.path.is_reference(),
            answers: Vec::new(),
            client: &self.client,
            trace: traces.then(|| Trace::new(&self.first_contents, tables, &self.other)),
        };
        let plain = &self.db.conn;
        let audited = AuditedConnection::new(plain.clone());
        let hooks = self.path.is_reference()
            || self.path.has_hooks_only()
            || self.path == CapturePath::TriggersAlone;
        let level = case.other_isolation.then_some(match backend {
            DbBackend::MySql => IsolationLevel::ReadCommitted,
            _ => IsolationLevel::RepeatableRead,
        });
        let work = async {
            match (hooks, self.path.in_transaction()) {
                (true, false) => run.alone(&Connection::Plain(plain), &case.steps).await,
                (false, false) => run.alone(&Connection::Audited(&audited), &case.steps).await,
                (true, true) => {
                    let begun = begin(plain, level).await;
                    run.transaction(begun, &case.steps, case.commit, &Connection::Plain(plain))
                        .await
                }
                (false, true) => {
                    let begun = begin(&audited, level).await;
                    run.transaction(begun, &case.steps, case.commit, &Connection::Plain(plain))
                        .await
                }
            }
        };
        self.config.scope(Box::pin(work)).await?;
        let dump = self.read().await?;
        let changed: BTreeSet<String> = (self.first.keys())
            .filter(|table| dump.get(*table) != self.first.get(*table))
            .cloned()
            .collect();
        let mut contents = self.first_contents.clone();
        let mut unreadable = Unreadable::new();
        if traces || !self.path.is_reference() {
            unreadable = log_replay::read(&self.other, &changed, &mut contents).await?;
        }
        self.written.lock().unwrap().extend(changed);
        let mut moments = Vec::new();
        if let Some(trace) = run.trace {
            unreadable.extend(trace.unreadable);
            moments = trace.moments;
        }
        let log = audit_log::Entity::find().order_by_asc(audit_log::Column::Id);
        Ok(Left {
            answers: run.answers,
            dump,
            log: log.all(&self.other).await?,
            events: audit_system_event::Entity::find().all(&self.other).await?,
            contents,
            unreadable,
            moments,
        })
    }
}
