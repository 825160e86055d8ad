//! Names and quoting: long column names, one table name in two schemas, quoting settings.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Set,
    Statement, TransactionTrait,
};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::{AuditConfig, AuditedConnection};

use crate::entities::{auto_id, item, item_table, long};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, Outcome, result_of};
use crate::support::{TestDb, TestResult};

on_every_database! {
    long_column_names_in_an_update_by_key_are_recorded,
    long_column_names_in_bulk_writes_are_recorded,
    long_column_names_in_builder_calls_are_recorded,
    unqualified_name_is_not_the_table_of_another_schema,
}

mod only_postgres {
    crate::support::tests_on! { postgres:
        qualified_names_are_recorded_under_their_own_entity,
        unqualified_name_is_found_by_the_search_path,
        isolated_records_with_quotes_are_written_without_backslash_quotes,
    }
}

const A: &str = "forty_six_bytes_that_a_prefix_makes_too_long_4";
const B: &str = "fifty_bytes_that_a_shorter_prefix_makes_too_long_5";
const C: &str = "sixty_three_bytes_that_are_all_that_the_server_allows_in_a_name";

/// `long` is the name of a type in MariaDB, and each database quotes it differently.
fn quoted(backend: DbBackend, name: &str) -> String {
    match backend {
        DbBackend::MySql => format!("`{name}`"),
        _ => format!("\"{name}\""),
    }
}

async fn long_names(db: &TestDb) -> TestResult<(Oracle<'_>, String)> {
    let backend = db.backend();
    let table = Table {
        model: "long",
        ..Table::of(if backend == DbBackend::MySql {
            "`long`"
        } else {
            "\"long\""
        })
    };
    let name = table.name.to_owned();
    let setup = [
        format!(
            "CREATE TABLE {name} ({}, {A} INTEGER NOT NULL, {B} INTEGER NOT NULL, {C} INTEGER NOT NULL)",
            auto_id(backend)
        ),
        format!("INSERT INTO {name} ({A}, {B}, {C}) VALUES (1, 2, 3), (4, 5, 6), (7, 8, 9)"),
    ];
    Ok((Oracle::new(db, &[table], setup).await?, name))
}

async fn long_column_names_in_an_update_by_key_are_recorded(db: &TestDb) -> TestResult {
    let (oracle, table) = long_names(db).await?;
    for column in [A, B, C] {
        oracle
            .executes(&format!("UPDATE {table} SET {column} = 10 WHERE id = 1"))
            .await;
    }
    oracle
        .executes(&format!("DELETE FROM {table} WHERE id = 2"))
        .await;
    oracle.recorded().await
}

async fn long_column_names_in_bulk_writes_are_recorded(db: &TestDb) -> TestResult {
    let (oracle, table) = long_names(db).await?;
    for column in [A, B, C] {
        oracle
            .executes(&format!(
                "UPDATE {table} SET {column} = {column} + 10 WHERE id < 3"
            ))
            .await;
    }
    oracle
        .executes(&format!(
            "INSERT INTO {table} ({A}, {B}, {C}) VALUES (1, 1, 1), (2, 2, 2)"
        ))
        .await;
    oracle
        .executes(&format!("DELETE FROM {table} WHERE id > 2"))
        .await;
    oracle.recorded().await
}

async fn builder_calls<C: ConnectionTrait>(db: &C) -> Vec<Result<String, Outcome>> {
    let mut all = Vec::new();
    let row = long::ActiveModel {
        a: Set(1),
        b: Set(2),
        c: Set(3),
        ..Default::default()
    };
    all.push(result_of(row.insert(db).await));
    let row = long::ActiveModel {
        id: Set(1),
        a: Set(10),
        c: Set(30),
        ..Default::default()
    };
    all.push(result_of(row.update(db).await));
    let update = long::Entity::update_many()
        .col_expr(long::Column::B, Expr::value(20))
        .filter(long::Column::A.gt(0));
    all.push(result_of(update.exec(db).await));
    let update = long::Entity::update_many().col_expr(long::Column::C, Expr::value(20));
    if db.support_returning() {
        all.push(result_of(update.exec_with_returning(db).await));
    }
    all.push(result_of(long::Entity::delete_by_id(2).exec(db).await));
    all.push(result_of(long::Entity::delete_many().exec(db).await));
    all
}

async fn long_column_names_in_builder_calls_are_recorded(db: &TestDb) -> TestResult {
    let (oracle, _) = long_names(db).await?;
    let expected = builder_calls(&oracle.bare.conn).await;
    assert_eq!(expected, builder_calls(&oracle.audited).await);
    oracle.recorded().await
}

fn users(backend: DbBackend) -> (Table, [String; 2]) {
    let name = if backend == DbBackend::MySql {
        "`user`"
    } else {
        "\"user\""
    };
    let table = Table {
        model: "user",
        ..Table::of(name)
    };
    let setup = [
        format!("CREATE TABLE {name} (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL)"),
        format!("INSERT INTO {name} (id, name) VALUES (1, 'a'), (2, 'b')"),
    ];
    (table, setup)
}

