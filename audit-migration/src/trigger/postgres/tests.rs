//! The installed triggers are current until the triggers or the configuration change.
#![allow(clippy::print_stderr)]

use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm_audit_core::trigger_plan::{
    LabelPart, SecretKeys, TriggerColumn, TriggerPlan, TriggerTreatment,
};
use sea_orm_audit_core::{ColumnKind, Tables};
use sea_orm_migration::sea_orm::sea_query::ArrayType;
use sea_orm_migration::sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement,
};

use super::quote::{ident, literal, qualified};
use super::{installed, objects};
use crate::{Migrator, MigratorTrait};

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A fresh database with the audit tables, and the connection that can drop it.
async fn database() -> TestResult<Option<(DatabaseConnection, DatabaseConnection, String)>> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let Ok(url) = std::env::var("TEST_POSTGRES_URL") else {
        assert!(
            std::env::var_os("CI").is_none(),
            "TEST_POSTGRES_URL is not set, so this test cannot run"
        );
        eprintln!(
            "NOT RUN: TEST_POSTGRES_URL is not set; start servers with scripts/with-databases"
        );
        return Ok(None);
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("trigger_test_{}_{number}", std::process::id());
    let connect = async |url: String| {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await
    };
    let server = connect(url.clone()).await?;
    server
        .execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await?;
    let (base, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
    let db = connect(format!("{base}/{name}")).await?;
    Migrator::up(&db, None).await?;
    Ok(Some((db, server, name)))
}

async fn remove(
    (db, server, name): (DatabaseConnection, DatabaseConnection, String),
) -> TestResult {
    db.close().await?;
    server
        .execute_unprepared(&format!("DROP DATABASE {name}"))
        .await?;
    server.close().await?;
    Ok(())
}

fn column(name: &'static str, kind: ArrayType) -> TriggerColumn {
    TriggerColumn {
        name,
        shape: ColumnKind::One(kind),
        treatment: TriggerTreatment::Record,
        open: true,
    }
}

fn plan(table: &'static str) -> TriggerPlan {
    TriggerPlan {
        model: table.to_owned(),
        table,
        schema: None,
        module: None,
        columns: vec![
            column("id", ArrayType::Int),
            column("title", ArrayType::String),
            column("ratio", ArrayType::Double),
        ],
        key: vec![0],
        label: Vec::new(),
        tenant: None,
        soft_delete: None,
        create: true,
        update: true,
        delete: true,
        tables: Tables::default(),
        secrets: SecretKeys::default(),
        others: Vec::new(),
    }
}

const TABLE: &str = "(id int PRIMARY KEY, title text, ratio double precision)";

async fn create<C: ConnectionTrait>(db: &C, plan: &TriggerPlan) -> Result<(), DbErr> {
    for object in objects(db, plan).await? {
        db.execute_unprepared(&object.create).await?;
    }
    Ok(())
}

async fn drop<C: ConnectionTrait>(db: &C, plan: &TriggerPlan) -> Result<(), DbErr> {
    for object in objects(db, plan).await?.iter().rev() {
        db.execute_unprepared(&object.drop).await?;
    }
    Ok(())
}

/// The names of missing, outdated, disabled or superfluous objects.
async fn amiss<C: ConnectionTrait>(db: &C, plan: &TriggerPlan) -> Result<Vec<String>, DbErr> {
    let objects = objects(db, plan).await?;
    let installed = installed(db, plan).await?;
    let right = |object: &&super::TriggerDefinition| {
        !installed.iter().any(|one| {
            one.name == object.name && one.definition == object.definition && one.enabled
        })
    };
    let wrong = objects
        .iter()
        .filter(right)
        .map(|object| object.name.clone());
    let surplus = (installed.iter())
        .filter(|one| !objects.iter().any(|object| object.name == one.name))
        .map(|one| one.name.clone());
    Ok(wrong.chain(surplus).collect())
}

#[tokio::test]
async fn installed_objects_equal_the_expected_ones() -> TestResult {
    let Some(all) = database().await? else {
        return Ok(());
    };
    let (db, plan) = (&all.0, plan("post"));
    db.execute_unprepared(&format!("CREATE TABLE post {TABLE}"))
        .await?;
    assert_eq!(
        amiss(db, &plan).await?.len(),
        objects(db, &plan).await?.len()
    );
    create(db, &plan).await?;
    assert_eq!(amiss(db, &plan).await?, [""; 0]);
    // For all settings of the session.
    db.execute_unprepared(
        "SET search_path = '$user', public; SET quote_all_identifiers = on; SET TimeZone = 'UTC'",
    )
    .await?;
    assert_eq!(amiss(db, &plan).await?, [""; 0]);
    drop(db, &plan).await?;
    assert_eq!(installed(db, &plan).await?, []);
    drop(db, &plan).await?;
    remove(all).await
}

#[tokio::test]
async fn changes_of_the_plan_the_table_and_the_triggers_are_found() -> TestResult {
    let Some(all) = database().await? else {
        return Ok(());
    };
    let (db, plan) = (&all.0, plan("post"));
    db.execute_unprepared(&format!("CREATE TABLE post {TABLE}"))
        .await?;
    create(db, &plan).await?;
    let mut other = plan.clone();
    other.columns[1].treatment = TriggerTreatment::Redact;
    assert_eq!(amiss(db, &other).await?.len(), 4);
    let mut other = plan.clone();
    other.delete = false;
    assert_eq!(
        amiss(db, &other).await?.len(),
        4,
        "the functions and triggers that are too much"
    );
    let functions = [
        "sea_orm_audit_post_insert",
        "sea_orm_audit_post_update",
        "sea_orm_audit_post_delete",
        "sea_orm_audit_post_truncate",
    ];
    for (change, undo, expected) in [
        (
            "ALTER TABLE post ADD x int",
            "ALTER TABLE post DROP x",
            &functions[..],
        ),
        (
            "ALTER TABLE post RENAME title TO x",
            "ALTER TABLE post RENAME x TO title",
            &functions[..],
        ),
        (
            "ALTER TABLE post ALTER title TYPE varchar(9)",
            "ALTER TABLE post ALTER title TYPE text",
            &functions[..],
        ),
        (
            "ALTER TABLE post DISABLE TRIGGER sea_orm_audit_update",
            "ALTER TABLE post ENABLE TRIGGER sea_orm_audit_update",
            &["sea_orm_audit_update"],
        ),
        (
            "ALTER TABLE post ENABLE REPLICA TRIGGER sea_orm_audit_insert",
            "ALTER TABLE post ENABLE ALWAYS TRIGGER sea_orm_audit_insert",
            &["sea_orm_audit_insert"],
        ),
        (
            "ALTER FUNCTION sea_orm_audit_post_update() SET jit = on",
            "ALTER FUNCTION sea_orm_audit_post_update() SET jit = off",
            &functions[1..2],
        ),
        (
            "ALTER FUNCTION sea_orm_audit_post_delete() SECURITY INVOKER",
            "ALTER FUNCTION sea_orm_audit_post_delete() SECURITY DEFINER",
            &functions[2..3],
        ),
        (
            "ALTER FUNCTION sea_orm_audit_json(inet) RENAME TO other",
            "ALTER FUNCTION other(inet) RENAME TO sea_orm_audit_json",
            &["sea_orm_audit_json"],
        ),
    ] {
        db.execute_unprepared(change).await?;
        assert_eq!(amiss(db, &plan).await?, expected, "{change}");
        db.execute_unprepared(undo).await?;
        let left = amiss(db, &plan).await?;
        assert_eq!(left, [""; 0], "{undo}");
    }
    db.execute_unprepared("DROP TRIGGER sea_orm_audit_insert ON post")
        .await?;
    assert_eq!(amiss(db, &plan).await?, ["sea_orm_audit_insert"]);
    drop(db, &plan).await?;
    create(db, &plan).await?;
    assert_eq!(amiss(db, &plan).await?, [""; 0]);
    remove(all).await
}

#[tokio::test]
async fn any_name_is_quoted() -> TestResult {
    let Some(all) = database().await? else {
        return Ok(());
    };
    let db = &all.0;
    let long: &'static str = "äöü\"'$$--/*\\;äöüäöüäöüäöüäöüäöüäöü";
    let other: &'static str = "äöü\"'$$--/*\\;äöüäöüäöüäöüäöüäöüäö_";
    for name in [
        "select",
        "Order",
        "a b",
        "a.b",
        "a\"b",
        "\"",
        "'",
        "''",
        "--",
        "/*",
        "*/",
        ";",
        "$$",
        "$1",
        "$sea_orm_audit$",
        "\\",
        "\\'",
        "\\\\\"",
        "%s",
        "%",
        "{}",
        "\n",
        "\t",
        "é🦀",
        "\u{1}",
        "\u{202e}",
        "');DROP TABLE audit_log;--",
        "$$;DROP TABLE audit_log;--",
        "\\');DROP TABLE audit_log;--",
        long,
        other,
        "c1",
        "gone",
        "t",
        "r",
        "x",
        "d",
        "v_tenant",
        "new_rows",
    ] {
        let mut plan = plan(name);
        plan.schema = Some(format!("in {name}").chars().take(20).collect());
        plan.module = Some(name);
        plan.columns[1].name = name;
        plan.label = vec![LabelPart::Text(name.to_owned()), LabelPart::Column(1)];
        plan.secrets.names = vec![name.to_owned()];
        plan.columns.push(column("doc", ArrayType::Json));
        let schema = plan.schema.clone().unwrap_or_default();
        let table = qualified(&schema, name);
        let value = literal(name);
        let create_table = format!(
            "CREATE SCHEMA IF NOT EXISTS {}; CREATE TABLE {table} (id int PRIMARY KEY, {} text, ratio float8, doc json)",
            ident(&schema),
            ident(name),
        );
        db.execute_unprepared(&create_table).await?;
        create(db, &plan).await?;
        assert_eq!(amiss(db, &plan).await?, [""; 0], "{name}");
        db.execute_unprepared(&format!(
            "INSERT INTO {table} VALUES (1, {value}, 1, '{{\"a\": 1}}'); \
             UPDATE {table} SET {} = {value} || 'x', doc = NULL; DELETE FROM {table}; \
             INSERT INTO {table} VALUES (1); TRUNCATE {table}",
            ident(name),
        ))
        .await?;
        let count = format!(
            "SELECT count(*) FROM audit_log WHERE model = {value} AND module = {value} \
             AND object_id = '1' AND changes::jsonb ? 'id' AND changes::jsonb ? {value} \
             OR model = {value} AND action = 'UPDATE' AND changes -> {value} ->> 'new' = {value} || 'x'",
        );
        let statement = Statement::from_string(db.get_database_backend(), count);
        let row = db.query_one_raw(statement).await?.ok_or("no row")?;
        assert_eq!(row.try_get_by_index::<i64>(0)?, 5, "{name}");
        drop(db, &plan).await?;
        db.execute_unprepared("DELETE FROM audit_log").await?;
    }
    remove(all).await
}
