//! Rows that the model's types cannot read are written as on a bare connection, and recorded.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Set,
};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::config::{AuditConfigBuilder, FailurePolicy};

use crate::entities::{odd, odd_parent, odd_skipped};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, Outcome, result_of};
use crate::support::{TestDb, TestResult};

on_every_database! {
    update_of_an_unreadable_row_is_recorded,
    update_of_an_unreadable_row_in_a_transaction_is_recorded,
    update_of_an_unreadable_row_with_skipped_columns_is_recorded,
    update_that_heals_an_unreadable_row_is_recorded,
    update_that_heals_skipped_columns_succeeds,
    update_that_spoils_a_row_is_recorded,
    insert_of_an_unreadable_row_is_recorded,
    delete_of_an_unreadable_row_is_recorded,
    delete_of_an_unreadable_row_with_skipped_columns_is_recorded,
    delete_by_key_of_an_unreadable_row_is_recorded,
    delete_of_the_parent_of_an_unreadable_row_is_recorded,
    builders_on_an_unreadable_row_end_as_on_a_bare_connection,
    update_of_a_double_that_the_model_reads_as_a_float_records_the_database_value,
    delete_of_a_double_that_the_model_reads_as_a_float_records_the_database_value,
}

mod only_postgres {
    crate::support::tests_on!(postgres: dates_beyond_the_driver_are_recorded);
}

const ODD: Table = Table::of("odd");
const SKIPPED: Table = Table {
    skipped: &["n", "price", "day"],
    ..Table::of("odd_skipped")
};

/// Three rows; the second one has values that the model does not read.
pub(crate) fn setup(backend: DbBackend, table: &str) -> Vec<String> {
    let columns = match backend {
        DbBackend::Sqlite => "n INTEGER NOT NULL, price DECIMAL(10, 2), day DATE",
        DbBackend::MySql => "n BIGINT NOT NULL, price DECIMAL(65, 1), day DATE",
        _ => "n BIGINT NOT NULL, price NUMERIC, day DATE",
    };
    let (n, price, day) = values(backend);
    // SQLite stores a whole number as an integer, which SeaORM does not read as a decimal.
    let fine = "2.5";
    vec![
        format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, {columns}, note VARCHAR(20))"),
        format!(
            "INSERT INTO {table} (id, n, price, day, note) VALUES (1, 1, {fine}, '2020-02-02', 'a')"
        ),
        format!(
            "INSERT INTO {table} (id, n, price, day, note) VALUES (2, {n}, {price}, {day}, 'b')"
        ),
        format!(
            "INSERT INTO {table} (id, n, price, day, note) VALUES (3, 3, {fine}, '2020-02-02', 'c')"
        ),
    ]
}

/// Values of `n`, `price` and `day` that the model cannot read.
fn values(backend: DbBackend) -> (&'static str, &'static str, &'static str) {
    match backend {
        DbBackend::Sqlite => ("'many'", "'cheap'", "'some day'"),
        DbBackend::MySql => (
            "5000000000",
            "12345678901234567890123456789012345678901234567890",
            "'0000-00-00'",
        ),
        _ => ("5000000000", "'NaN'", "'2020-02-02'"),
    }
}

/// With the default policy, then with one that isolates failures.
fn policies() -> [AuditConfigBuilder; 2] {
    [
        AuditConfig::builder(),
        AuditConfig::builder().failure_policy(FailurePolicy::Isolate),
    ]
}

/// Runs statements on a table under both policies, each in databases of its own.
async fn recorded(db: &TestDb, table: &Table, statements: &[&str]) -> TestResult {
    recorded_with(false, db, table, statements).await
}

/// The same, but old values may be unknown.
async fn recorded_with(
    may_be_unknown: bool,
    db: &TestDb,
    table: &Table,
    statements: &[&str],
) -> TestResult {
    for config in policies() {
        let own = db.sibling().await?;
        let oracle = Oracle::new(
            &own,
            std::slice::from_ref(table),
            setup(db.backend(), table.name),
        )
        .await?
        .configured(config)?;
        for sql in statements {
            oracle.executes(sql).await;
        }
        if may_be_unknown {
            oracle.recorded_or_unknown().await?;
        } else {
            oracle.recorded().await?;
        }
        own.remove().await?;
    }
    Ok(())
}

async fn update_of_an_unreadable_row_is_recorded(db: &TestDb) -> TestResult {
    let all = "UPDATE odd SET note = 'all'";
    recorded(db, &ODD, &[all, "UPDATE odd SET note = 'one' WHERE id = 2"]).await
}