/// The entity of the other schema has more columns.
async fn unqualified_name_is_not_the_table_of_another_schema(db: &TestDb) -> TestResult {
    let (table, setup) = users(db.backend());
    let user = table.name;
    let oracle = Oracle::new(db, &[table], setup).await?;
    oracle
        .executes(&format!("UPDATE {user} SET name = 'c' WHERE id = 1"))
        .await;
    oracle
        .executes(&format!("UPDATE {user} SET name = 'd'"))
        .await;
    oracle
        .executes(&format!(
            "INSERT INTO {user} (id, name) VALUES (3, 'e'), (4, 'f')"
        ))
        .await;
    oracle
        .executes(&format!("INSERT INTO {user} VALUES (5, 'e')"))
        .await;
    oracle
        .executes(&format!("DELETE FROM {user} WHERE id > 1"))
        .await;
    oracle.recorded().await
}

const AUTH: Table = Table {
    name: "auth.\"user\"",
    model: "auth.user",
    key: "id",
    skipped: &[],
    retyped: &[],
};

fn both_users() -> Vec<String> {
    let (_, setup) = users(DbBackend::Postgres);
    let mut all = setup.to_vec();
    all.push("CREATE SCHEMA auth".to_owned());
    all.push(
        "CREATE TABLE auth.\"user\" (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, \
         login VARCHAR(20) NOT NULL, realm VARCHAR(20) NOT NULL)"
            .to_owned(),
    );
    all.push("INSERT INTO auth.\"user\" VALUES (1, 'a', 'b', 'c'), (2, 'd', 'e', 'f')".to_owned());
    all
}

async fn qualified_names_are_recorded_under_their_own_entity(db: &TestDb) -> TestResult {
    let (user, _) = users(db.backend());
    let oracle = Oracle::new(db, &[user, AUTH], both_users()).await?;
    for table in ["\"user\"", "public.\"user\"", "auth.\"user\""] {
        oracle
            .executes(&format!(
                "UPDATE {table} SET name = name || '1' WHERE id = 1"
            ))
            .await;
        oracle
            .executes(&format!("UPDATE {table} SET name = name || '2'"))
            .await;
    }
    oracle
        .executes("INSERT INTO auth.\"user\" VALUES (3, '4', '5', '6')")
        .await;
    oracle
        .executes("DELETE FROM auth.\"user\" WHERE id = 1")
        .await;
    oracle.executes("DELETE FROM \"user\" WHERE id = 2").await;
    oracle.recorded().await
}

/// A new connection whose session starts with this setting. No other connection has it.
async fn with_setting(db: &TestDb, setting: &str) -> TestResult<sea_orm::DatabaseConnection> {
    let conn = db.another().await?;
    conn.execute_unprepared(&format!("SET {setting}")).await?;
    Ok(conn)
}

async fn unqualified_name_is_found_by_the_search_path(db: &TestDb) -> TestResult {
    let (user, _) = users(db.backend());
    let mut oracle = Oracle::new(db, &[user, AUTH], both_users()).await?;
    let bare = with_setting(&oracle.bare, "search_path = auth, public").await?;
    let conn = with_setting(db, "search_path = auth, public").await?;
    oracle.audited = AuditedConnection::new(conn.clone());
    for sql in [
        "UPDATE \"user\" SET name = 'x' WHERE id = 1",
        "UPDATE \"user\" SET login = 'y'",
        "UPDATE public.\"user\" SET name = 'z'",
        "INSERT INTO \"user\" VALUES (3, 'n', 'l', 'r')",
        "DELETE FROM \"user\" WHERE id = 2",
    ] {
        bare.execute_unprepared(sql).await?;
        oracle.audited.execute_unprepared(sql).await?;
    }
    conn.close().await?;
    bare.close().await?;
    oracle.recorded().await
}

async fn isolated_records_with_quotes_are_written_without_backslash_quotes(
    db: &TestDb,
) -> TestResult {
    db.execute_unprepared(&item_table(db.backend())).await?;
    let conn = with_setting(db, "backslash_quote = off").await?;
    let shown = conn
        .query_one_raw(Statement::from_string(db.backend(), "SHOW backslash_quote"))
        .await?
        .ok_or("no setting")?;
    assert_eq!(shown.try_get_by_index::<String>(0)?, "off");
    let config = AuditConfig::builder()
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    let audited = AuditedConnection::new(conn.clone()).with_config(config);
    let row = |code: &str| item::ActiveModel {
        code: Set(Some(code.to_owned())),
        p: Set(1),
        ..Default::default()
    };
    row("it's").insert(&audited).await?;
    row("back\\slash's").insert(&audited).await?;
    let tx = audited.begin().await?;
    row("they're").insert(&tx).await?;
    tx.execute_unprepared("UPDATE item SET code = code || ''''")
        .await?;
    tx.commit().await?;
    conn.close().await?;
    assert_eq!(db.log().await?.len(), 6, "{:#?}", db.log().await?);
    Ok(())
}
