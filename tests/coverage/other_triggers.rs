//! Triggers that are not ours and write audited tables.

use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Set};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::migration::Finding;

use crate::entities::{author, cache, ledger, t11};
use crate::support::{TestDb, TestResult};
use crate::{build, coverage, found};

on_every_database! {
    write_of_a_trigger_without_record_is_found,
    write_of_a_trigger_to_a_table_with_triggers_is_recorded,
    trigger_that_reads_an_audited_table_is_not_found,
    trigger_of_a_table_without_entity_is_found,
    write_to_a_skipped_table_is_not_found,
}
mod more_on_sqlite {
    crate::support::tests_on! { sqlite:
        trigger_of_a_view_is_found,
        trigger_that_writes_its_own_table_is_found,
        temporary_trigger_is_found,
        trigger_of_the_log_is_found,
    }
}
mod more_on_postgres {
    crate::support::tests_on! { postgres:
        trigger_of_a_view_is_found,
        trigger_that_writes_its_own_table_is_found,
        write_of_a_called_routine_is_found,
        composed_statement_is_found_by_the_names_in_it,
        trigger_that_does_not_fire_is_not_found,
        function_of_another_schema_is_found,
    }
}
mod more_on_mariadb {
    crate::support::tests_on! { mariadb: write_of_a_called_routine_is_found }
}

const NO_TRIGGERS: &str =
    "no triggers record that table: capture it by triggers, or accept that it is written so";
const NOT_RECURSIVE: &str = "the triggers of that table do not fire inside of themselves: say \
     `PRAGMA recursive_triggers = ON` on each connection, or write it elsewhere than in a trigger of the log";

/// A trigger for each row, `when` being `AFTER INSERT` or the like.
fn trigger(backend: DbBackend, name: &str, when: &str, table: &str, body: &str) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN {body} RETURN NEW; END $$; \
             CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
        ),
        _ => format!("CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW BEGIN {body} END"),
    }
}

fn may_write(table: &str, trigger: &str, fired_by: &str) -> Finding {
    Finding::TriggerNotCaptured {
        table: table.into(),
        trigger: trigger.into(),
        fired_by: fired_by.into(),
        why: NO_TRIGGERS,
    }
}

async fn plant(db: &TestDb, name: &str, when: &str, table: &str, body: &str) -> TestResult {
    db.execute_unprepared(&trigger(db.backend(), name, when, table, body))
        .await?;
    Ok(())
}

async fn insert_author(db: &TestDb) -> TestResult {
    let author = author::ActiveModel {
        note: Set("a".to_owned()),
        ..Default::default()
    };
    author.insert(&db.audited()).await?;
    Ok(())
}

async fn recorded(db: &TestDb) -> TestResult<Vec<String>> {
    let records = db.records().await?.into_iter();
    let mut models: Vec<String> = records.filter_map(|record| record.model).collect();
    models.sort_unstable();
    Ok(models)
}

async fn write_of_a_trigger_without_record_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let body = "INSERT INTO t11 (note) VALUES ('by a trigger');";
    plant(db, "count_authors", "AFTER INSERT", "author", body).await?;
    insert_author(db).await?;
    assert_eq!(t11::Entity::find().count(&db.conn).await?, 1);
    assert_eq!(recorded(db).await?, ["author"]);

    let report = coverage(&db.conn).await?;
    assert_eq!(
        report.findings,
        [may_write("t11", "count_authors", "author")]
    );
    assert_eq!(
        report.findings[0].to_string(),
        "`t11` may be written by the trigger `count_authors` of `author`, without a record: no triggers record that \
         table: capture it by triggers, or accept that it is written so"
    );
    let is_known = |finding: &Finding| matches!(finding, Finding::TriggerNotCaptured { trigger, .. } if trigger == "count_authors");
    report.accept(is_known).assert_complete()?;
    Ok(())
}