async fn update_of_an_unreadable_row_in_a_transaction_is_recorded(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ODD], setup(db.backend(), "odd")).await?;
    oracle
        .in_transaction(&[
            (Call::Execute, "UPDATE odd SET note = 'all'"),
            (Call::Unprepared, "UPDATE odd SET note = 'one' WHERE id = 2"),
            (Call::Execute, "DELETE FROM odd WHERE id > 1"),
        ])
        .await?;
    oracle.recorded().await
}

async fn update_of_an_unreadable_row_with_skipped_columns_is_recorded(db: &TestDb) -> TestResult {
    recorded(db, &SKIPPED, &["UPDATE odd_skipped SET note = 'all'"]).await?;
    let config = AuditConfig::builder()
        .skip_field("n")
        .skip_field("price")
        .skip_field("day");
    let table = Table {
        name: "odd",
        model: "odd",
        ..SKIPPED
    };
    let oracle = Oracle::new(db, &[table], setup(db.backend(), "odd")).await?;
    let oracle = oracle.configured(config)?;
    oracle.executes("UPDATE odd SET note = 'all'").await;
    oracle.recorded().await
}

async fn update_that_heals_an_unreadable_row_is_recorded(db: &TestDb) -> TestResult {
    let heals = "UPDATE odd SET n = 7, price = 8.5, day = '2021-01-01' WHERE id = 2";
    recorded(db, &ODD, &[heals]).await
}

async fn update_that_heals_skipped_columns_succeeds(db: &TestDb) -> TestResult {
    let heals = "UPDATE odd_skipped SET n = 7, price = 8.5, day = '2021-01-01', note = 'healed'";
    recorded(db, &SKIPPED, &[heals]).await
}

async fn update_that_spoils_a_row_is_recorded(db: &TestDb) -> TestResult {
    let (n, price, day) = values(db.backend());
    let spoils = format!("UPDATE odd SET n = {n}, price = {price}, day = {day}");
    // The unreadable value is unknown as an old value.
    recorded_with(true, db, &ODD, &[&spoils]).await
}

async fn insert_of_an_unreadable_row_is_recorded(db: &TestDb) -> TestResult {
    let (n, price, day) = values(db.backend());
    let one =
        format!("INSERT INTO odd (id, n, price, day, note) VALUES (4, {n}, {price}, {day}, 'd')");
    let many = format!(
        "INSERT INTO odd (id, n, price, day, note) VALUES (5, 5, 5.5, NULL, 'e'), (6, {n}, {price}, {day}, 'f')"
    );
    recorded(db, &ODD, &[&one, &many]).await
}

async fn delete_of_an_unreadable_row_is_recorded(db: &TestDb) -> TestResult {
    recorded(db, &ODD, &["DELETE FROM odd WHERE note <> 'c'"]).await
}

async fn delete_of_an_unreadable_row_with_skipped_columns_is_recorded(db: &TestDb) -> TestResult {
    recorded(db, &SKIPPED, &["DELETE FROM odd_skipped"]).await
}

async fn delete_by_key_of_an_unreadable_row_is_recorded(db: &TestDb) -> TestResult {
    recorded(db, &ODD, &["DELETE FROM odd WHERE id = 2"]).await
}

async fn delete_of_the_parent_of_an_unreadable_row_is_recorded(db: &TestDb) -> TestResult {
    let (n, ..) = values(db.backend());
    let int = match db.backend() {
        DbBackend::Sqlite => "INTEGER",
        _ => "BIGINT",
    };
    for config in policies() {
        let own = db.sibling().await?;
        let setup = [
            "CREATE TABLE odd_parent (id INTEGER PRIMARY KEY, note VARCHAR(20))".to_owned(),
            format!(
                "CREATE TABLE odd_child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, n {int} NOT NULL, \
                 FOREIGN KEY (parent_id) REFERENCES odd_parent (id) ON DELETE CASCADE)"
            ),
            "INSERT INTO odd_parent (id, note) VALUES (1, 'a'), (2, 'b'), (3, 'c')".to_owned(),
            format!(
                "INSERT INTO odd_child (id, parent_id, n) VALUES (10, 1, 1), (11, 1, {n}), (20, 2, {n}), (30, 3, 5)"
            ),
        ];
        let tables = [Table::of("odd_parent"), Table::of("odd_child")];
        let oracle = Oracle::new(&own, &tables, setup)
            .await?
            .configured(config)?;
        oracle.executes("DELETE FROM odd_parent WHERE id = 1").await;
        let delete = |id| odd_parent::Entity::delete_by_id(id);
        let expected = result_of(delete(2).exec(&oracle.bare.conn).await);
        assert_eq!(expected, result_of(delete(2).exec(&oracle.audited).await));
        oracle.recorded().await?;
        own.remove().await?;
    }
    Ok(())
}

