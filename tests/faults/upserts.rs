//! INSERT with a conflict clause: never a CREATE of an existing row, never a change without its record.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, DbBackend, EntityTrait, IsolationLevel, Set, TransactionTrait};
use sea_orm_audit::AuditedEntity;

use crate::entities::{account, account_table, item, items, slot_table};
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, result_of, same_on};
use crate::support::{TestDb, TestResult};

on_every_database! {
    upsert_of_several_rows_by_an_undeclared_index_is_recorded,
    upsert_of_several_rows_by_a_composite_index_is_recorded,
    upsert_of_rows_without_the_unique_value_is_recorded,
    ignored_insert_of_rows_without_the_unique_value_is_recorded,
    upsert_of_rows_without_the_key_is_recorded,
    builder_upsert_of_rows_without_the_unique_value_is_recorded,
    bulk_builder_upsert_of_rows_without_the_unique_value_is_recorded,
    upsert_to_equal_values_records_no_creation,
}

mod only_mariadb {
    crate::support::tests_on! { mariadb:
        replace_of_rows_without_the_unique_value_is_recorded,
        upsert_at_read_committed_records_no_creation_of_an_existing_row,
        upsert_that_returns_the_existing_id_is_captured,
        upsert_after_an_older_snapshot_of_a_changed_row_is_recorded_rightly,
        upsert_after_an_older_snapshot_of_a_deleted_row_records_the_new_one,
        upsert_after_an_older_snapshot_of_an_inserted_row_records_no_creation,
    }
}

const ITEM: Table = Table::of("item");
const ACCOUNT: Table = Table::of("account");
const SLOT: Table = Table::of("slot");

/// An upsert that sets one column to the given value, by a unique index.
fn upsert(backend: DbBackend, insert: &str, index: &str, column: &str) -> String {
    match backend {
        DbBackend::MySql => {
            format!("{insert} ON DUPLICATE KEY UPDATE {column} = VALUES({column})")
        }
        _ => format!("{insert} ON CONFLICT ({index}) DO UPDATE SET {column} = excluded.{column}"),
    }
}

fn ignored(backend: DbBackend, values: &str) -> String {
    match backend {
        DbBackend::MySql => format!("INSERT IGNORE INTO account {values}"),
        _ => format!("INSERT INTO account {values} ON CONFLICT DO NOTHING"),
    }
}

/// The accounts 1 x and 2 y, with n 1 and 2.
fn accounts(backend: DbBackend) -> [String; 2] {
    [
        account_table(backend),
        "INSERT INTO account (email, n) VALUES ('x', 1), ('y', 2)".to_owned(),
    ]
}

async fn two_accounts(db: &TestDb) -> TestResult<Oracle<'_>> {
    Oracle::new(db, &[ACCOUNT], accounts(db.backend())).await
}

async fn upsert_of_several_rows_by_an_undeclared_index_is_recorded(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let insert = "INSERT INTO item (code, p) VALUES ('c1', 9), ('new', 8), ('c3', 7)";
    oracle
        .executes(&upsert(db.backend(), insert, "code", "p"))
        .await;
    oracle.recorded().await
}

async fn upsert_of_several_rows_by_a_composite_index_is_recorded(db: &TestDb) -> TestResult {
    let setup = [
        slot_table(db.backend()),
        "INSERT INTO slot (a, b, n) VALUES (1, 1, 1), (1, 2, 2), (2, 1, 3)".to_owned(),
    ];
    let oracle = Oracle::new(db, &[SLOT], setup).await?;
    let one = "INSERT INTO slot (a, b, n) VALUES (1, 2, 22)";
    oracle
        .executes(&upsert(db.backend(), one, "a, b", "n"))
        .await;
    let many = "INSERT INTO slot (a, b, n) VALUES (1, 1, 11), (2, 2, 4), (2, 1, 33)";
    oracle
        .executes(&upsert(db.backend(), many, "a, b", "n"))
        .await;
    oracle.recorded().await
}

