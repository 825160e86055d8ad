//! Runs the same statements on a bare and an audited connection, in separate databases, and compares the results.

use std::collections::BTreeMap;
use std::sync::Mutex;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement, TransactionTrait, Value};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::config::AuditConfigBuilder;
use sea_orm_audit::entity::audit_log;

use crate::log_check::{Checked, Rows, Table, check};
use crate::outcome::{Call, Outcome, run, same, same_on};
use crate::support::{TestDb, TestResult};

/// Two databases with the same tables and rows: one bare, one audited.
pub(crate) struct Oracle<'a> {
    pub(crate) bare: TestDb,
    pub(crate) db: &'a TestDb,
    pub(crate) audited: AuditedConnection,
    tables: Vec<Table>,
    before: Vec<Rows>,
    /// The rows after each statement, so that a report excuses only its own statement.
    moments: Mutex<Vec<Moment>>,
}

/// The rows after a statement.
struct Moment {
    rows: Vec<Rows>,
    records: usize,
    reports: BTreeMap<String, i64>,
}

/// The changes of one statement, in the tables and in the log.
struct Done<'a> {
    before: &'a [Rows],
    after: &'a [Rows],
    records: &'a [audit_log::Model],
    /// The words of its reports.
    reported: Vec<String>,
}

impl<'a> Oracle<'a> {
    /// Runs statements in both databases, and stores the rows of these tables.
    pub(crate) async fn new<S: AsRef<str>>(
        db: &'a TestDb,
        tables: &[Table],
        setup: impl IntoIterator<Item = S>,
    ) -> TestResult<Self> {
        let bare = db.sibling().await?;
        // One connection each: another pooled connection may read SQLite's schema half way through, and SQLite then
        // refuses a view's statement without looking for the view's triggers again.
        let (on_bare, on_db) = (bare.another().await?, db.another().await?);
        for sql in setup {
            on_bare.execute_unprepared(sql.as_ref()).await?;
            on_db.execute_unprepared(sql.as_ref()).await?;
        }
        on_bare.close().await?;
        on_db.close().await?;
        let mut before = Vec::new();
        for table in tables {
            before.push(table.read(&db.conn).await?);
        }
        Ok(Self {
            bare,
            db,
            audited: db.audited(),
            tables: tables.to_vec(),
            before,
            moments: Mutex::default(),
        })
    }

    pub(crate) fn configured(mut self, config: AuditConfigBuilder) -> TestResult<Self> {
        self.audited = self.audited.with_config(config.build()?);
        Ok(self)
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.db.backend()
    }

    /// Runs a statement on both connections: an application must not see a difference.
    pub(crate) async fn same(&self, call: Call, sql: &str, values: &[Value]) -> Outcome {
        let expected = run(&self.bare.conn, call, sql, values).await;
        let got = run(&self.audited, call, sql, values).await;
        same(&format!("{call:?} {sql}"), &expected, &got);
        let moment = self.moment().await.unwrap();
        self.moments.lock().unwrap().push(moment);
        got
    }

    async fn moment(&self) -> TestResult<Moment> {
        Ok(Moment {
            rows: self.read(&self.db.conn).await?,
            records: self.db.records().await?.len(),
            reports: counted_reports(self.db).await?,
        })
    }

    /// The same by `execute`, without values.
    pub(crate) async fn executes(&self, sql: &str) -> Outcome {
        let outcome = self.same(Call::Execute, sql, &[]).await;
        assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
        outcome
    }

    /// Runs a statement outside of the audited connection in both databases. Records start from the new rows.
    pub(crate) async fn elsewhere(&mut self, sql: &str) -> TestResult {
        self.bare.execute_unprepared(sql).await?;
        self.db.execute_unprepared(sql).await?;
        let rows = self.read(&self.db.conn).await?;
        self.starts_from(rows);
        Ok(())
    }

    /// Deletes the log. Records start from the current rows.
    pub(crate) async fn forget(&mut self) -> TestResult {
        self.db.forget().await?;
        self.before = self.read(&self.db.conn).await?;
        self.moments.lock().unwrap().clear();
        Ok(())
    }

