//! Errors of the core that random work found, in their smallest form.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, EntityTrait, Set, TransactionTrait};
use sea_orm_audit::AuditConfig;

use super::entity::{branch, label, leaf, node, root};
use super::replay::{self, Contents, Keys};
use crate::support::{TestDb, TestResult};

on_every_database! {
    records_of_a_savepoint_follow_those_before_it,
    cascade_beside_set_null_is_recorded,
    row_that_goes_with_another_of_the_same_delete_is_recorded,
    row_that_forgets_another_of_the_same_delete_is_recorded_as_it_was,
    row_that_an_upsert_writes_twice_is_created_once,
}

/// The log agrees with the tables.
async fn assert_replays(db: &TestDb) -> TestResult {
    let mut keys = Keys::new();
    let mut contents = Contents::new();
    macro_rules! with {
        ($($name:ident),*) => {$(
            let name = sea_orm::EntityName::table_name(&$name::Entity);
            keys.insert(name, replay::key_columns::<$name::Entity>());
            replay::read::<$name::Entity>(db, &mut contents).await?;
        )*};
    }
    with!(root, branch, leaf, node, label);
    let log = db.records().await?;
    let recorded = replay::replay(&log, &keys)?;
    assert_eq!(recorded, contents, "{:#?}", db.log().await?);
    Ok(())
}

async fn create(db: &TestDb) -> TestResult {
    db.create(root::Entity).await?;
    db.create(branch::Entity).await?;
    db.create(leaf::Entity).await?;
    db.create(node::Entity).await?;
    db.create(label::Entity).await?;
    Ok(())
}

fn root(note: i32) -> root::ActiveModel {
    root::ActiveModel {
        note: Set(Some(note)),
        ..Default::default()
    }
}

async fn records_of_a_savepoint_follow_those_before_it(db: &TestDb) -> TestResult {
    create(db).await?;
    let config = AuditConfig::builder().buffered_records(2).build()?;
    config
        .scope(async {
            let tx = db.audited().begin().await?;
            let first = root(1).insert(&tx).await?;
            let savepoint = tx.begin().await?;
            let mut edit = root(2);
            edit.id = Set(first.id);
            edit.update(&savepoint).await?;
            root(3).insert(&savepoint).await?;
            savepoint.commit().await?;
            tx.commit().await
        })
        .await?;
    assert_replays(db).await
}

/// First the branch's other reference becomes NULL, then the branch is deleted, and the node with it.
async fn cascade_beside_set_null_is_recorded(db: &TestDb) -> TestResult {
    create(db).await?;
    let audited = db.audited();
    let root = root(1).insert(&audited).await?;
    let branch = branch::ActiveModel {
        root_id: Set(Some(root.id)),
        other_id: Set(Some(root.id)),
        ..Default::default()
    };
    let branch = branch.insert(&audited).await?;
    let node = node::ActiveModel {
        branch_id: Set(Some(branch.id)),
        ..Default::default()
    };
    node.insert(&audited).await?;
    root::Entity::delete_by_id(root.id).exec(&audited).await?;
    assert_replays(db).await
}

async fn two_nodes(db: &TestDb, above: bool) -> TestResult {
    create(db).await?;
    let audited = db.audited();
    let first = node::ActiveModel {
        branch_id: Set(None),
        ..Default::default()
    };
    let first = Some(first.insert(&audited).await?.id);
    let second = node::ActiveModel {
        above_id: Set(first.filter(|_| above)),
        beside_id: Set(first.filter(|_| !above)),
        ..Default::default()
    };
    second.insert(&audited).await?;
    node::Entity::delete_many().exec(&audited).await?;
    assert_replays(db).await
}

async fn row_that_goes_with_another_of_the_same_delete_is_recorded(db: &TestDb) -> TestResult {
    two_nodes(db, true).await
}

async fn row_that_forgets_another_of_the_same_delete_is_recorded_as_it_was(
    db: &TestDb,
) -> TestResult {
    two_nodes(db, false).await
}

async fn row_that_an_upsert_writes_twice_is_created_once(db: &TestDb) -> TestResult {
    if db.backend() == sea_orm::DbBackend::Postgres {
        // PostgreSQL refuses to write a row twice.
        return Ok(());
    }
    create(db).await?;
    let models = [1, 2].map(|score| label::ActiveModel {
        name: Set("a".into()),
        score: Set(score),
        ..Default::default()
    });
    let conflict = OnConflict::column(label::Column::Name)
        .update_column(label::Column::Score)
        .to_owned();
    label::Entity::insert_many(models)
        .on_conflict(conflict)
        .exec_without_returning(&db.audited())
        .await?;
    assert_replays(db).await
}
