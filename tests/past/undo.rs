//! Undo: the tables are as before, or nothing is changed at all.
//!
//! One file, because the cases share their rows.

use sea_orm::prelude::*;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryOrder, Set,
    TransactionSession, TransactionTrait,
};
use sea_orm_audit::entity::audit_log;
use sea_orm_audit::query::{AuditAsOf, Moment};
use sea_orm_audit::undo::{AuditRestore, ConflictKind, Resolution, Undo, WriteKind};
use sea_orm_audit::{AuditError, AuditedConnection};
use serde_json::json;

use crate::shop::{Copy, Shop, Step, customer, line, order};
use crate::support::{TestDb, TestResult};

on_every_database! {
    undone_transaction_leaves_the_tables_before_it,
    older_transaction_is_undone_or_nothing_changes,
    undo_of_one_field_keeps_later_changes,
    conflict_is_shown_and_nothing_is_changed,
    resolution_decides_a_field,
    deleted_row_comes_back_with_what_went_with_it,
    row_is_restored_to_a_moment,
    row_that_others_refer_to_is_not_deleted,
    missing_reference_is_a_conflict,
    value_that_the_log_keeps_out_is_a_conflict,
    unknown_record_or_transaction_is_an_error,
    records_name_what_they_undo,
    concurrent_change_is_a_conflict_or_waits,
    undo_inside_of_a_transaction_is_rolled_back_with_it,
}

fn conflicts(error: &sea_orm::DbErr) -> Vec<String> {
    match AuditError::of(error) {
        Some(AuditError::UndoConflict { conflicts }) => conflicts.clone(),
        _ => panic!("{error}"),
    }
}

