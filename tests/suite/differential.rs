//! The same random work leaves the same log on every path, and the log shows how the tables came to be.
//!
//! `DIFFERENTIAL_CASES` is the number of workloads, `DIFFERENTIAL_SEED` (a number) selects them, and
//! `DIFFERENTIAL_SHRINKS` limits the attempts to shrink a failing one.

mod capture_path;
mod entity;
mod found;
mod related;
mod replay;
mod rows;
mod samples;
mod workload;

use std::collections::HashMap;
use std::fmt::Debug;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sea_orm::prelude::Json;
use sea_orm::{ConnectionTrait, DbBackend, Iterable, Statement};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::value::{ColumnKind, normalize};
use serde_json::{Map, json};

use crate::support::{TestDb, TestResult};
use capture_path::CapturePath;
use replay::{Contents, Keys};
use workload::Workload;

on_every_database! {
    every_road_leaves_the_same_log_which_replays_to_the_tables,
}

/// Runs code for every entity of the database, referenced ones first.
macro_rules! each_entity {
    ($backend:expr, $entity:ident => $run:expr) => {{
        macro_rules! with {
            ($name:ident) => {{
                use $crate::differential::entity::$name::Entity as $entity;
                $run
            }};
        }
        with!(wide);
        with!(label);
        with!(pair);
        match $backend {
            DbBackend::Postgres => with!(listed),
            DbBackend::MySql => {
                with!(narrow);
                with!(huge);
            }
            _ => with!(narrow),
        }
        with!(author);
        with!(book);
        with!(root);
        with!(branch);
        with!(leaf);
        with!(node);
    }};
}

use each_entity;

/// A path and its database.
struct Lane {
    road: CapturePath,
    db: TestDb,
}

/// Adds the same statement's next change of the row to a record.
fn go_on(first: &mut audit_log::Model, next: audit_log::Model) {
    let is_deleted = next.action == "DELETE";
    first.object_repr = next.object_repr;
    first.action = if is_deleted {
        next.action
    } else {
        first.action.clone()
    };
    let (Some(Json::Object(changes)), Some(Json::Object(next))) =
        (&mut first.changes, next.changes)
    else {
        return;
    };
    for (field, change) in next {
        let before = changes.remove(&field);
        let old = match &before {
            Some(before) => before.get("old"),
            None => change.get("old"),
        };
        if is_deleted {
            let old = old.cloned().unwrap_or_default();
            changes.insert(field, json!({"old": old}));
            continue;
        }
        let mut both = Map::new();
        both.extend(old.map(|old| ("old".to_owned(), old.clone())));
        both.extend(change.get("new").map(|new| ("new".to_owned(), new.clone())));
        if both.get("old") != both.get("new") {
            changes.insert(field, Json::Object(both));
        }
    }
}

/// The final state.
struct Left {
    answers: Vec<String>,
    log: Vec<audit_log::Model>,
    contents: Contents,
}

impl Lane {
    async fn new(road: CapturePath, backend: DbBackend) -> TestResult<Self> {
        let db = match backend {
            DbBackend::Postgres => TestDb::postgres().await?,
            DbBackend::MySql => TestDb::mariadb().await?,
            _ => TestDb::sqlite().await?,
        };
        let db = db.ok_or("the server is gone")?;
        each_entity!(backend, E => db.create(E).await?);
        if road == CapturePath::Triggers {
            let config = capture_path::config_of(road, backend).build()?;
            each_entity!(backend, E => {
                config.scope(AuditTriggers::of::<E>().create(&db.conn)).await?
            });
        }
        Ok(Self { road, db })
    }

