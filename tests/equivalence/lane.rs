//! A way of writing, with a database of its own, and what a case leaves there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionSession, TransactionTrait,
};
use sea_orm_audit::entity::{audit_log, audit_system_event};
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::{AuditConfig, AuditConfigBuilder, AuditedConnection};

use crate::answer::{Answer, answer};
use crate::case::{Case, Step};
use crate::choice::Choices;
use crate::connection::{AsConnection, Connection};
use crate::entities::each_audited;
use crate::op::Op;
use crate::replay::{self, Contents};
use crate::schema;
use crate::support::{TestDb, TestResult};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Road {
    Plain,
    Audited,
    /// With the smallest buffers and limits.
    AuditedSmall,
    Triggers,
    /// Triggers without an audited connection, as they are for other programs.
    TriggersAlone,
    Hooks,
    PlainTransaction,
    AuditedTransaction,
    AuditedTransactionSmall,
    HooksTransaction,
}

impl Road {
    pub(crate) const ALL: [Self; 10] = [
        Self::Plain,
        Self::PlainTransaction,
        Self::Audited,
        Self::AuditedSmall,
        Self::Triggers,
        Self::TriggersAlone,
        Self::Hooks,
        Self::AuditedTransaction,
        Self::AuditedTransactionSmall,
        Self::HooksTransaction,
    ];

    pub(crate) fn in_transaction(self) -> bool {
        matches!(
            self,
            Self::PlainTransaction
                | Self::AuditedTransaction
                | Self::AuditedTransactionSmall
                | Self::HooksTransaction
        )
    }

    /// What it is compared with.
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
            config = config.buffered_records(1).chunk_rows(1);
        }
        if self.has_triggers() {
            each_audited!(E => config = config.captured_by_trigger::<E>());
        }
        config
    }
}

/// Rows as text by table.
pub(crate) type Dump = BTreeMap<String, Vec<String>>;

/// What a case leaves.
pub(crate) struct Left {
    pub(crate) answers: Vec<Answer>,
    pub(crate) dump: Dump,
    pub(crate) log: Vec<audit_log::Model>,
    pub(crate) events: Vec<audit_system_event::Model>,
    pub(crate) contents: Contents,
    pub(crate) unreadable: Vec<String>,
}

pub(crate) struct Lane {
    pub(crate) road: Road,
    pub(crate) db: TestDb,
    /// What looks at the tables.
    other: DatabaseConnection,
    config: AuditConfig,
    /// The tables that differ from the first rows, or may.
    written: Mutex<BTreeSet<String>>,
    dump: String,
    first: Dump,
    pub(crate) first_contents: Contents,
}

