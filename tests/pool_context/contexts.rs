//! The context that records of a plain pool have.

use sea_orm::{ActiveModelTrait, Database, TransactionTrait};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection, AuditedEntity};

use crate::entity::ledger;
use crate::pool::{actor, connect, create, options, record};
use crate::support::{TestDb, TestResult};

crate::on_servers! {
    plain_write_has_the_context_of_an_audited_one,
    write_outside_of_scopes_has_the_empty_context,
    new_connection_has_the_context_of_the_task,
    transaction_has_the_context_of_its_acquire,
    audited_transaction_has_its_own_context,
}

fn ann() -> AuditContext {
    AuditContext::new().actor(Actor::user(7).named("Ann"))
}

/// Every field, in the plain form and with values that have another one: blank, secret, with a separator.
async fn plain_write_has_the_context_of_an_audited_one(db: &TestDb) -> TestResult {
    create(db).await?;
    let pool = connect(db, 1).await?;
    let full = ann()
        .ip_address("192.0.2.1".parse()?)
        .user_agent("agent")
        .session_key("session")
        .request_id("request")
        .trace_id("trace")
        .tenant("tenant")
        .module("module")
        .metadata("password", "x")
        .metadata("n", 1);
    let contexts = [
        full.clone().reason("why"),
        full.clone().reason(""),
        full.clone().reason("  "),
        full.reason("a\u{1f}b 'c' \"d\" \\ \u{1F600}"),
        ann(),
        AuditContext::new().actor(Actor::service("night").impersonated_by(9)),
        AuditContext::new().actor(Actor::anonymous()),
    ];
    for (number, context) in contexts.into_iter().enumerate() {
        let id = i32::try_from(number)? * 2;
        context
            .scope(async {
                ledger::new(id).insert(&pool).await?;
                ledger::new(id + 1).insert(&db.audited()).await
            })
            .await?;
        let (mut plain, audited) = (record(db, id).await?, record(db, id + 1).await?);
        assert_eq!(plain.transaction_id, None);
        assert!(audited.transaction_id.is_some());
        plain.id = audited.id;
        plain.occurred_at = audited.occurred_at;
        plain.object_id.clone_from(&audited.object_id);
        plain.object_repr.clone_from(&audited.object_repr);
        plain.changes.clone_from(&audited.changes);
        plain.transaction_id = audited.transaction_id;
        assert_eq!(plain, audited);
    }
    let log = format!("{:?}", db.records().await?);
    assert!(!log.contains("\"session\""), "{log}");
    Ok(())
}

async fn write_outside_of_scopes_has_the_empty_context(db: &TestDb) -> TestResult {
    create(db).await?;
    let pool = connect(db, 1).await?;
    ann().scope(ledger::new(1).insert(&pool)).await?;
    ledger::new(2).insert(&pool).await?;
    ledger::new(3).insert(&db.audited()).await?;
    let actors = (
        actor(db, 1).await?,
        actor(db, 2).await?,
        actor(db, 3).await?,
    );
    assert_eq!(
        actors,
        ("USER 7".into(), "UNKNOWN".into(), "UNKNOWN".into())
    );
    Ok(())
}

async fn new_connection_has_the_context_of_the_task(db: &TestDb) -> TestResult {
    create(db).await?;
    let mut options = options(db, 2);
    options.connect_lazy(true);
    let pool = Database::connect(options).await?;
    ann().scope(ledger::new(1).insert(&pool)).await?;
    // The first connection is in use: another one is opened.
    let tx = pool.begin().await?;
    let bob = AuditContext::new().actor(Actor::user(8));
    bob.scope(ledger::new(2).insert(&pool)).await?;
    tx.rollback().await?;
    assert_eq!(
        (actor(db, 1).await?, actor(db, 2).await?),
        ("USER 7".into(), "USER 8".into())
    );
    Ok(())
}

async fn transaction_has_the_context_of_its_acquire(db: &TestDb) -> TestResult {
    create(db).await?;
    let pool = connect(db, 1).await?;
    let tx = ann().scope(pool.begin()).await?;
    let bob = AuditContext::new().actor(Actor::user(8));
    bob.scope(ledger::new(1).insert(&tx)).await?;
    let inner = tx.begin().await?;
    ledger::new(2).insert(&inner).await?;
    inner.rollback().await?;
    ledger::new(3).insert(&tx).await?;
    tx.commit().await?;
    ledger::new(4).insert(&pool).await?;
    assert_eq!(
        (actor(db, 1).await?, actor(db, 3).await?),
        ("USER 7".into(), "USER 7".into())
    );
    assert_eq!(actor(db, 4).await?, "UNKNOWN");
    Ok(())
}

async fn audited_transaction_has_its_own_context(db: &TestDb) -> TestResult {
    create(db).await?;
    let pool = connect(db, 1).await?;
    let bob = AuditedConnection::new(pool.clone()).as_actor(Actor::user(8));
    ann()
        .scope(async {
            for (number, end) in ["commit", "rollback", "drop"].into_iter().enumerate() {
                let id = i32::try_from(number)? * 10;
                let tx = bob.begin().await?;
                ledger::new(id).insert(&tx).await?;
                let inner = tx.begin().await?;
                ledger::new(id + 1).insert(&inner).await?;
                inner.rollback().await?;
                ledger::new(id + 2).insert(&tx).await?;
                match end {
                    "commit" => tx.commit().await?,
                    "rollback" => tx.rollback().await?,
                    _ => drop(tx),
                }
                ledger::new(id + 3).insert(&pool).await?;
                ledger::new(id + 4).insert(&bob).await?;
                ledger::new(id + 5).insert(&pool).await?;
            }
            TestResult::Ok(())
        })
        .await?;
    ledger::new(40).insert(&pool).await?;
    // Within the application's own transaction, whose earlier context returns.
    let tx = ann().scope(pool.begin()).await?;
    let many = ledger::Entity::audited_insert_many([ledger::new(41)]);
    let carl = AuditContext::new().actor(Actor::user(9));
    carl.scope(many.exec(&tx)).await?;
    ledger::new(42).insert(&tx).await?;
    tx.commit().await?;
    let mut actors = Vec::new();
    for record in db.records().await? {
        let id: i32 = record.object_id.unwrap_or_default().parse()?;
        actors.push((id, record.actor_id.unwrap_or_default()));
    }
    let expected = [
        (0, "8"),
        (2, "8"),
        (3, "7"),
        (4, "8"),
        (5, "7"),
        (13, "7"),
        (14, "8"),
        (15, "7"),
        (23, "7"),
        (24, "8"),
        (25, "7"),
        (40, ""),
        (41, "9"),
        (42, "7"),
    ];
    assert_eq!(actors, expected.map(|(id, actor)| (id, actor.to_owned())));
    Ok(())
}