/// The transactions of the records after one.
async fn transactions_after(db: &TestDb, record: i64) -> TestResult<Vec<Uuid>> {
    let mut ids = Vec::new();
    for record in db.records().await?.iter().filter(|r| r.id > record) {
        let id = record.transaction_id.ok_or("no transaction")?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

async fn undone_transaction_leaves_the_tables_before_it(db: &TestDb) -> TestResult {
    let mut shop = Shop::new(db).await?;
    shop.copy("nothing").await?;
    let (mut done, mut refused) = (0, 0);
    for _ in 0..130 {
        let before = shop.steps.last().unwrap().clone();
        shop.play(1).await?;
        let after = shop.steps.last().unwrap().clone();
        let transactions = transactions_after(db, before.record).await?;
        let [transaction] = transactions.as_slice() else {
            continue;
        };
        let undo = Undo::transaction(*transaction);
        let plan = undo.plan(&shop.audited).await?;
        assert_eq!(Copy::of(&db.conn).await?, after.copy, "a plan writes");
        match undo.apply(&shop.audited).await {
            Ok(undone) => {
                assert_eq!(
                    Copy::of(&db.conn).await?,
                    before.copy,
                    "{}: {undone:?}",
                    after.what
                );
                assert_eq!(undone.writes, plan.writes);
                assert!(plan.conflicts.is_empty());
                if !undone.writes.is_empty() {
                    let again = Undo::transaction(undone.transaction_id)
                        .apply(&shop.audited)
                        .await;
                    again.map_err(|error| format!("{}: {error}", after.what))?;
                }
                if !undone.writes.is_empty() {
                    assert_eq!(
                        Copy::of(&db.conn).await?,
                        after.copy,
                        "undo of undo: {}",
                        after.what
                    );
                }
                done += 1;
            }
            Err(error) => {
                let conflicts = conflicts(&error);
                assert!(!conflicts.is_empty());
                assert_eq!(Copy::of(&db.conn).await?, after.copy, "{}", after.what);
                eprintln!("refused: {}: {conflicts:?}", after.what);
                refused += 1;
            }
        }
        shop.copy("undone").await?;
    }
    eprintln!("{done} undone, {refused} refused");
    assert!(
        done > 60 && refused * 10 < done,
        "{done} undone, {refused} refused"
    );
    Ok(())
}

async fn older_transaction_is_undone_or_nothing_changes(db: &TestDb) -> TestResult {
    let mut shop = Shop::new(db).await?;
    shop.play(110).await?;
    let all = transactions_after(db, 0).await?;
    let (mut done, mut refused) = (0, 0);
    for transaction in all.iter().rev().step_by(2) {
        let before = Copy::of(&db.conn).await?;
        let undo = Undo::transaction(*transaction);
        let plan = undo.plan(&shop.audited).await?;
        assert_eq!(Copy::of(&db.conn).await?, before);
        match undo.apply(&shop.audited).await {
            Ok(undone) => {
                assert!(plan.conflicts.is_empty());
                if undone.writes.is_empty() {
                    assert_eq!(Copy::of(&db.conn).await?, before);
                } else {
                    Undo::transaction(undone.transaction_id)
                        .apply(&shop.audited)
                        .await?;
                    assert_eq!(Copy::of(&db.conn).await?, before, "{undone:?}");
                }
                done += 1;
            }
            Err(error) => {
                conflicts(&error);
                assert_eq!(Copy::of(&db.conn).await?, before);
                refused += 1;
            }
        }
    }
    assert!(done > 1 && refused > 1, "{done} undone, {refused} refused");
    Ok(())
}

async fn ann(shop: &Shop<'_>) -> TestResult<customer::Model> {
    let ann = customer::ActiveModel {
        id: Set(1),
        name: Set("Ann".to_owned()),
        city: Set(Some("Bonn".to_owned())),
    };
    Ok(ann.insert(&shop.audited).await?)
}

async fn rename(db: &AuditedConnection, name: &str, city: &str) -> TestResult {
    let sql = format!("UPDATE customer SET name = '{name}', city = '{city}' WHERE id = 1");
    db.execute_unprepared(&sql).await?;
    Ok(())
}

async fn last(db: &TestDb) -> TestResult<audit_log::Model> {
    Ok(db.records().await?.pop().ok_or("no record")?)
}

async fn now(db: &TestDb) -> TestResult<(String, Option<String>)> {
    let customer = customer::Entity::find_by_id(1)
        .one(&db.conn)
        .await?
        .ok_or("no row")?;
    Ok((customer.name, customer.city))
}

async fn undo_of_one_field_keeps_later_changes(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    ann(&shop).await?;
    rename(&shop.audited, "Anne", "Köln").await?;
    let wrong = last(db).await?.id;
    rename(&shop.audited, "Anne", "Mainz").await?;
    // The city was changed later; the name was not.
    let plan = Undo::record(wrong).plan(&shop.audited).await?;
    assert_eq!(plan.conflicts.len(), 1);
    let done = Undo::record(wrong)
        .fields(["name"])
        .apply(&shop.audited)
        .await?;
    assert_eq!(done.writes.len(), 1);
    assert_eq!(done.writes[0].kind, WriteKind::Update);
    assert_eq!(
        done.writes[0].changes.to_json(),
        json!({"name": {"old": "Anne", "new": "Ann"}})
    );
    assert_eq!(now(db).await?, ("Ann".to_owned(), Some("Mainz".to_owned())));
    let error = Undo::record(wrong)
        .fields(["id"])
        .plan(&shop.audited)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`id` of customer 1 did not change"),
        "{error}"
    );
    Ok(())
}

async fn conflict_is_shown_and_nothing_is_changed(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    ann(&shop).await?;
    let created = last(db).await?.id;
    rename(&shop.audited, "Anne", "Köln").await?;
    let wrong = last(db).await?.id;
    rename(&shop.audited, "Anna", "Köln").await?;
    let error = Undo::record(wrong).apply(&shop.audited).await.unwrap_err();
    assert_eq!(
        conflicts(&error),
        ["`name` of customer 1 was changed since from \"Anne\" to \"Anna\""]
    );
    let plan = Undo::record(wrong).plan(&shop.audited).await?;
    assert_eq!(
        plan.conflicts[0].kind,
        ConflictKind::Changed {
            left: Some(json!("Anne")),
            found: Some(json!("Anna"))
        }
    );
    // A row that is not as it was created is not deleted.
    let error = Undo::record(created)
        .apply(&shop.audited)
        .await
        .unwrap_err();
    assert_eq!(conflicts(&error).len(), 2, "{error}");
    assert_eq!(now(db).await?.0, "Anna");
    let records = db.records().await?.len();
    shop.audited
        .execute_unprepared("DELETE FROM customer")
        .await?;
    let error = Undo::record(wrong).apply(&shop.audited).await.unwrap_err();
    assert_eq!(conflicts(&error), ["customer 1 no longer exists"]);
    assert_eq!(db.records().await?.len(), records + 1);
    Ok(())
}

async fn resolution_decides_a_field(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    ann(&shop).await?;
    rename(&shop.audited, "Anne", "Köln").await?;
    let wrong = last(db).await?.id;
    rename(&shop.audited, "Anna", "Köln").await?;
    let undo = || Undo::record(wrong);
    let kept = undo()
        .resolve("customer", "1", "name", Resolution::Keep)
        .apply(&shop.audited)
        .await?;
    assert_eq!(now(db).await?, ("Anna".to_owned(), Some("Bonn".to_owned())));
    Undo::transaction(kept.transaction_id)
        .apply(&shop.audited)
        .await?;
    let set = Resolution::Value(json!("Annika"));
    let set = undo()
        .resolve_all("customer", "name", set)
        .apply(&shop.audited)
        .await?;
    assert_eq!(
        now(db).await?,
        ("Annika".to_owned(), Some("Bonn".to_owned()))
    );
    Undo::transaction(set.transaction_id)
        .apply(&shop.audited)
        .await?;
    undo()
        .resolve_all("customer", "name", Resolution::Keep)
        .resolve("customer", "1", "name", Resolution::Overwrite)
        .apply(&shop.audited)
        .await?;
    assert_eq!(now(db).await?, ("Ann".to_owned(), Some("Bonn".to_owned())));
    Ok(())
}

/// A customer with two orders, one of which has lines.
async fn family(shop: &Shop<'_>) -> TestResult {
    ann(shop).await?;
    for id in [1, 2] {
        let order = order::ActiveModel {
            id: Set(id),
            customer_id: Set(Some(1)),
            total: Set(Decimal::new(1050, 2)),
            data: Set(Some(json!({"a": [1]}))),
            placed: Set(None),
            paid: Set(true),
        };
        order.insert(&shop.audited).await?;
    }
    for sku in ["a", "b"] {
        let line = line::ActiveModel {
            order_id: Set(2),
            sku: Set(sku.to_owned()),
            quantity: Set(3),
            weight: Set(0.1),
            label: Set(Some(vec![1, 2])),
        };
        line.insert(&shop.audited).await?;
    }
    Ok(())
}

async fn deleted_row_comes_back_with_what_went_with_it(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    family(&shop).await?;
    let before = Copy::of(&db.conn).await?;
    // Something else in the same transaction stays.
    let tx = shop.audited.begin().await?;
    customer::Entity::delete_by_id(1).exec(&tx).await?;
    let other = customer::ActiveModel {
        id: Set(9),
        name: Set("Other".to_owned()),
        city: Set(None),
    };
    let other = other.insert(&tx).await?;
    tx.commit().await?;
    assert_eq!(Copy::of(&db.conn).await?.lines, []);
    let undo = customer::Entity::restore(1);
    let plan = undo.plan(&shop.audited).await?;
    let writes: Vec<_> = plan
        .writes
        .iter()
        .map(|w| (w.model.as_str(), w.kind))
        .collect();
    assert_eq!(writes.len(), 5, "{plan:?}");
    assert_eq!(writes[0], ("customer", WriteKind::Insert));
    undo.apply(&shop.audited).await?;
    let after = Copy::of(&db.conn).await?;
    assert_eq!(after.orders, before.orders);
    assert_eq!(after.lines, before.lines);
    assert_eq!(after.customers, [before.customers[0].clone(), other]);
    let error = customer::Entity::restore(1)
        .apply(&shop.audited)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is not of its deletion"),
        "{error}"
    );
    Ok(())
}