impl Lane {
    pub(crate) async fn new(road: Road, backend: DbBackend) -> TestResult<Self> {
        let db = match backend {
            DbBackend::Postgres => TestDb::postgres().await?,
            DbBackend::MySql => TestDb::mariadb().await?,
            _ => TestDb::sqlite().await?,
        };
        let db = db.ok_or("the server is gone")?;
        db.conn.execute_unprepared(schema::create(backend)).await?;
        let config = road.config().build()?;
        if road.has_triggers() {
            each_audited!(E => {
                config.scope(AuditTriggers::of::<E>().create(&db.conn)).await?;
            });
        }
        let mut lane = Self {
            road,
            other: db.another().await?,
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
        let unreadable = replay::read(&lane.other, &tables, &mut lane.first_contents).await?;
        assert!(unreadable.is_empty(), "{unreadable:?}");
        Ok(lane)
    }

    pub(crate) async fn close(self) -> TestResult {
        self.other.close().await?;
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
        let backend = self.db.backend();
        let reset = {
            let mut written = self.written.lock().unwrap();
            let reset = schema::reset(backend, |table| written.contains(table));
            let text = case.text(backend, false);
            written.clear();
            let shop_writes_seen = text.to_lowercase().contains("seen").then_some("shop");
            written.extend(
                schema::written(&text)
                    .chain(shop_writes_seen)
                    .map(str::to_owned),
            );
            reset
        };
        self.reset(&reset).await?;
        let mut run = Run {
            backend,
            models_only: case.models_only,
            audited: !self.road.is_reference(),
            answers: Vec::new(),
        };
        let plain = &self.db.conn;
        let audited = AuditedConnection::new(plain.clone());
        let hooks = self.road.is_reference()
            || self.road.has_hooks_only()
            || self.road == Road::TriggersAlone;
        let work = async {
            match (hooks, self.road.in_transaction()) {
                (true, false) => run.alone(&Connection::Plain(plain), &case.steps).await,
                (false, false) => run.alone(&Connection::Audited(&audited), &case.steps).await,
                (true, true) => {
                    let begun = begin(plain).await;
                    run.transaction(begun, &case.steps, case.commit).await;
                }
                (false, true) => {
                    let begun = begin(&audited).await;
                    run.transaction(begun, &case.steps, case.commit).await;
                }
            }
        };
        self.config.scope(Box::pin(work)).await;
        let dump = self.read().await?;
        let changed: BTreeSet<String> = (self.first.keys())
            .filter(|table| dump.get(*table) != self.first.get(*table))
            .cloned()
            .collect();
        let mut contents = self.first_contents.clone();
        let mut unreadable = Vec::new();
        if !self.road.is_reference() {
            unreadable = replay::read(&self.other, &changed, &mut contents).await?;
        }
        self.written.lock().unwrap().extend(changed);
        use sea_orm::{EntityTrait, QueryOrder};
        let log = audit_log::Entity::find().order_by_asc(audit_log::Column::Id);
        Ok(Left {
            answers: run.answers,
            dump,
            log: log.all(&self.other).await?,
            events: audit_system_event::Entity::find().all(&self.other).await?,
            contents,
            unreadable,
        })
    }
}

/// Begins a transaction on a connection that remembers nothing of the case before.
async fn begin<C: TransactionTrait<Transaction: ConnectionTrait>>(
    db: &C,
) -> Result<C::Transaction, sea_orm::DbErr> {
    let tx = db.begin().await?;
    if tx.get_database_backend() == DbBackend::MySql {
        let forget = Statement::from_string(DbBackend::MySql, "SELECT LAST_INSERT_ID(0)");
        tx.query_one_raw(forget).await?;
    }
    Ok(tx)
}

struct Run {
    backend: DbBackend,
    models_only: bool,
    audited: bool,
    answers: Vec<Answer>,
}

impl Run {
    /// Runs one. Says whether it failed.
    async fn op(&mut self, db: &Connection<'_>, made: &[u32], in_transaction: bool) -> bool {
        let op = Op::of(&mut Choices::again(made), self.backend, self.models_only);
        if !op.runs(in_transaction) {
            return false;
        }
        let answer = answer(db, &op, self.audited).await;
        let failed = answer.is_error();
        self.answers.push(answer);
        failed
    }

    /// Each by itself.
    async fn alone(&mut self, db: &Connection<'_>, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Do(made) => {
                    self.op(db, made, false).await;
                }
                Step::Savepoint { steps, .. } => Box::pin(self.alone(db, steps)).await,
            }
        }
    }

    async fn transaction<T>(
        &mut self,
        begun: Result<T, sea_orm::DbErr>,
        steps: &[Step],
        commit: bool,
    ) where
        T: TransactionTrait<Transaction = T> + TransactionSession + AsConnection + Send + Sync,
    {
        let tx = match begun {
            Ok(tx) => tx,
            Err(error) => {
                self.answers.push(Answer::Called(format!("BEGIN: {error}")));
                return;
            }
        };
        let mut aborted = false;
        for step in steps {
            match step {
                Step::Do(made) => {
                    let failed = self.op(&tx.as_connection(), made, true).await;
                    aborted |= failed && self.backend == DbBackend::Postgres;
                }
                Step::Savepoint { steps, commit } => {
                    if aborted {
                        continue;
                    }
                    let begun = tx.begin().await;
                    Box::pin(self.transaction(begun, steps, *commit)).await;
                }
            }
        }
        // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, which is reported as an error.
        let ended = if commit && !aborted {
            tx.commit().await
        } else {
            tx.rollback().await
        };
        if let Err(error) = ended {
            self.answers.push(Answer::Called(format!("end: {error}")));
        }
    }
}
