//! Migration mode, entered and left.

use sea_orm::{ActiveModelTrait, DbErr, TransactionTrait};
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::event::EventWriter;
use sea_orm_audit::{Actor, AuditConfig, AuditContext};
use serde_json::{Value, json};

use crate::entity::post;
use crate::support::{TestDb, TestResult};
use crate::{forget_events, recorded_events};

pub(crate) async fn migration_mode_is_reported_when_entered_and_when_left(
    db: &TestDb,
) -> TestResult {
    let release = |posts: i32| {
        migration_mode("release 7", async move {
            for number in 0..posts {
                let tx = db.begin().await?;
                post::new(&number.to_string()).insert(&tx).await?;
                tx.rollback().await?;
            }
            Ok::<_, DbErr>(())
        })
    };
    let context = AuditContext::new().actor(Actor::user(7)).request_id("r");
    let twice_and_once_more = async {
        release(2).await?;
        release(2).await?;
        release(3).await
    };
    context.scope(twice_and_once_more).await?;
    let entered = "audit migration mode entered".to_owned();
    let left = "audit migration mode left".to_owned();
    assert_eq!(
        recorded_events(db).await?,
        [
            (entered, json!({"reason": "release 7"}), 3),
            (
                left.clone(),
                json!({"reason": "release 7", "suppressed": 2}),
                2
            ),
            (left, json!({"reason": "release 7", "suppressed": 3}), 1),
        ]
    );
    for row in db.events().await? {
        assert_eq!(row.actor_id.as_deref(), Some("7"), "{row:?}");
        assert_eq!(row.request_id.as_deref(), Some("r"));
    }
    assert_eq!(db.records().await?.len(), 0);
    forget_events(db).await
}

pub(crate) async fn migration_mode_that_is_dropped_is_left(db: &TestDb) -> TestResult {
    let (inserted, is_inserted) = tokio::sync::oneshot::channel();
    let endless = migration_mode("endless", async {
        let result = post::new("kept").insert(&db.conn).await;
        let _ = inserted.send(result);
        std::future::pending::<()>().await;
    });
    tokio::select! {
        () = endless => unreachable!("it has no end"),
        result = is_inserted => result??,
    };
    assert_eq!(
        recorded_events(db).await?[1].1,
        json!({"reason": "endless", "suppressed": 1})
    );
    forget_events(db).await
}

pub(crate) async fn migration_mode_of_a_configuration_is_reported(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder().migration_mode(true).build()?;
    config.scope(async {}).await;
    assert_eq!(
        recorded_events(db).await?.len(),
        0,
        "it kept nothing out of the log"
    );
    config
        .scope(post::new("of a configuration, a").insert(&db.conn))
        .await?;
    config
        .scope(post::new("of a configuration, b").insert(&db.conn))
        .await?;
    let titles = |recorded: Vec<(String, Value, i64)>| -> Vec<_> {
        recorded
            .into_iter()
            .map(|(title, recorded, _)| (title, recorded))
            .collect()
    };
    let reason = "the configuration says so";
    let entered = (
        "audit migration mode entered".to_owned(),
        json!({"reason": reason}),
    );
    assert_eq!(titles(recorded_events(db).await?), vec![entered.clone()]);
    drop(config);
    let left = (
        "audit migration mode left".to_owned(),
        json!({"reason": reason, "suppressed": 2}),
    );
    assert_eq!(titles(recorded_events(db).await?), [entered, left]);
    forget_events(db).await?;

    // An installed mode is left when another configuration is installed, and reported when the writer is shut down.
    let config = AuditConfig::builder().migration_mode(true).build()?;
    config.install()?;
    post::new("of a configuration, c").insert(&db.conn).await?;
    let writer = EventWriter::start(db.conn.clone());
    writer.shutdown().await;
    let standing = titles(recorded_events(db).await?);
    let title = "audit migration mode is on at shutdown".to_owned();
    assert!(
        standing.contains(&(title, json!({"reason": reason, "suppressed": 1}))),
        "{standing:?}"
    );
    AuditConfig::default().install()?;
    let after = titles(recorded_events(db).await?);
    let title = "audit migration mode left".to_owned();
    assert!(
        after.contains(&(title, json!({"reason": reason, "suppressed": 1}))),
        "{after:?}"
    );
    assert_eq!(db.records().await?.len(), 0);
    forget_events(db).await
}
