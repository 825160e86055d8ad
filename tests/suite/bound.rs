//! Configuration and context bound to a connection apply to all records through it, not only to captured writes.

use sea_orm::TransactionTrait;
use sea_orm_audit::event::{
    DataExport, EventType, Lockout, LockoutDecision, LoginAttempt, SystemEvent, record_logout,
    record_view,
};
use sea_orm_audit::{Action, Actor, AuditConfig, AuditContext, AuditEvent};
use std::time::Duration;

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    bound_actor_is_everybodys,
    bound_context_wins_over_the_one_around_it_and_loses_to_the_event,
    bound_configuration_skips,
    bound_address_is_locked_out,
}

async fn bound_actor_is_everybodys(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let ann = db.audited().as_actor(Actor::user(7));
    let post = post::Model {
        id: 1,
        title: "a".into(),
        body: None,
        qty: 7,
    };
    AuditEvent::new(Action::custom("APPROVE")?)
        .record(&ann)
        .await?;
    record_view(&ann, &post).await?;
    record_logout(&ann).await?;
    let export = DataExport::new("posts").record(&ann).await?;
    DataExport::record_download(&ann, export).await?;
    LoginAttempt::failed("ann", "wrong password")
        .account(Actor::user(7))
        .record(&ann)
        .await?;
    SystemEvent::new(EventType::Info, "a").record(&ann).await?;
    let tx = ann.begin().await?;
    AuditEvent::access_denied().record(&tx).await?;
    tx.commit().await?;

    let records = db.records().await?;
    assert_eq!(records.len(), 7);
    for record in &records {
        assert_eq!(record.actor_id.as_deref(), Some("7"), "{record:?}");
    }
    assert_eq!(db.events().await?[0].actor_id.as_deref(), Some("7"));
    assert_eq!(db.exports().await?[0].actor_id.as_deref(), Some("7"));
    Ok(())
}

async fn bound_context_wins_over_the_one_around_it_and_loses_to_the_event(
    db: &TestDb,
) -> TestResult {
    let bound = AuditContext::new().actor(Actor::user(7)).reason("bound");
    let conn = db.audited().with_context(bound);
    let around = AuditContext::new()
        .actor(Actor::user(8))
        .reason("around")
        .request_id("r");
    let events = async {
        AuditEvent::access_denied().record(&conn).await?;
        let own = AuditEvent::access_denied().actor(Actor::user(9));
        own.record(&conn).await
    };
    around.scope(events).await?;
    let recorded: Vec<_> = (db.records().await?.into_iter())
        .map(|record| (record.actor_id, record.reason, record.request_id))
        .collect();
    let row = |actor: &str| {
        let own = |text: &str| Some(text.to_owned());
        (own(actor), own("bound"), own("r"))
    };
    assert_eq!(recorded, [row("7"), row("9")]);
    Ok(())
}

async fn bound_configuration_skips(db: &TestDb) -> TestResult {
    let config = AuditConfig::builder().skip_action(Action::Export).build()?;
    let conn = db.audited().with_config(config);
    assert_eq!(DataExport::new("posts").record(&conn).await?, 0);
    assert_eq!(db.records().await?.len(), 0);
    assert_eq!(db.exports().await?.len(), 0);
    Ok(())
}

async fn bound_address_is_locked_out(db: &TestDb) -> TestResult {
    let lockout = Lockout::per_address(1, Duration::from_mins(15));
    let [here, there] = ["192.0.2.1", "192.0.2.2"].map(|address| {
        db.audited()
            .with_context(AuditContext::new().ip_address_as(address))
    });
    LoginAttempt::failed("ann", "wrong password")
        .record(&here)
        .await?;
    assert_ne!(lockout.check(&here, "ann").await?, LockoutDecision::Allowed);
    assert_eq!(
        lockout.check(&there, "ann").await?,
        LockoutDecision::Allowed
    );
    Ok(())
}