    /// Empties all tables and resets their counters.
    async fn empty(&self) -> TestResult {
        let mut tables = vec!["audit_log"];
        each_entity!(self.db.backend(), E => tables.push(sea_orm::EntityName::table_name(&E)));
        let mut sql: String = (tables.iter().rev())
            .map(|table| format!("DELETE FROM {table};"))
            .collect();
        match self.db.backend() {
            DbBackend::Sqlite => sql.push_str("DELETE FROM sqlite_sequence;"),
            DbBackend::Postgres => sql.push_str(
                "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, 1, false)
                 FROM pg_sequences WHERE schemaname = current_schema();",
            ),
            _ => {
                let look = "SELECT table_name AS name FROM information_schema.tables
                            WHERE table_schema = DATABASE() AND auto_increment > 1";
                let look = Statement::from_string(DbBackend::MySql, look);
                for row in self.db.query_all_raw(look).await? {
                    let table: String = row.try_get("", "name")?;
                    sql.push_str(&format!("ALTER TABLE {table} AUTO_INCREMENT = 1;"));
                }
            }
        }
        self.db.execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn run(&self, workload: &Workload) -> TestResult<Left> {
        self.empty().await?;
        let answers = capture_path::take(self.road, &self.db, workload).await?;
        let mut contents = Contents::new();
        each_entity!(self.db.backend(), E => replay::read::<E>(&self.db, &mut contents).await?);
        let log = self.ends(&answers, self.records().await?);
        Ok(Left {
            answers,
            log,
            contents,
        })
    }

    /// Merges the trigger records of a row that one statement writes more than once: the other paths record only the
    /// final result.
    fn ends(&self, answers: &[String], log: Vec<audit_log::Model>) -> Vec<audit_log::Model> {
        if self.road != CapturePath::Triggers {
            return log;
        }
        let mut ends: Vec<audit_log::Model> = Vec::new();
        for record in log {
            let step = record.reason.as_deref().and_then(|step| step.parse().ok());
            let step: Option<&String> = step.and_then(|step: usize| answers.get(step));
            // An upsert may conflict with its own rows; a cascade may set a row's reference before it deletes the row.
            let may_repeat =
                step.is_some_and(|step| step.contains("Upsert(") || step.contains("Delete"));
            let same = |other: &&mut audit_log::Model| {
                (&other.model, &other.object_id, &other.reason)
                    == (&record.model, &record.object_id, &record.reason)
            };
            match ends.iter_mut().find(same).filter(|_| may_repeat) {
                Some(first) => go_on(first, record),
                None => ends.push(record),
            }
        }
        // A row that ends as it began has no change.
        ends.retain(|record| {
            record.action != "UPDATE"
                || (record.changes.as_ref())
                    .is_some_and(|changes| *changes != Json::Object(Map::new()))
        });
        ends
    }

    /// The log; trigger records in the form of their column types, and with the time of the other paths.
    async fn records(&self) -> TestResult<Vec<audit_log::Model>> {
        let mut log = self.db.records().await?;
        if self.road != CapturePath::Triggers {
            return Ok(log);
        }
        let mut shapes: HashMap<(String, String), ColumnKind> = HashMap::new();
        each_entity!(self.db.backend(), E => {
            for column in <E as sea_orm::EntityTrait>::Column::iter() {
                let table = sea_orm::EntityName::table_name(&E).to_owned();
                let name = sea_orm::IdenStatic::as_str(&column).to_owned();
                shapes.insert((table, name), ColumnKind::of_column::<E>(column));
            }
        });
        for record in &mut log {
            assert_eq!(record.source, "TRIGGER", "{record:?}");
            assert!(record.transaction_id.is_some(), "{record:?}");
            record.occurred_at = capture_path::NOON.parse()?;
            let model = record.model.clone().unwrap_or_default();
            let Some(fields) = record.changes.as_mut().and_then(Json::as_object_mut) else {
                continue;
            };
            for (field, change) in fields {
                let shape = &shapes[&(model.clone(), field.clone())];
                let change = change.as_object_mut().ok_or("a change is an object")?;
                for side in ["old", "new"] {
                    if let Some(value) = change.get_mut(side) {
                        *value = normalize(value.take(), shape);
                    }
                }
            }
        }
        Ok(log)
    }
}

/// The log in comparable form.
///
/// The IDs of records, the transaction and the path differ by nature. The database chooses the order of rows within one
/// statement, and another one if the statement has another form (a nested save has one statement per row, in SeaORM's
/// order): within a step, records are compared in the order of their objects, several of one object in the order of the
/// log.
fn comparable(log: &[audit_log::Model]) -> Result<Vec<audit_log::Model>, String> {
    let step =
        |record: &audit_log::Model| -> Option<usize> { record.reason.as_ref()?.parse().ok() };
    if !log.is_sorted_by_key(step) {
        let order: Vec<_> = log.iter().map(step).collect();
        return Err(format!(
            "the log is not in the order of the steps: {order:?}"
        ));
    }
    let mut log = log.to_vec();
    for record in &mut log {
        record.id = 0;
        record.transaction_id = None;
        record.source = String::new();
    }
    log.sort_by_key(|record| (step(record), record.model.clone(), record.object_id.clone()));
    Ok(log)
}

fn compare<T: PartialEq + Debug>(
    what: &str,
    ours: impl IntoIterator<Item = T>,
    others: impl IntoIterator<Item = T>,
) -> TestResult {
    let (mut ours, mut others) = (ours.into_iter(), others.into_iter());
    loop {
        match (ours.next(), others.next()) {
            (None, None) => return Ok(()),
            (a, b) if a == b => {}
            (a, b) => return Err(format!("{what}: {a:#?} and {b:#?}").into()),
        }
    }
}

/// Runs a workload on every path and returns the errors.
async fn try_out(lanes: &[Lane], workload: &Workload) -> TestResult {
    let mut keys = Keys::new();
    each_entity!(lanes[0].db.backend(), E => {
        keys.insert(sea_orm::EntityName::table_name(&E), replay::key_columns::<E>());
    });
    let mut all = Vec::new();
    for left in futures::future::join_all(lanes.iter().map(|lane| lane.run(workload))).await {
        all.push(left?);
    }
    let (unaudited, audited) = all.split_first().ok_or("no road")?;
    assert_eq!(unaudited.log, []);
    let mut first = None;
    for (lane, left) in lanes[1..].iter().zip(audited) {
        let road = lane.road;
        let what = format!("{road:?} answers otherwise than SeaORM alone");
        compare(&what, &left.answers, &unaudited.answers)?;
        let what = format!("{road:?} leaves other rows than SeaORM alone");
        compare(&what, &left.contents, &unaudited.contents)?;
        let recorded =
            replay::replay(&left.log, &keys).map_err(|why| format!("{road:?}: {why}"))?;
        let what = format!("the log of {road:?} has other rows than there are");
        compare(&what, &recorded, &left.contents)?;
        let log = comparable(&left.log).map_err(|why| format!("{road:?}: {why}"))?;
        let (_, first) = first.get_or_insert_with(|| (road, log.clone()));
        compare(&format!("{road:?} leaves another log"), &log, &*first)?;
    }
    Ok(())
}

fn number_from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}")),
    )
}