async fn row_is_restored_to_a_moment(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    family(&shop).await?;
    let before = Copy::of(&db.conn).await?;
    let moment = Moment::after_record(last(db).await?.id);
    rename(&shop.audited, "Anne", "Köln").await?;
    rename(&shop.audited, "Anna", "Mainz").await?;
    customer::Entity::restore_to(1, moment)
        .apply(&shop.audited)
        .await?;
    assert_eq!(Copy::of(&db.conn).await?, before);
    let nothing = customer::Entity::restore_to(1, moment)
        .plan(&shop.audited)
        .await?;
    assert_eq!((nothing.writes.len(), nothing.conflicts.len()), (0, 0));
    let key = || (2, "a".to_owned());
    line::Entity::delete_by_id(key())
        .exec(&shop.audited)
        .await?;
    line::Entity::restore_to(key(), moment)
        .apply(&shop.audited)
        .await?;
    assert_eq!(Copy::of(&db.conn).await?, before);
    // Before its first record, it did not exist.
    let first = db.records().await?;
    let line = first
        .iter()
        .find(|r| r.model.as_deref() == Some("order_line"))
        .ok_or("no line")?;
    let key = match line.object_id.as_deref() {
        Some("[2,\"a\"]") => (2, "a".to_owned()),
        _ => (2, "b".to_owned()),
    };
    line::Entity::restore_to(key, Moment::before_record(line.id))
        .apply(&shop.audited)
        .await?;
    assert_eq!(Copy::of(&db.conn).await?.lines.len(), 1);
    Ok(())
}