    /// The rows of the tables, as a connection sees them.
    pub(crate) async fn read<C: ConnectionTrait>(&self, db: &C) -> TestResult<Vec<Rows>> {
        let mut all = Vec::new();
        for table in &self.tables {
            all.push(table.read(db).await?);
        }
        Ok(all)
    }

    /// Sets the rows that records start from.
    pub(crate) fn starts_from(&mut self, rows: Vec<Rows>) {
        self.before = rows;
        self.moments.lock().unwrap().clear();
    }

    /// Runs statements in one transaction on both connections, and commits it.
    pub(crate) async fn in_transaction(&self, statements: &[(Call, &str)]) -> TestResult {
        let bare = self.bare.begin().await?;
        let audited = self.audited.begin().await?;
        for (call, sql) in statements {
            same_on(&bare, &audited, *call, sql).await;
        }
        bare.commit().await?;
        audited.commit().await?;
        let moment = self.moment().await?;
        self.moments.lock().unwrap().push(moment);
        Ok(())
    }

    /// The tables are equal, and records lead from the old rows to the new ones. No old value is unknown.
    pub(crate) async fn recorded(self) -> TestResult {
        self.recorded_with(false).await
    }

    /// The same, but old values may be unknown.
    pub(crate) async fn recorded_or_unknown(self) -> TestResult {
        self.recorded_with(true).await
    }

    async fn recorded_with(self, may_be_unknown: bool) -> TestResult {
        self.compare_tables().await?;
        let Checked {
            missing, unknown, ..
        } = self.check(false).await?;
        assert!(
            may_be_unknown || unknown.is_empty(),
            "old values are unknown: {unknown:#?}, log: {:#?}",
            self.db.log().await?
        );
        assert!(
            missing.is_empty(),
            "not recorded: {missing:#?}, log: {:#?}, reports: {:?}",
            self.db.log().await?,
            reports(self.db).await?
        );
        self.bare.remove().await
    }

    /// The same, but unrecorded changes may be reported by their statement. The report names the table, or one that the
    /// table's foreign keys lead to.
    pub(crate) async fn recorded_or_reported(self) -> TestResult {
        self.compare_tables().await?;
        self.explained().await
    }

    /// Records lead to the rows of the tables, or a report says that they do not. Nothing is compared with the bare
    /// connection: the database decides which rows a statement matches after it waited.
    pub(crate) async fn explained(self) -> TestResult {
        let Checked { missing, .. } = self.check(true).await?;
        assert!(
            missing.is_empty(),
            "neither recorded nor reported: {missing:#?}, log: {:#?}, reports: {:?}",
            self.db.log().await?,
            reports(self.db).await?
        );
        self.bare.remove().await
    }

    /// The errors, for tests of several cases: changes with neither record nor report, and false records.
    pub(crate) async fn fault(self) -> TestResult<Option<String>> {
        self.fault_with(true).await
    }

    /// The same; an unknown old value is an error, too.
    pub(crate) async fn fault_with(self, may_be_unknown: bool) -> TestResult<Option<String>> {
        let mut faults = Vec::new();
        for table in &self.tables {
            let after = table.read(&self.db.conn).await?;
            if after != table.read(&self.bare.conn).await? {
                faults.push(format!("{} is not as on a bare connection", table.name));
            }
        }
        let checked = self.checked(true).await?;
        faults.extend(checked.untrue);
        faults.extend(checked.missing);
        if !may_be_unknown {
            let unknown = |field: &String| format!("{field}: the old value is unknown");
            faults.extend(checked.unknown.iter().map(unknown));
        }
        let log = self.db.log().await?;
        self.bare.remove().await?;
        Ok((!faults.is_empty()).then(|| format!("{faults:?}, log: {log:?}")))
    }

    /// The tables are equal in both databases.
    async fn compare_tables(&self) -> TestResult {
        for table in &self.tables {
            let expected = table.read(&self.bare.conn).await?;
            let after = table.read(&self.db.conn).await?;
            let pairs = expected
                .iter()
                .filter(|(key, row)| after.get(*key) != Some(row));
            let first = pairs.take(3).collect::<Vec<_>>();
            let got = first.iter().map(|(key, _)| after.get(*key));
            assert!(
                expected == after,
                "{} is not as on a bare connection: {} rows for {}, first: {first:?} for {:?}",
                table.name,
                after.len(),
                expected.len(),
                got.collect::<Vec<_>>()
            );
        }
        Ok(())
    }

