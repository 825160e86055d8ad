//! The next user of a connection sees none of the trigger context that a transaction set.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, Statement,
    TransactionTrait,
};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection, AuditedEntity};

use crate::entities::{create, ledger};
use crate::support::{TestDb, TestResult};

mod mariadb_only {
    crate::support::tests_on! { mariadb:
        transaction_that_ddl_ends_leaves_nothing,
        transaction_that_a_statement_ends_leaves_nothing,
        procedure_that_is_left_half_way_leaves_nothing,
    }
}

on_every_database! {
    pool_of_one_forgets_who_wrote,
    future_that_is_dropped_leaves_nothing,
    manually_committed_transaction_leaves_nothing,
    write_after_a_manual_commit_leaves_no_context,
    builder_leaves_what_it_found,
    manually_controlled_nested_transaction_leaves_nothing,
}

/// The number of stored contexts.
async fn contexts(db: &DatabaseConnection) -> TestResult<i64> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CASE WHEN coalesce(current_setting('sea_orm_audit.context', true), '') = ''
             THEN 0::bigint ELSE 1::bigint END AS n"
        }
        _ => "SELECT count(*) AS n FROM audit_trigger_context",
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?.ok_or("no row")?;
    Ok(row.try_get("", "n")?)
}

/// Writes without an actor. Returns the recorded actor type.
async fn next(db: &TestDb, conn: &DatabaseConnection, id: i32) -> TestResult<String> {
    assert_eq!(contexts(conn).await?, 0);
    ledger::new(id, "next").insert(conn).await?;
    // A write whose caller was dropped may finish later.
    let own = Some(id.to_string());
    let record = (db.records().await?.into_iter()).find(|record| record.object_id == own);
    Ok(record.ok_or("no record")?.actor_type)
}

async fn pool_of_one_forgets_who_wrote(db: &TestDb) -> TestResult {
    create(db).await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));

    ledger::new(1, "a").insert(&ann).await?;
    assert_eq!(next(db, &conn, 2).await?, "SERVICE");

    let tx = ann.begin().await?;
    ledger::new(3, "a").insert(&tx).await?;
    tx.commit().await?;
    assert_eq!(next(db, &conn, 4).await?, "SERVICE");

    let tx = ann.begin().await?;
    ledger::new(5, "a").insert(&tx).await?;
    tx.rollback().await?;
    assert_eq!(next(db, &conn, 6).await?, "SERVICE");

    let tx = ann.begin().await?;
    ledger::new(7, "a").insert(&tx).await?;
    drop(tx);
    assert_eq!(next(db, &conn, 8).await?, "SERVICE");

    let tx = ann.begin().await?;
    let inner = tx.begin().await?;
    ledger::new(9, "a").insert(&inner).await?;
    inner.rollback().await?;
    tx.commit().await?;
    assert_eq!(next(db, &conn, 10).await?, "SERVICE");

    // One that fails.
    let tx = ann.begin().await?;
    ledger::new(11, "a").insert(&tx).await?;
    assert!(ledger::new(11, "a").insert(&tx).await.is_err());
    tx.rollback().await?;
    assert!(ledger::new(10, "a").insert(&ann).await.is_err());
    assert_eq!(next(db, &conn, 12).await?, "SERVICE");
    Ok(())
}

async fn manually_committed_transaction_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    // A new connection: sqlx's is out of step with SQLite afterwards.
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn).as_actor(Actor::user(7));
    let tx = ann.begin().await?;
    ledger::new(1, "a").insert(&tx).await?;
    tx.execute_unprepared("COMMIT").await?;
    assert_eq!(contexts(&db.conn).await?, 0);
    ledger::new(2, "b").insert(&db.conn).await?;
    let actors: Vec<_> = (db.records().await?.into_iter())
        .map(|record| record.actor_type)
        .collect();
    assert_eq!(actors, ["USER", "SERVICE"]);
    Ok(())
}

