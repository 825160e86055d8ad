//! The configuration of the process. A separate process, and one test after the other, since there is only one
//! configuration.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

use sea_orm::{ActiveModelTrait, Set};
use sea_orm_audit::config::{FailurePolicy, HashKey};
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::test::{Log, TestDatabase};
use sea_orm_audit::value::{EntityInfo, audited_entities};
use sea_orm_audit::{AuditConfig, AuditError, AuditStats};

mod member {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "member")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[audit(hash)]
        pub email: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

fn member() -> member::ActiveModel {
    member::ActiveModel {
        email: Set("ann@example.org".into()),
        ..Default::default()
    }
}

async fn insert_and_count(db: &TestDatabase) -> Result<usize, sea_orm::DbErr> {
    Log::clear(&**db).await?;
    member().insert(&**db).await?;
    Ok(Log::read(&**db).await?.records().len())
}

#[tokio::test]
async fn installed_configuration_is_checked_applies_everywhere_and_can_be_replaced()
-> Result<(), Box<dyn std::error::Error>> {
    let models: Vec<_> = audited_entities().map(EntityInfo::model).collect();
    assert_eq!(models, ["member"]);
    let db = TestDatabase::new()
        .await?
        .with_table(member::Entity)
        .await?;

    // A hash without a key is reported when the configuration is installed, not at the first write.
    let error = AuditConfig::builder().build()?.install().unwrap_err();
    assert!(matches!(error, AuditError::Config(_)), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("`email` of `member` is marked `hash`"),
        "{error}"
    );

    let key = || HashKey::from_bytes("k1", &[1; 32]);
    AuditConfig::builder().hash_key(key()?).build()?.install()?;
    assert_eq!(insert_and_count(&db).await?, 1);

    AuditConfig::builder()
        .hash_key(key()?)
        .skip_model("member")
        .build()?
        .install()?;
    assert_eq!(insert_and_count(&db).await?, 0);

    // It applies to tasks that were spawned outside of any scope, too.
    let db = tokio::spawn(async move { insert_and_count(&db).await.map(|count| (db, count)) });
    let (db, count) = db.await??;
    assert_eq!(count, 0);

    // A refused configuration leaves the one before in place.
    assert!(AuditConfig::builder().build()?.install().is_err());
    assert_eq!(insert_and_count(&db).await?, 0);

    AuditConfig::builder().hash_key(key()?).build()?.install()?;
    assert_eq!(insert_and_count(&db).await?, 1);
    every_outcome_is_counted(&db).await
}

/// No other test runs in this process, so the numbers are exact.
async fn every_outcome_is_counted(db: &TestDatabase) -> Result<(), Box<dyn std::error::Error>> {
    let before = AuditStats::now();
    let key = HashKey::from_bytes("k1", &[1; 32])?;
    let nowhere = AuditConfig::builder()
        .hash_key(key)
        .table_prefix("nowhere_");
    let fails = nowhere.build()?;
    let key = HashKey::from_bytes("k1", &[1; 32])?;
    let isolates = AuditConfig::builder()
        .hash_key(key)
        .table_prefix("nowhere_")
        .failure_policy(FailurePolicy::Isolate)
        .build()?;
    member().insert(&**db).await?;
    assert!(fails.scope(member().insert(&**db)).await.is_err());
    isolates.scope(member().insert(&**db)).await?;
    isolates.scope(member().insert(&**db)).await?;
    let suppressed = async {
        for _ in 0..3 {
            member().insert(&**db).await?;
        }
        Ok::<_, sea_orm::DbErr>(())
    };
    migration_mode("test", suppressed).await?;
    let after = AuditStats::now();
    assert_eq!(after.recorded - before.recorded, 1);
    assert_eq!(after.failed - before.failed, 1);
    assert_eq!(after.isolated - before.isolated, 2);
    assert_eq!(after.suppressed - before.suppressed, 3);
    assert_eq!((after.evicted, after.before_images), (0, 0));
    Ok(())
}