fn runner() -> TestRunner {
    let mut seed = [7; 32];
    if let Some(number) = number_from_environment("DIFFERENTIAL_SEED") {
        seed[..8].copy_from_slice(&number.to_le_bytes());
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(Config::default(), rng)
}

async fn every_road_leaves_the_same_log_which_replays_to_the_tables(db: &TestDb) -> TestResult {
    let mut lanes = Vec::new();
    for road in CapturePath::ALL {
        lanes.push(Lane::new(road, db.backend()).await?);
    }
    let mut runner = runner();
    // MariaDB waits for the disk at every commit.
    let cases = if db.backend() == DbBackend::MySql {
        12
    } else {
        24
    };
    for case in 0..number_from_environment("DIFFERENTIAL_CASES").unwrap_or(cases) {
        let mut tree =
            (workload::workloads().new_tree(&mut runner)).map_err(|reason| reason.to_string())?;
        let Err(error) = try_out(&lanes, &tree.current()).await else {
            continue;
        };
        let (workload, error) = shrink(&lanes, &mut tree, error).await;
        panic!("case {case}: {error}\n{workload:#?}");
    }
    for lane in lanes {
        lane.db.remove().await?;
    }
    Ok(())
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Looks for a smaller failing workload.
async fn shrink<T: ValueTree<Value = Workload>>(
    lanes: &[Lane],
    tree: &mut T,
    error: Failure,
) -> (Workload, Failure) {
    let mut smallest = (tree.current(), error);
    let mut goes_on = tree.simplify();
    for _ in 0..number_from_environment("DIFFERENTIAL_SHRINKS").unwrap_or(500) {
        if !goes_on {
            break;
        }
        let workload = tree.current();
        goes_on = match try_out(lanes, &workload).await {
            Ok(()) => tree.complicate(),
            Err(error) => {
                smallest = (workload, error);
                tree.simplify()
            }
        };
    }
    smallest
}