async fn write_of_a_trigger_to_a_table_with_triggers_is_recorded(db: &TestDb) -> TestResult {
    build(db).await?;
    let body = "INSERT INTO ledger (amount) VALUES (1);";
    plant(db, "bill_authors", "AFTER INSERT", "author", body).await?;
    insert_author(db).await?;
    assert_eq!(ledger::Entity::find().count(&db.conn).await?, 1);
    assert_eq!(recorded(db).await?, ["author", "ledger"]);
    assert_eq!(found(db).await?, []);
    Ok(())
}

async fn trigger_that_reads_an_audited_table_is_not_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let body = "INSERT INTO cache (id) SELECT COUNT(*) + 7 FROM t11;";
    plant(db, "count_items", "AFTER INSERT", "author", body).await?;
    insert_author(db).await?;
    assert_eq!(cache::Entity::find().count(&db.conn).await?, 1);
    assert_eq!(found(db).await?, []);
    Ok(())
}

async fn trigger_of_a_table_without_entity_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE TABLE loose (id INTEGER PRIMARY KEY)")
        .await?;
    let body = "DELETE FROM t11 WHERE id = 1; UPDATE t12 SET note = 'b' WHERE id = 1;";
    plant(db, "sweep", "BEFORE INSERT", "loose", body).await?;
    let mut findings = coverage(&db.conn).await?.except(["loose"]).findings;
    findings.sort_by_key(ToString::to_string);
    assert_eq!(
        findings,
        [
            may_write("t11", "sweep", "loose"),
            may_write("t12", "sweep", "loose")
        ]
    );
    Ok(())
}

async fn write_to_a_skipped_table_is_not_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let body = "INSERT INTO t11 (note) VALUES ('by a trigger');";
    plant(db, "count_authors", "AFTER INSERT", "author", body).await?;
    let skipping = AuditConfig::builder()
        .skip_entity::<t11::Entity>()
        .build()?;
    assert_eq!(skipping.scope(found(db)).await?, []);
    Ok(())
}

async fn trigger_of_a_view_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared("CREATE VIEW shown AS SELECT id, note FROM t11")
        .await?;
    let body = "INSERT INTO t11 (note) VALUES (NEW.note);";
    plant(db, "pass_on", "INSTEAD OF INSERT", "shown", body).await?;
    assert_eq!(found(db).await?, [may_write("t11", "pass_on", "shown")]);
    Ok(())
}

async fn trigger_that_writes_its_own_table_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let body = "UPDATE t11 SET note = 'next' WHERE id = NEW.id + 1;";
    plant(db, "push", "AFTER INSERT", "t11", body).await?;
    assert_eq!(found(db).await?, [may_write("t11", "push", "t11")]);
    Ok(())
}

async fn write_of_a_called_routine_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let (inner, outer) = match db.backend() {
        DbBackend::Postgres => (
            "CREATE FUNCTION add_item() RETURNS void LANGUAGE sql AS \
             $$ INSERT INTO t11 (note) VALUES ('c') $$",
            "CREATE PROCEDURE add_items() LANGUAGE plpgsql AS $$ BEGIN PERFORM add_item(); END $$",
        ),
        _ => (
            "CREATE FUNCTION add_item() RETURNS INT MODIFIES SQL DATA \
             BEGIN INSERT INTO t11 (note) VALUES ('c'); RETURN 1; END",
            "CREATE PROCEDURE add_items() BEGIN SET @added = ADD_ITEM(); END",
        ),
    };
    db.execute_unprepared(inner).await?;
    db.execute_unprepared(outer).await?;
    plant(
        db,
        "call_out",
        "AFTER INSERT",
        "author",
        "CALL add_items();",
    )
    .await?;
    insert_author(db).await?;
    assert_eq!(t11::Entity::find().count(&db.conn).await?, 1);
    assert_eq!(recorded(db).await?, ["author"]);
    assert_eq!(found(db).await?, [may_write("t11", "call_out", "author")]);
    Ok(())
}

async fn temporary_trigger_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    // Only the connection that creates it has it.
    let one = db.another().await?;
    one.execute_unprepared(
        "CREATE TEMP TRIGGER passing AFTER INSERT ON author \
         BEGIN DELETE FROM t11 WHERE id = NEW.id; END",
    )
    .await?;
    assert_eq!(
        coverage(&one).await?.findings,
        [may_write("t11", "passing", "author")]
    );
    assert_eq!(found(db).await?, []);
    one.close().await?;
    Ok(())
}