async fn future_that_is_dropped_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));
    for polls in 0..12 {
        let id = 100 + polls;
        let mut insert = Box::pin(ledger::new(id, "a").insert(&ann));
        for _ in 0..polls {
            if futures::poll!(&mut insert).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(insert);
        // The write is complete, with its actor, or never began.
        assert_eq!(next(db, &conn, 200 + polls).await?, "SERVICE");
    }
    for record in db.records().await? {
        let object: i32 = record.object_id.as_deref().unwrap_or_default().parse()?;
        let expected = if object < 200 { "USER" } else { "SERVICE" };
        assert_eq!(record.actor_type, expected, "{object}");
    }
    Ok(())
}

async fn transaction_that_ddl_ends_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));
    for (number, way) in ["commit", "rollback", "drop"].into_iter().enumerate() {
        let tx = ann.begin().await?;
        let id = i32::try_from(number)? * 10;
        ledger::new(id, "a").insert(&tx).await?;
        // DDL commits all earlier writes, and later ones run outside of a transaction.
        tx.execute_unprepared(&format!("CREATE TABLE made_{number} (id INT)"))
            .await?;
        ledger::new(id + 2, "a").insert(&tx).await?;
        match way {
            "commit" => tx.commit().await?,
            "rollback" => tx.rollback().await?,
            _ => drop(tx),
        }
        assert_eq!(next(db, &conn, id + 1).await?, "SERVICE", "{way}");
    }
    Ok(())
}

async fn transaction_that_a_statement_ends_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    db.execute_unprepared(
        "CREATE PROCEDURE commits() BEGIN UPDATE ledger SET title = 'p'; COMMIT; END",
    )
    .await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));
    for (number, sql) in [
        "TRUNCATE entry",
        "CALL commits()",
        "ANALYZE TABLE ledger",
        "SELECT 1; ANALYZE TABLE ledger",
    ]
    .into_iter()
    .enumerate()
    {
        let id = i32::try_from(number)? * 10;
        for (id, rolls_back) in [(id, true), (id + 5, false)] {
            let tx = ann.begin().await?;
            ledger::new(id + 3, "a").insert(&tx).await?;
            tx.execute_unprepared(sql).await?;
            if rolls_back {
                tx.rollback().await?;
            } else {
                drop(tx);
            }
            assert_eq!(next(db, &conn, id).await?, "SERVICE", "{sql}");
        }
    }
    Ok(())
}

async fn write_after_a_manual_commit_leaves_no_context(db: &TestDb) -> TestResult {
    create(db).await?;
    // A COMMIT of its own, then one text with both statements.
    for (number, sql) in [
        "COMMIT",
        "INSERT INTO ledger (id, title) VALUES (900, 'a'); COMMIT",
    ]
    .into_iter()
    .enumerate()
    {
        for (rolls_back, more) in [(true, 0), (false, 1)] {
            // A new connection: sqlx's is out of step with SQLite afterwards.
            let conn = db.another().await?;
            let ann = AuditedConnection::new(conn).as_actor(Actor::user(7));
            let id = i32::try_from(number)? * 10 + more;
            let tx = ann.begin().await?;
            ledger::new(id, "a").insert(&tx).await?;
            tx.execute_unprepared(&sql.replace("900", &format!("90{number}{more}")))
                .await?;
            assert_eq!(contexts(&db.conn).await?, 0, "{sql}");
            ledger::new(id + 100, "a").insert(&tx).await?;
            assert_eq!(contexts(&db.conn).await?, 0, "{sql}");
            if rolls_back {
                // There is no transaction: SQLite reports an error.
                let _ = tx.rollback().await;
            } else {
                drop(tx);
            }
            assert_eq!(contexts(&db.conn).await?, 0, "{sql}");
            ledger::new(id + 200, "b").insert(&db.conn).await?;
            let own = Some((id + 200).to_string());
            let records = db.records().await?;
            let record = records.iter().find(|record| record.object_id == own);
            assert_eq!(record.ok_or("no record")?.actor_type, "SERVICE", "{sql}");
        }
    }
    Ok(())
}

