//! The outcome of a write whose record cannot be written.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseExecutor, DbBackend, DbErr, EntityTrait,
    PaginatorTrait, Set, TransactionTrait,
};
use sea_orm_audit::config::FailurePolicy;
use sea_orm_audit::error::{Cause, ChangeState};
use sea_orm_audit::{AuditConfig, AuditError};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    failing_on_autocommit_says_that_the_change_is_committed,
    failing_in_a_transaction_obliges_to_roll_back,
    failing_behind_an_executor_tells_pool_and_transaction_apart,
    missing_audit_table_names_the_command_to_run,
    isolate_writes_in_a_transaction_without_an_audit_table,
    isolating_keeps_the_transaction_usable,
    isolating_keeps_what_runs_at_the_same_time,
    isolating_on_autocommit_keeps_the_change,
    isolating_records_when_nothing_fails,
    foreseeable_failure_precedes_the_change,
}

/// Makes the audit table refuse every record.
async fn refuse_records(db: &TestDb) -> TestResult {
    match db.backend() {
        DbBackend::Sqlite => {
            db.execute_unprepared(
                "CREATE TRIGGER refuse BEFORE INSERT ON audit_log
                 BEGIN SELECT RAISE(ABORT, 'refused on purpose'); END",
            )
            .await?;
        }
        DbBackend::MySql => {
            db.execute_unprepared(
                "CREATE TRIGGER refuse BEFORE INSERT ON audit_log FOR EACH ROW
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused on purpose'",
            )
            .await?;
        }
        _ => {
            db.execute_unprepared(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE 'refused on purpose'; END $$;
                 CREATE TRIGGER refuse BEFORE INSERT ON audit_log
                 FOR EACH ROW EXECUTE FUNCTION refuse()",
            )
            .await?;
        }
    }
    Ok(())
}

fn isolate() -> TestResult<AuditConfig> {
    Ok(AuditConfig::builder()
        .failure_policy(FailurePolicy::Isolate)
        .build()?)
}

async fn posts(db: &TestDb) -> Result<u64, DbErr> {
    post::Entity::find().count(&db.conn).await
}

fn committed(error: &DbErr) -> bool {
    let text = error.to_string();
    assert!(
        text.contains("audit_log") && text.contains("refused on purpose"),
        "{text}"
    );
    AuditError::of(error).unwrap().is_committed()
}

async fn failing_on_autocommit_says_that_the_change_is_committed(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records(db).await?;
    let error = post::new("a").insert(&db.conn).await.unwrap_err();
    assert!(committed(&error), "{error}");
    assert!(error.to_string().contains("already committed"), "{error}");
    assert_eq!(posts(db).await?, 1);
    Ok(())
}

async fn failing_in_a_transaction_obliges_to_roll_back(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records(db).await?;
    let tx = db.begin().await?;
    let error = post::new("a").insert(&tx).await.unwrap_err();
    assert!(!committed(&error), "{error}");
    assert!(error.to_string().contains("roll it back"), "{error}");
    tx.rollback().await?;
    assert_eq!(posts(db).await?, 0);

    let result = db
        .transaction(|tx| Box::pin(async move { post::new("b").insert(tx).await }))
        .await;
    assert!(result.is_err());
    assert_eq!(posts(db).await?, 0);
    Ok(())
}

async fn failing_behind_an_executor_tells_pool_and_transaction_apart(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records(db).await?;
    let pool = DatabaseExecutor::from(&db.conn);
    let error = post::new("a").insert(&pool).await.unwrap_err();
    assert!(committed(&error), "{error}");
    assert_eq!(posts(db).await?, 1);

    let tx = db.begin().await?;
    let executor = DatabaseExecutor::from(&tx);
    let error = post::new("b").insert(&executor).await.unwrap_err();
    assert!(!committed(&error), "{error}");
    // The check of the executor did not end the transaction.
    drop(executor);
    tx.rollback().await?;
    assert_eq!(posts(db).await?, 1);
    Ok(())
}

async fn missing_audit_table_names_the_command_to_run(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let elsewhere = AuditConfig::builder().table_prefix("nowhere_").build()?;
    let error = elsewhere
        .scope(post::new("a").insert(&db.conn))
        .await
        .unwrap_err();
    match AuditError::of(&error).and_then(AuditError::cause) {
        Some(Cause::MissingTable { table, .. }) => assert_eq!(table, "nowhere_log"),
        other => panic!("{other:?}"),
    }
    assert!(
        error
            .to_string()
            .contains("migration::Migrator::up(&db, None)"),
        "{error}"
    );

    let tx = db.begin().await?;
    let update = post::retitle(1, "b").update(&tx);
    let error = elsewhere.scope(update).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("migration::Migrator::up(&db, None)"),
        "{error}"
    );
    Ok(())
}