async fn row_that_others_refer_to_is_not_deleted(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    family(&shop).await?;
    let before = Copy::of(&db.conn).await?;
    let records = db.records().await?;
    let created = records
        .iter()
        .find(|r| r.model.as_deref() == Some("customer"))
        .ok_or("none")?;
    let error = Undo::record(created.id)
        .apply(&shop.audited)
        .await
        .unwrap_err();
    let conflicts = conflicts(&error);
    assert_eq!(conflicts.len(), 1);
    assert!(
        conflicts[0].starts_with("customer 1 is referred to by order "),
        "{conflicts:?}"
    );
    assert_eq!(Copy::of(&db.conn).await?, before);
    Ok(())
}

async fn missing_reference_is_a_conflict(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    family(&shop).await?;
    order::Entity::delete_by_id(1).exec(&shop.audited).await?;
    customer::Entity::delete_by_id(1)
        .exec(&shop.audited)
        .await?;
    let before = Copy::of(&db.conn).await?;
    let error = order::Entity::restore(1)
        .apply(&shop.audited)
        .await
        .unwrap_err();
    assert_eq!(
        conflicts(&error),
        ["order 1 would refer to a row of `customer` that does not exist"]
    );
    assert_eq!(Copy::of(&db.conn).await?, before);
    Ok(())
}

