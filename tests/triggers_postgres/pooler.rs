//! `PgBouncer` hands one server connection to many clients, one transaction each.

use sea_orm::{ConnectOptions, ConnectionTrait, Database, TransactionTrait};

use crate::client::{create, url, value};
use crate::entity::post;
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    context_goes_to_no_other_client_of_the_pooler,
}

async fn context_goes_to_no_other_client_of_the_pooler(db: &TestDb) -> TestResult {
    if std::env::var_os("TEST_PGBOUNCER_URL").is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "TEST_PGBOUNCER_URL is not set, so this test cannot run"
        );
        eprintln!(
            "NOT RUN: TEST_PGBOUNCER_URL is not set; start servers with scripts/with-databases"
        );
        return Ok(());
    }
    create(db, post::Entity).await?;
    let client = || async {
        let mut options = ConnectOptions::new(url(db, "TEST_PGBOUNCER_URL").await?);
        options.max_connections(1).sqlx_logging(false);
        TestResult::Ok(Database::connect(options).await?)
    };
    let (one, two) = (client().await?, client().await?);
    let server = "INSERT INTO post (title, score) VALUES ('who', pg_backend_pid())";
    let recorded = |actor: u8| {
        format!("SELECT set_config('sea_orm_audit.context', '{{\"actor_id\": \"{actor}\"}}', true)")
    };
    for (actor, commit) in [(1, true), (2, false)] {
        let tx = one.begin().await?;
        tx.execute_unprepared(&recorded(actor)).await?;
        tx.execute_unprepared(server).await?;
        if commit {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        two.execute_unprepared(server).await?;
    }
    let tx = one.begin().await?;
    let inner = tx.begin().await?;
    inner.execute_unprepared(&recorded(3)).await?;
    inner.rollback().await?;
    tx.commit().await?;
    two.execute_unprepared(server).await?;
    one.execute_unprepared(server).await?;
    let actors: Vec<_> = (db.records().await?.into_iter())
        .map(|record| (record.actor_type, record.actor_id))
        .collect();
    let service = || ("SERVICE".to_owned(), None);
    assert_eq!(
        actors,
        [
            ("USER".to_owned(), Some("1".to_owned())),
            service(),
            service(),
            service(),
            service(),
        ]
    );
    // All queries over one connection of the server.
    assert_eq!(
        value::<i64>(db, "SELECT count(DISTINCT score) FROM post").await?,
        1
    );
    one.close().await?;
    two.close().await?;
    // The pooler keeps its connection, which would prevent dropping the database.
    db.execute_unprepared(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid IN (SELECT score FROM post)",
    )
    .await?;
    Ok(())
}