    /// Unrecorded changes. False records fail the test.
    async fn check(&self, reports_excuse: bool) -> TestResult<Checked> {
        let checked = self.checked(reports_excuse).await?;
        assert!(
            checked.untrue.is_empty(),
            "records that are not true: {:#?}, log: {:#?}",
            checked.untrue,
            self.db.log().await?.iter().take(20).collect::<Vec<_>>()
        );
        Ok(checked)
    }

    /// Changes without a record and, where reports excuse that, without a report of their statement; and false records.
    async fn checked(&self, reports_excuse: bool) -> TestResult<Checked> {
        let records = self.db.records().await?;
        let last = self.moment().await?;
        let references = references(&self.db.conn).await?;
        let moments = self.moments.lock().unwrap();
        let mut checked = Checked::default();
        let (mut before, mut at, mut known) = (&self.before, 0, &BTreeMap::new());
        for moment in moments.iter().chain([&last]) {
            let is_new = |(report, times): &(&String, &i64)| known.get(*report) != Some(*times);
            let done = Done {
                before,
                after: &moment.rows,
                records: &records[at..moment.records],
                reported: (moment.reports.iter().filter(is_new))
                    .filter_map(|(report, _)| report.split_once(": "))
                    .flat_map(|(_, report)| words(report))
                    .collect(),
            };
            self.check_one(&done, reports_excuse.then_some(&references), &mut checked);
            (before, at, known) = (&moment.rows, moment.records, &moment.reports);
        }
        Ok(checked)
    }

    fn check_one(&self, done: &Done<'_>, references: Option<&References>, checked: &mut Checked) {
        let rows = done.before.iter().zip(done.after);
        for (table, (before, after)) in self.tables.iter().zip(rows) {
            let found = check(table, before.clone(), after, done.records);
            checked.untrue.extend(found.untrue);
            checked.unknown.extend(found.unknown);
            let names = references.map(|references| with_referred_tables(table.name, references));
            let is_reported =
                names.is_some_and(|names| names.iter().any(|name| done.reported.contains(name)));
            if !is_reported {
                checked.missing.extend(found.missing);
            }
        }
    }
}

/// Tables, and those that their foreign keys refer to.
type References = Vec<(String, String)>;

/// A table, the tables that it refers to, and those that these refer to, by their plain names.
fn with_referred_tables(name: &str, references: &References) -> Vec<String> {
    let mut names: Vec<String> = (words(name).into_iter().rfind(|word| !word.is_empty()))
        .into_iter()
        .collect();
    let mut at = 0;
    while at < names.len() {
        for (from, to) in references {
            if *from == names[at] && !names.contains(to) {
                names.push(to.clone());
            }
        }
        at += 1;
    }
    names
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .map(str::to_lowercase)
        .collect()
}

async fn references(db: &DatabaseConnection) -> TestResult<References> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT a.relname::text, b.relname::text FROM pg_constraint AS c \
             JOIN pg_class AS a ON a.oid = c.conrelid JOIN pg_class AS b ON b.oid = c.confrelid"
        }
        DbBackend::Sqlite => {
            "SELECT m.name, f.\"table\" FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f"
        }
        _ => {
            "SELECT CAST(table_name AS CHAR), CAST(referenced_table_name AS CHAR) \
             FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()"
        }
    };
    let mut references = Vec::new();
    for row in db
        .query_all_raw(Statement::from_string(backend, sql))
        .await?
    {
        let (from, to): (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        references.push((from.to_lowercase(), to.to_lowercase()));
    }
    Ok(references)
}

/// The reports of statements that are unrecorded, or recorded only in part.
pub(crate) async fn reports(db: &TestDb) -> TestResult<Vec<String>> {
    Ok(counted_reports(db).await?.into_keys().collect())
}

/// The reports, and their numbers.
async fn counted_reports(db: &TestDb) -> TestResult<BTreeMap<String, i64>> {
    let mut reports = BTreeMap::new();
    for event in db.events().await? {
        if event.event_type == "WARNING" || event.event_type == "ERROR" {
            let text = format!("{}: {}", event.title, event.description.unwrap_or_default());
            *reports.entry(text).or_default() += event.occurrences;
        }
    }
    Ok(reports)
}
