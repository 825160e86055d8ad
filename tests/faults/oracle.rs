//! The same statements on a bare connection and on an audited one, in databases of their own, and what differs.

use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait, Value};
use sea_orm_audit::{AuditConfigBuilder, AuditedConnection};

use crate::log_check::{Rows, Table, check};
use crate::outcome::{Call, Outcome, run, same, same_on};
use crate::support::{TestDb, TestResult};

/// Two databases with the same tables and rows: one written plainly, one audited.
pub(crate) struct Oracle<'a> {
    pub(crate) bare: TestDb,
    pub(crate) db: &'a TestDb,
    pub(crate) audited: AuditedConnection,
    tables: Vec<Table>,
    before: Vec<Rows>,
}

impl<'a> Oracle<'a> {
    /// Runs statements in both databases, and takes note of what these tables hold then.
    pub(crate) async fn new<S: AsRef<str>>(
        db: &'a TestDb,
        tables: &[Table],
        setup: impl IntoIterator<Item = S>,
    ) -> TestResult<Self> {
        let bare = db.sibling().await?;
        // One connection each: another one of the pool may read SQLite's schema half way through, and SQLite then
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
        got
    }

    /// The same by `execute`, without values.
    pub(crate) async fn executes(&self, sql: &str) -> Outcome {
        let outcome = self.same(Call::Execute, sql, &[]).await;
        assert!(!outcome.is_failure(), "{sql}: {outcome:?}");
        outcome
    }

    /// Runs a statement outside of the audited connection in both databases. Records lead from there.
    pub(crate) async fn elsewhere(&mut self, sql: &str) -> TestResult {
        self.bare.execute_unprepared(sql).await?;
        self.db.execute_unprepared(sql).await?;
        self.before = self.read(&self.db.conn).await?;
        Ok(())
    }

    /// What the tables hold, as a connection sees them.
    pub(crate) async fn read<C: ConnectionTrait>(&self, db: &C) -> TestResult<Vec<Rows>> {
        let mut all = Vec::new();
        for table in &self.tables {
            all.push(table.read(db).await?);
        }
        Ok(all)
    }

    /// Sets what records lead from.
    pub(crate) fn starts_from(&mut self, rows: Vec<Rows>) {
        self.before = rows;
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
        Ok(())
    }

    /// The tables are equal, and records lead from what they held to what they hold.
    pub(crate) async fn recorded(self) -> TestResult {
        let (missing, reports) = self.compare().await?;
        let log = self.db.log().await?;
        assert!(
            missing.is_empty(),
            "not recorded: {missing:#?}, log: {log:#?}, reports: {reports:?}"
        );
        self.bare.remove().await
    }

    /// The same, but what has no record may be reported.
    pub(crate) async fn recorded_or_reported(self) -> TestResult {
        let (missing, reports) = self.compare().await?;
        let log = self.db.log().await?;
        assert!(
            missing.is_empty() || !reports.is_empty(),
            "neither recorded nor reported: {missing:#?}, log: {log:#?}"
        );
        self.bare.remove().await
    }

    /// Records lead to what the tables hold, or a report says that they do not. Nothing is compared with the bare
    /// connection: which rows a statement meets that waited is for the database to say.
    pub(crate) async fn explained(self) -> TestResult {
        let (missing, reports) = self.check().await?;
        let log = self.db.log().await?;
        assert!(
            missing.is_empty() || !reports.is_empty(),
            "neither recorded nor reported: {missing:#?}, log: {log:#?}"
        );
        self.bare.remove().await
    }

    /// What is wrong, for tests that go through several cases: what has neither record nor report, and records that
    /// are not true.
    pub(crate) async fn fault(self) -> TestResult<Option<String>> {
        let records = self.db.records().await?;
        let mut faults = Vec::new();
        for (table, before) in self.tables.iter().zip(&self.before) {
            let after = table.read(&self.db.conn).await?;
            if after != table.read(&self.bare.conn).await? {
                faults.push(format!("{} is not as on a bare connection", table.name));
            }
            let checked = check(table, before.clone(), &after, &records);
            faults.extend(checked.untrue);
            if reports(self.db).await?.is_empty() {
                faults.extend(checked.missing);
            }
        }
        let log = self.db.log().await?;
        self.bare.remove().await?;
        Ok((!faults.is_empty()).then(|| format!("{faults:?}, log: {log:?}")))
    }

    /// What has no record, and the reports, where the tables are equal.
    async fn compare(&self) -> TestResult<(Vec<String>, Vec<String>)> {
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
        self.check().await
    }

    /// What has no record, and the reports. Records that never were true fail the test.
    async fn check(&self) -> TestResult<(Vec<String>, Vec<String>)> {
        let records = self.db.records().await?;
        let mut missing = Vec::new();
        for (table, before) in self.tables.iter().zip(&self.before) {
            let after = table.read(&self.db.conn).await?;
            let checked = check(table, before.clone(), &after, &records);
            assert!(
                checked.untrue.is_empty(),
                "records that are not true: {:#?}, log: {:#?}",
                checked.untrue,
                self.db.log().await?.iter().take(20).collect::<Vec<_>>()
            );
            missing.extend(checked.missing);
        }
        Ok((missing, reports(self.db).await?))
    }
}

/// The reports of statements that are in no record, or only in part.
pub(crate) async fn reports(db: &TestDb) -> TestResult<Vec<String>> {
    let events = db.events().await?.into_iter();
    Ok(events
        .filter(|event| event.event_type == "WARNING" || event.event_type == "ERROR")
        .map(|event| format!("{}: {}", event.title, event.description.unwrap_or_default()))
        .collect())
}