async fn builder_calls<C: ConnectionTrait>(db: &C) -> Vec<Result<String, Outcome>> {
    let mut all = Vec::new();
    let update = odd::Entity::update_many().col_expr(odd::Column::Note, Expr::value("all"));
    all.push(result_of(update.exec(db).await));
    let update = odd::Entity::update_many()
        .col_expr(odd::Column::N, Expr::value(5))
        .col_expr(odd::Column::Price, Expr::value(6.5))
        .col_expr(odd::Column::Day, Expr::cust("NULL"))
        .filter(odd::Column::Id.eq(2));
    all.push(result_of(update.exec(db).await));
    let (n, price, day) = values(db.get_database_backend());
    let spoil = odd_skipped::Entity::update_many()
        .col_expr(odd_skipped::Column::N, Expr::cust(n))
        .col_expr(odd_skipped::Column::Price, Expr::cust(price))
        .col_expr(odd_skipped::Column::Day, Expr::cust(day));
    all.push(result_of(spoil.exec(db).await));
    // The row that a bare connection gives back is unreadable as well.
    let row = odd_skipped::ActiveModel {
        id: Set(2),
        note: Set(Some("mine".to_owned())),
        ..Default::default()
    };
    all.push(result_of(row.update(db).await));
    let row = odd_skipped::ActiveModel {
        id: Set(3),
        ..Default::default()
    };
    all.push(result_of(row.delete(db).await));
    all.push(result_of(
        odd_skipped::Entity::delete_by_id(2).exec(db).await,
    ));
    all.push(result_of(odd::Entity::delete_many().exec(db).await));
    all
}

async fn builders_on_an_unreadable_row_end_as_on_a_bare_connection(db: &TestDb) -> TestResult {
    for config in policies() {
        let own = db.sibling().await?;
        let backend = db.backend();
        let setup = [setup(backend, "odd"), setup(backend, "odd_skipped")].concat();
        let oracle = Oracle::new(&own, &[ODD, SKIPPED], setup)
            .await?
            .configured(config)?;
        let expected = builder_calls(&oracle.bare.conn).await;
        assert_eq!(expected, builder_calls(&oracle.audited).await);
        oracle.recorded().await?;
        own.remove().await?;
    }
    Ok(())
}

async fn measures(db: &TestDb) -> TestResult<Oracle<'_>> {
    let double = match db.backend() {
        DbBackend::Sqlite => "REAL",
        DbBackend::MySql => "DOUBLE",
        _ => "DOUBLE PRECISION",
    };
    let create = format!(
        "CREATE TABLE measure (id INTEGER PRIMARY KEY, value {double} NOT NULL, n INTEGER NOT NULL)"
    );
    let rows =
        "INSERT INTO measure (id, value, n) VALUES (1, 0.1, 1), (2, 1e300, 2), (3, 16777217, 3)";
    Oracle::new(db, &[Table::of("measure")], [create.as_str(), rows]).await
}

async fn update_of_a_double_that_the_model_reads_as_a_float_records_the_database_value(
    db: &TestDb,
) -> TestResult {
    let oracle = measures(db).await?;
    // A float has too little precision to distinguish the values.
    oracle
        .executes("UPDATE measure SET value = 0.10000000001 WHERE id = 1")
        .await;
    oracle
        .executes("UPDATE measure SET value = value + 1, n = n + 1")
        .await;
    oracle
        .executes("INSERT INTO measure (id, value, n) VALUES (4, 0.3, 4)")
        .await;
    oracle.recorded().await
}

async fn delete_of_a_double_that_the_model_reads_as_a_float_records_the_database_value(
    db: &TestDb,
) -> TestResult {
    let oracle = measures(db).await?;
    oracle.executes("DELETE FROM measure WHERE id <> 3").await;
    oracle.executes("DELETE FROM measure").await;
    oracle.recorded().await
}

async fn dates_beyond_the_driver_are_recorded(db: &TestDb) -> TestResult {
    let mut setup = setup(db.backend(), "odd");
    setup.push("UPDATE odd SET n = 2, day = 'infinity' WHERE id = 2".to_owned());
    setup.push("UPDATE odd SET day = '5874897-12-31' WHERE id = 3".to_owned());
    let oracle = Oracle::new(db, &[ODD], setup).await?;
    oracle.executes("UPDATE odd SET note = 'all'").await;
    oracle
        .executes("UPDATE odd SET day = '-infinity' WHERE id = 2")
        .await;
    oracle.executes("DELETE FROM odd WHERE id > 1").await;
    oracle.recorded_or_unknown().await
}