/// On a plain transaction a builder sets the actor of triggers; later writes have another actor.
async fn builder_leaves_what_it_found(db: &TestDb) -> TestResult {
    create(db).await?;
    let ann = AuditContext::new().actor(Actor::user(7));
    let tx = db.conn.begin().await?;
    let many = ledger::Entity::audited_insert_many([ledger::new(1, "a"), ledger::new(2, "a")]);
    ann.clone().scope(many.exec(&tx)).await?;
    ledger::new(3, "b").insert(&tx).await?;
    tx.commit().await?;

    // Set manually.
    let tx = db.conn.begin().await?;
    let logged = r#"{"actor_type": "SYSTEM", "actor_id": "night"}"#;
    let sql = match db.backend() {
        DbBackend::Postgres => {
            format!("SELECT set_config('sea_orm_audit.context', '{logged}', true)")
        }
        DbBackend::Sqlite => {
            format!(
                "INSERT OR REPLACE INTO audit_trigger_context (id, context) VALUES (1, '{logged}')"
            )
        }
        _ => format!(
            "REPLACE INTO audit_trigger_context (connection_id, context) VALUES (CONNECTION_ID(), '{logged}')"
        ),
    };
    tx.execute_unprepared(&sql).await?;
    ledger::new(4, "c").insert(&tx).await?;
    let more = ledger::Entity::audited_insert_many([ledger::new(5, "a")]);
    ann.scope(more.exec(&tx)).await?;
    ledger::new(6, "c").insert(&tx).await?;
    tx.rollback().await.map_err(|error| error.to_string())?;
    assert_eq!(contexts(&db.conn).await?, 0);

    let tx = db.conn.begin().await?;
    tx.execute_unprepared(&sql).await?;
    let ann = AuditContext::new().actor(Actor::user(7));
    let more = ledger::Entity::audited_insert_many([ledger::new(5, "a")]);
    ann.scope(more.exec(&tx)).await?;
    ledger::new(6, "c").insert(&tx).await?;
    if db.backend() != DbBackend::Postgres {
        tx.execute_unprepared("DELETE FROM audit_trigger_context")
            .await?;
    }
    tx.commit().await?;
    let actors: Vec<_> = (db.records().await?.into_iter())
        .map(|record| (record.object_id.unwrap_or_default(), record.actor_type))
        .collect();
    let expected = [
        ("1", "USER"),
        ("2", "USER"),
        ("3", "SERVICE"),
        ("5", "USER"),
        ("6", "SYSTEM"),
    ];
    assert_eq!(
        actors,
        expected.map(|(id, who)| (id.to_owned(), who.to_owned()))
    );
    Ok(())
}

/// Rolling back a savepoint restores a context that was removed inside of it.
async fn manually_controlled_nested_transaction_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));
    for (id, rolls_back) in [(10, true), (20, false)] {
        let tx = ann.begin().await?;
        ledger::new(id, "a").insert(&tx).await?;
        let nested = tx.begin().await?;
        nested.execute_unprepared("SAVEPOINT zz").await?;
        if rolls_back {
            nested.rollback().await?;
        } else {
            drop(nested);
        }
        tx.commit().await?;
        assert_eq!(next(db, &conn, id + 1).await?, "SERVICE");
    }
    Ok(())
}

async fn procedure_that_is_left_half_way_leaves_nothing(db: &TestDb) -> TestResult {
    create(db).await?;
    // The write is committed and waits until it gets the lock.
    db.execute_unprepared(
        "CREATE PROCEDURE waits() BEGIN INSERT INTO ledger VALUES (7, 'c'); COMMIT; DO GET_LOCK('gate', 60); END",
    )
    .await?;
    let gate = db.another().await?;
    gate.execute_unprepared("DO GET_LOCK('gate', 60)").await?;
    let conn = db.another().await?;
    let ann = AuditedConnection::new(conn.clone()).as_actor(Actor::user(7));
    let tx = ann.begin().await?;
    {
        let mut call = Box::pin(tx.execute_unprepared("CALL waits()"));
        while ledger::Entity::find_by_id(7).one(&db.conn).await?.is_none() {
            assert!(futures::poll!(&mut call).is_pending());
            tokio::task::yield_now().await;
        }
    }
    drop(tx);
    gate.execute_unprepared("DO RELEASE_LOCK('gate')").await?;
    // The pool has one connection, which returns when all is done.
    assert_eq!(next(db, &conn, 8).await?, "SERVICE");
    gate.close().await?;
    Ok(())
}