async fn upsert_of_rows_without_the_unique_value_is_recorded(db: &TestDb) -> TestResult {
    let oracle = two_accounts(db).await?;
    let insert = "INSERT INTO account (email, n) VALUES ('x', 9), (NULL, 9)";
    let sql = upsert(db.backend(), insert, "email", "n");
    oracle.executes(&sql).await;
    oracle.in_transaction(&[(Call::Unprepared, &sql)]).await?;
    oracle.recorded().await
}

async fn ignored_insert_of_rows_without_the_unique_value_is_recorded(db: &TestDb) -> TestResult {
    let oracle = two_accounts(db).await?;
    let sql = ignored(
        db.backend(),
        "(email, n) VALUES ('x', 9), (NULL, 9), ('z', 9)",
    );
    oracle.executes(&sql).await;
    oracle.in_transaction(&[(Call::Execute, &sql)]).await?;
    oracle.recorded().await
}

async fn upsert_of_rows_without_the_key_is_recorded(db: &TestDb) -> TestResult {
    let oracle = two_accounts(db).await?;
    // The value for a generated number: PostgreSQL accepts DEFAULT, but not NULL.
    let next = match db.backend() {
        DbBackend::Postgres => "DEFAULT",
        _ => "NULL",
    };
    let insert = format!("INSERT INTO account (id, email, n) VALUES (1, 'a', 9), ({next}, 'b', 9)");
    oracle
        .executes(&upsert(db.backend(), &insert, "id", "n"))
        .await;
    oracle.recorded().await
}

fn new_account(email: Option<&str>, n: i32) -> account::ActiveModel {
    account::ActiveModel {
        email: Set(email.map(str::to_owned)),
        n: Set(n),
        ..Default::default()
    }
}

fn by_email() -> OnConflict {
    OnConflict::column(account::Column::Email)
        .update_column(account::Column::N)
        .to_owned()
}

async fn builder_upsert_of_rows_without_the_unique_value_is_recorded(db: &TestDb) -> TestResult {
    let oracle = two_accounts(db).await?;
    let insert = || {
        let many = [new_account(Some("x"), 9), new_account(None, 9)];
        account::Entity::insert_many(many).on_conflict(by_email())
    };
    let expected = result_of(insert().exec_without_returning(&oracle.bare.conn).await);
    let got = result_of(insert().exec_without_returning(&oracle.audited).await);
    assert_eq!(expected, got);
    let expected = result_of(insert().exec(&oracle.bare.conn).await);
    assert_eq!(expected, result_of(insert().exec(&oracle.audited).await));
    oracle.recorded().await
}

async fn bulk_builder_upsert_of_rows_without_the_unique_value_is_recorded(
    db: &TestDb,
) -> TestResult {
    let oracle = two_accounts(db).await?;
    let many = || [new_account(Some("x"), 9), new_account(None, 9)];
    let plain = account::Entity::insert_many(many()).on_conflict(by_email());
    plain.exec(&oracle.bare.conn).await?;
    let audited = account::Entity::audited_insert_many(many()).on_conflict(by_email());
    audited.exec(&db.conn).await?;
    oracle.recorded().await
}

async fn upsert_to_equal_values_records_no_creation(db: &TestDb) -> TestResult {
    let oracle = two_accounts(db).await?;
    let insert = "INSERT INTO account (email, n) VALUES ('x', 1)";
    let sql = upsert(db.backend(), insert, "email", "n");
    oracle.executes(&sql).await;
    oracle
        .executes(&ignored(db.backend(), "(email, n) VALUES ('x', 1)"))
        .await;
    oracle.in_transaction(&[(Call::Execute, &sql)]).await?;
    oracle.recorded().await
}

async fn replace_of_rows_without_the_unique_value_is_recorded(db: &TestDb) -> TestResult {
    let oracle = two_accounts(db).await?;
    let sql = "REPLACE INTO account (email, n) VALUES ('x', 9), (NULL, 9)";
    oracle.executes(sql).await;
    oracle.in_transaction(&[(Call::Execute, sql)]).await?;
    let sql = "REPLACE INTO account (id, email, n) VALUES (2, 'y', 9), (NULL, 'z', 9)";
    oracle.executes(sql).await;
    oracle.recorded().await
}