async fn composed_statement_is_found_by_the_names_in_it(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared(
        "CREATE FUNCTION composed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         EXECUTE format('INSERT INTO %I (note) VALUES (1)', TG_ARGV[0]); \
         EXECUTE 'DELETE FROM t13 WHERE id = 1'; RETURN NEW; END $$; \
         CREATE TRIGGER composed AFTER INSERT ON author FOR EACH ROW EXECUTE FUNCTION composed('t11', 'x')",
    )
    .await?;
    insert_author(db).await?;
    assert_eq!(t11::Entity::find().count(&db.conn).await?, 1);
    let mut findings = found(db).await?;
    findings.sort_by_key(ToString::to_string);
    assert_eq!(
        findings,
        [
            may_write("t11", "composed", "author"),
            may_write("t13", "composed", "author")
        ]
    );
    Ok(())
}

async fn trigger_that_does_not_fire_is_not_found(db: &TestDb) -> TestResult {
    build(db).await?;
    let body = "INSERT INTO t11 (note) VALUES ('by a trigger');";
    plant(db, "count_authors", "AFTER INSERT", "author", body).await?;
    db.execute_unprepared("ALTER TABLE author DISABLE TRIGGER count_authors")
        .await?;
    insert_author(db).await?;
    assert_eq!(t11::Entity::find().count(&db.conn).await?, 0);
    assert_eq!(found(db).await?, []);
    Ok(())
}

async fn function_of_another_schema_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    db.execute_unprepared(
        "CREATE SCHEMA beside; CREATE TABLE beside.t11 (id INT); CREATE TABLE beside.seen (id INT); \
         CREATE FUNCTION beside.write() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO public.t11 (note) VALUES ('d'); INSERT INTO beside.t12 VALUES (1); RETURN NEW; END $$; \
         CREATE TRIGGER write AFTER INSERT ON beside.seen FOR EACH ROW EXECUTE FUNCTION beside.write()",
    )
    .await?;
    assert_eq!(found(db).await?, [may_write("t11", "write", "beside.seen")]);
    Ok(())
}

/// A trigger of the log runs inside of the trigger that writes the log, which SQLite does not fire again meanwhile.
async fn trigger_of_the_log_is_found(db: &TestDb) -> TestResult {
    build(db).await?;
    for sql in [
        "CREATE TABLE loose (id INTEGER PRIMARY KEY)",
        "CREATE TRIGGER note_record AFTER INSERT ON audit_log WHEN NEW.action = 'UPDATE' \
         BEGIN INSERT INTO loose (id) VALUES (NULL); END",
        "CREATE TRIGGER bill_record AFTER INSERT ON loose \
         BEGIN UPDATE ledger SET amount = amount + 1 WHERE amount < 13; END",
        "INSERT INTO ledger (amount) VALUES (1)",
        "UPDATE ledger SET amount = 10",
    ] {
        db.execute_unprepared(sql).await?;
    }
    let row = ledger::Entity::find().one(&db.conn).await?;
    assert_eq!(row.map(|row| row.amount), Some(11));
    // 10, but not 11.
    assert_eq!(db.records().await?.len(), 2);
    let findings = coverage(&db.conn).await?.except(["loose"]).findings;
    assert_eq!(
        findings,
        [Finding::TriggerNotCaptured {
            table: "ledger".into(),
            trigger: "bill_record".into(),
            fired_by: "loose".into(),
            why: NOT_RECURSIVE,
        }]
    );
    let one = db.another().await?;
    one.execute_unprepared("PRAGMA recursive_triggers = ON")
        .await?;
    assert_eq!(coverage(&one).await?.except(["loose"]).findings, []);
    one.execute_unprepared("UPDATE ledger SET amount = 10")
        .await?;
    one.close().await?;
    let amounts: Vec<_> = (db.records().await?.into_iter())
        .filter_map(|record| record.changes?["amount"]["new"].as_i64())
        .collect();
    assert_eq!(amounts, [1, 10, 10, 11, 12, 13]);
    Ok(())
}