mod account {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "undo_account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub password: String,
        #[audit(skip)]
        pub visits: Option<i32>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn value_that_the_log_keeps_out_is_a_conflict(db: &TestDb) -> TestResult {
    db.create(account::Entity).await?;
    let audited = db.audited();
    let model = account::Model {
        id: 1,
        name: "Ann".to_owned(),
        password: "secret".to_owned(),
        visits: Some(5),
    };
    model
        .clone()
        .into_active_model()
        .reset_all()
        .insert(&audited)
        .await?;
    let sql = "UPDATE undo_account SET password = 'other', name = 'Anne'";
    audited.execute_unprepared(sql).await?;
    let update = last(db).await?.id;
    let error = Undo::record(update).apply(&audited).await.unwrap_err();
    assert_eq!(
        conflicts(&error),
        ["`password` of undo_account 1 would get a value that is redacted"]
    );
    let undo = Undo::record(update).resolve_all("undo_account", "password", Resolution::Keep);
    undo.apply(&audited).await?;
    let row = account::Entity::find()
        .one(&audited)
        .await?
        .ok_or("no row")?;
    assert_eq!((row.name.as_str(), row.password.as_str()), ("Ann", "other"));
    account::Entity::delete_by_id(1).exec(&audited).await?;
    let error = account::Entity::restore(1)
        .apply(&audited)
        .await
        .unwrap_err();
    assert_eq!(
        conflicts(&error),
        [
            "`password` of undo_account 1 would get a value that is redacted",
            "`visits` of undo_account 1 would get a value that is not recorded"
        ]
    );
    let undo = account::Entity::restore(1)
        .resolve(
            "undo_account",
            "1",
            "password",
            Resolution::Value(json!("new")),
        )
        .resolve("undo_account", "1", "visits", Resolution::Keep);
    let plan = undo.plan(&audited).await?;
    assert_eq!(
        plan.writes[0].changes.to_json()["password"],
        json!({"redacted": true})
    );
    undo.apply(&audited).await?;
    let row = account::Entity::find()
        .one(&audited)
        .await?
        .ok_or("no row")?;
    assert_eq!(
        (row.name.as_str(), row.password.as_str(), row.visits),
        ("Ann", "new", None)
    );
    Ok(())
}

async fn unknown_record_or_transaction_is_an_error(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    for (undo, what) in [
        (Undo::record(12_345), "no record 12345"),
        (
            Undo::transaction(Uuid::from_u128(7)),
            "no change of the transaction",
        ),
        (customer::Entity::restore(5), "not of its deletion"),
    ] {
        let error = undo.plan(&shop.audited).await.unwrap_err();
        assert!(
            matches!(AuditError::of(&error), Some(AuditError::Undo { .. })),
            "{error}"
        );
        assert!(error.to_string().contains(what), "{error}");
        assert!(undo.apply(&shop.audited).await.is_err());
    }
    Ok(())
}

async fn records_name_what_they_undo(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    ann(&shop).await?;
    rename(&shop.audited, "Anne", "Köln").await?;
    let wrong = last(db).await?;
    let context = sea_orm_audit::AuditContext::new()
        .reason("a typing error")
        .metadata("ticket", 5);
    let done = context
        .scope(Undo::record(wrong.id).apply(&shop.audited))
        .await?;
    let record = last(db).await?;
    assert_eq!(record.action, "UPDATE");
    assert_eq!(record.transaction_id, Some(done.transaction_id));
    assert_eq!(record.reason.as_deref(), Some("a typing error"));
    assert_eq!(
        record.metadata,
        Some(json!({"ticket": 5, "undoes": {"record": wrong.id}}))
    );
    Ok(())
}

async fn concurrent_change_is_a_conflict_or_waits(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    ann(&shop).await?;
    rename(&shop.audited, "Anne", "Köln").await?;
    let wrong = last(db).await?.id;
    let undos = (0..6).map(|_| {
        let db = shop.audited.clone();
        tokio::spawn(async move { Undo::record(wrong).apply(&db).await.map(|_| ()) })
    });
    let undos: Vec<_> = undos.collect();
    let mut done = 0;
    for undo in undos {
        match undo.await? {
            Ok(()) => done += 1,
            Err(error) => assert!(AuditError::of(&error).is_some(), "{error}"),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(now(db).await?, ("Ann".to_owned(), Some("Bonn".to_owned())));
    assert_eq!(db.records().await?.len(), 3);
    Ok(())
}

async fn undo_inside_of_a_transaction_is_rolled_back_with_it(db: &TestDb) -> TestResult {
    let shop = Shop::new(db).await?;
    ann(&shop).await?;
    rename(&shop.audited, "Anne", "Köln").await?;
    let wrong = last(db).await?.id;
    let tx = shop.audited.begin().await?;
    Undo::record(wrong).apply(&tx).await?;
    tx.rollback().await?;
    assert_eq!(now(db).await?.0, "Anne");
    let tx = shop.audited.begin().await?;
    // A refused undo leaves the transaction usable.
    assert!(Undo::record(wrong + 1_000).apply(&tx).await.is_err());
    Undo::record(wrong).apply(&tx).await?;
    tx.commit().await?;
    assert_eq!(now(db).await?.0, "Ann");
    Ok(())
}