/// Upserts that leave the row unchanged, change it, replace it, or return its ID.
const FORMS: [&str; 5] = [
    "INSERT IGNORE INTO account (email, n) VALUES ('x', 1)",
    "INSERT INTO account (email, n) VALUES ('x', 1) ON DUPLICATE KEY UPDATE id = id",
    "INSERT INTO account (email, n) VALUES ('x', 7) ON DUPLICATE KEY UPDATE n = VALUES(n)",
    "INSERT INTO account (email, n) VALUES ('x', 1), ('w', 5) ON DUPLICATE KEY UPDATE n = n + 1",
    "REPLACE INTO account (email, n) VALUES ('x', 1)",
];

async fn upsert_at_read_committed_records_no_creation_of_an_existing_row(
    db: &TestDb,
) -> TestResult {
    for sql in FORMS {
        let own = db.sibling().await?;
        let oracle = two_accounts(&own).await?;
        let level = Some(IsolationLevel::ReadCommitted);
        let bare = oracle.bare.begin_with_config(level, None).await?;
        let audited = oracle.audited.begin_with_config(level, None).await?;
        same_on(&bare, &audited, Call::Execute, sql).await;
        bare.commit().await?;
        audited.commit().await?;
        oracle.recorded().await?;
        own.remove().await?;
    }
    Ok(())
}

async fn upsert_that_returns_the_existing_id_is_captured(db: &TestDb) -> TestResult {
    let oracle = two_accounts(db).await?;
    for (email, call) in [
        ("y", Call::Execute),
        ("z", Call::Unprepared),
        ("x", Call::Execute),
    ] {
        let sql = format!(
            "INSERT INTO account (email, n) VALUES ('{email}', 9) \
             ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), n = VALUES(n)"
        );
        oracle.same(call, &sql, &[]).await;
    }
    let same_row = "INSERT INTO account (email, n) VALUES ('y', 9) \
                    ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)";
    oracle.executes(same_row).await;
    oracle.recorded().await
}

/// Upserts of account x in a transaction whose snapshot is older than another client's change.
async fn after_an_older_snapshot(db: &TestDb, forms: &[&str], elsewhere: &str) -> TestResult {
    for sql in forms {
        let own = db.sibling().await?;
        let mut oracle = two_accounts(&own).await?;
        let bare = oracle.bare.begin().await?;
        let audited = oracle.audited.begin().await?;
        let read = "SELECT * FROM account ORDER BY id";
        same_on(&bare, &audited, Call::QueryAll, read).await;
        oracle.elsewhere(elsewhere).await?;
        same_on(&bare, &audited, Call::Execute, sql).await;
        bare.commit().await?;
        audited.commit().await?;
        if sql.starts_with("REPLACE") && elsewhere.starts_with("INSERT") {
            // The server returns nothing of a deleted row that is not in the snapshot.
            oracle.recorded_or_reported().await?;
        } else if elsewhere.starts_with("INSERT") {
            // The row was not visible before the statement changed it.
            oracle.recorded_or_unknown().await?;
        } else {
            oracle.recorded().await?;
        }
        own.remove().await?;
    }
    Ok(())
}

async fn upsert_after_an_older_snapshot_of_a_changed_row_is_recorded_rightly(
    db: &TestDb,
) -> TestResult {
    after_an_older_snapshot(db, &FORMS, "UPDATE account SET n = 50 WHERE email = 'x'").await
}

async fn upsert_after_an_older_snapshot_of_a_deleted_row_records_the_new_one(
    db: &TestDb,
) -> TestResult {
    after_an_older_snapshot(db, &FORMS, "DELETE FROM account WHERE email = 'x'").await
}

async fn upsert_after_an_older_snapshot_of_an_inserted_row_records_no_creation(
    db: &TestDb,
) -> TestResult {
    let forms = FORMS.map(|sql| sql.replace("'x'", "'v'"));
    let forms = forms.each_ref().map(String::as_str);
    after_an_older_snapshot(db, &forms, "INSERT INTO account (email, n) VALUES ('v', 1)").await
}