async fn isolating_keeps_the_transaction_usable(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records(db).await?;
    isolate()?
        .scope(async {
            let tx = db.begin().await?;
            let a = post::new("a").insert(&tx).await?;
            post::retitle(a.id, "b").update(&tx).await?;
            post::new("c").insert(&tx).await?;
            let inner = tx.begin().await?;
            post::new("d").insert(&inner).await?;
            inner.rollback().await?;
            let executor = DatabaseExecutor::from(&tx);
            post::new("e").insert(&executor).await?;
            drop(executor);
            tx.commit().await
        })
        .await?;
    let mut titles: Vec<_> = (post::Entity::find().all(&db.conn).await?.into_iter())
        .map(|post| post.title)
        .collect();
    titles.sort();
    assert_eq!(titles, ["b", "c", "e"]);
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

/// Only the write of a failed record is undone: not what another future did on the transaction meanwhile.
async fn isolating_keeps_what_runs_at_the_same_time(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records(db).await?;
    isolate()?
        .scope(async {
            let tx = db.begin().await?;
            let mut created = 0;
            for round in 0..20 {
                let title = |n: i32| format!("{round} {n}");
                let results = tokio::join!(
                    post::new(&title(1)).insert(&tx),
                    post::new(&title(2)).insert(&tx),
                    post::new(&title(3)).insert(&tx),
                );
                for result in [results.0, results.1, results.2] {
                    match result {
                        Ok(_) => created += 1,
                        // A statement between the failure and the rollback reports that.
                        Err(error) => {
                            assert_eq!(db.backend(), DbBackend::Postgres);
                            assert!(error.to_string().contains("aborted"), "{error}");
                        }
                    }
                }
            }
            let kept = post::Entity::find().count(&tx).await?;
            assert_eq!(kept, created);
            tx.commit().await?;
            TestResult::Ok(())
        })
        .await
}

async fn isolating_on_autocommit_keeps_the_change(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    refuse_records(db).await?;
    isolate()?.scope(post::new("a").insert(&db.conn)).await?;
    let pool = DatabaseExecutor::from(&db.conn);
    isolate()?.scope(post::new("b").insert(&pool)).await?;
    assert_eq!(posts(db).await?, 2);
    Ok(())
}

async fn isolating_records_when_nothing_fails(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    isolate()?
        .scope(async {
            post::new("it's a \\ \"quoted\" ? $1 🦀 {\"json\": '\\u0041'}")
                .insert(&db.conn)
                .await?;
            let tx = db.begin().await?;
            post::new("it's b \\ \"quoted\" ? $1 🦀 {\"json\": '\\u0041'}")
                .insert(&tx)
                .await?;
            tx.commit().await
        })
        .await?;
    let pool = DatabaseExecutor::from(&db.conn);
    isolate()?.scope(post::new("c").insert(&pool)).await?;
    let titles: Vec<_> = (db.records().await?.into_iter())
        .map(|r| {
            r.changes.unwrap()["title"]["new"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(
        titles,
        [
            "it's a \\ \"quoted\" ? $1 🦀 {\"json\": '\\u0041'}",
            "it's b \\ \"quoted\" ? $1 🦀 {\"json\": '\\u0041'}",
            "c",
        ]
    );
    Ok(())
}

async fn foreseeable_failure_precedes_the_change(db: &TestDb) -> TestResult {
    db.create(sealed::Entity).await?;
    let new = sealed::ActiveModel {
        code: Set("x".into()),
        ..Default::default()
    };
    let error = new.insert(&db.conn).await.unwrap_err();
    match AuditError::of(&error) {
        Some(AuditError::NotRecorded { state, cause }) => {
            assert_eq!(*state, ChangeState::NotTried);
            assert!(matches!(cause, Cause::MissingHashKey { .. }), "{cause:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(sealed::Entity::find().count(&db.conn).await?, 0);
    Ok(())
}

mod sealed {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "sealed")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[audit(hash)]
        pub code: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// MariaDB's deadlock ends the whole transaction: later writes would be outside of it.
mod a_deadlock_on_mariadb {
    use super::*;

    /// Two transactions that each changed a post write the other's. Returns the result of the victim's second change.
    async fn victims_error(db: &TestDb) -> TestResult<DbErr> {
        db.create(post::Entity).await?;
        post::new("a").insert(&db.conn).await?;
        post::new("b").insert(&db.conn).await?;
        db.forget().await?;
        let quantity = |id| post::ActiveModel {
            id: Set(id),
            qty: Set(8),
            ..Default::default()
        };
        let (one, two) = (db.begin().await?, db.begin().await?);
        quantity(1).update(&one).await?;
        quantity(2).update(&two).await?;
        let (of_one, of_two) = tokio::join!(
            post::retitle(2, "x").update(&one),
            post::retitle(1, "y").update(&two)
        );
        let (error, victim, survivor) = match (of_one, of_two) {
            (Err(error), Ok(_)) => (error, one, two),
            (Ok(_), Err(error)) => (error, two, one),
            other => panic!("one of the two must be the victim: {other:?}"),
        };
        victim.rollback().await?;
        survivor.commit().await?;
        assert_eq!(db.log().await?.len(), 2);
        Ok(error)
    }

    #[tokio::test]
    async fn is_returned_as_it_is_whatever_the_policy() -> TestResult {
        for config in [AuditConfig::builder().build()?, isolate()?] {
            let Some(db) = TestDb::mariadb().await? else {
                return Ok(());
            };
            let error = config.scope(victims_error(&db)).await?;
            assert!(AuditError::of(&error).is_none(), "{error}");
            assert!(format!("{error:?}").contains("number: 1213"), "{error:?}");
            db.remove().await?;
        }
        Ok(())
    }
}

async fn isolate_writes_in_a_transaction_without_an_audit_table(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    post::new("a").insert(&db.conn).await?;
    db.execute_unprepared("DROP TABLE audit_log").await?;
    let writing = async {
        let tx = db.conn.begin().await?;
        post::retitle(1, "b").update(&tx).await?;
        post::new("c").insert(&tx).await?;
        tx.commit().await
    };
    isolate()?.scope(writing).await?;
    assert_eq!(posts(db).await?, 2);
    Ok(())
}
