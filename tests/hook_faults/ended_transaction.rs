//! MySQL and MariaDB end a transaction at a deadlock; the handle then commits each statement by itself.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, TransactionTrait,
};

use crate::post;
use crate::proxied_pool::behind_proxy;
use crate::stalling_proxy::{Hold, StallingProxy};
use crate::support::{TestDb, TestResult};

mod mariadb {
    crate::support::tests_on!(mariadb:
        update_after_a_deadlock_records_its_own_change_only,
        delete_after_a_deadlock_is_recorded_once,
    );
}

/// A transaction that the database has ended by a deadlock, its last statement being an UPDATE by hooks.
async fn ended_by_deadlock(
    db: &TestDb,
    pool: &sea_orm::DatabaseConnection,
) -> TestResult<DatabaseTransaction> {
    db.create(post::Entity).await?;
    for title in ["a", "b"] {
        post::new(title).insert(&db.conn).await?;
    }
    db.execute_unprepared("CREATE TABLE ballast (id INT AUTO_INCREMENT PRIMARY KEY, n INT)")
        .await?;
    db.forget().await?;
    let tx = pool.begin().await?;
    post::retitle(1, "undone").update(&tx).await?;
    // The other transaction has more changes, so the database ends this one.
    let other = db.conn.begin().await?;
    for _ in 0..50 {
        other
            .execute_unprepared("INSERT INTO ballast (n) VALUES (1), (2), (3), (4)")
            .await?;
    }
    other
        .execute_unprepared("UPDATE post SET qty = 8 WHERE id = 2")
        .await?;
    let waiting = tokio::spawn(async move {
        other
            .execute_unprepared("UPDATE post SET qty = 8 WHERE id = 1")
            .await?;
        other.commit().await
    });
    let error = post::retitle(2, "undone, too")
        .update(&tx)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("1213"), "{error}");
    waiting.await??;
    assert_eq!(db.log().await?, [""; 0]);
    Ok(tx)
}

/// Runs a write on the ended transaction while another client writes between its read and its statement.
async fn interleaved<F: Future<Output = Result<(), sea_orm::DbErr>>>(
    proxy: &StallingProxy,
    statement: &'static str,
    write: F,
    between: impl Future<Output = TestResult>,
) -> TestResult {
    proxy.arm(statement, Hold::Request);
    let between = async {
        proxy.stalled().await;
        let done = between.await;
        proxy.let_go();
        done
    };
    let (written, done) = tokio::join!(write, between);
    written?;
    done
}

async fn update_after_a_deadlock_records_its_own_change_only(db: &TestDb) -> TestResult {
    let (pool, proxy) = behind_proxy(db).await?;
    let tx = ended_by_deadlock(db, &pool).await?;
    let write = async { post::retitle(1, "mine").update(&tx).await.map(|_| ()) };
    interleaved(&proxy, "mine", write, async {
        db.execute_unprepared("UPDATE post SET qty = 99 WHERE id = 1")
            .await?;
        Ok(())
    })
    .await?;
    tx.rollback().await?;
    let log = db.log().await?;
    assert_eq!(
        log,
        [r#"UPDATE post 1 {"title":{"new":"mine","old":"a"}}"#],
        "the other's `qty` is not this one's change"
    );
    pool.close().await?;
    Ok(())
}

async fn delete_after_a_deadlock_is_recorded_once(db: &TestDb) -> TestResult {
    let (pool, proxy) = behind_proxy(db).await?;
    let tx = ended_by_deadlock(db, &pool).await?;
    let write = async { post::retitle(1, "a").delete(&tx).await.map(|_| ()) };
    interleaved(&proxy, "DELETE FROM `post`", write, async {
        post::retitle(1, "a").delete(&db.conn).await?;
        Ok(())
    })
    .await?;
    // The statement after it deletes a row, and is recorded.
    post::retitle(2, "b").delete(&tx).await?;
    tx.rollback().await?;
    let lines = db.log().await?;
    let log: Vec<_> = lines.iter().map(|line| &line[..13]).collect();
    assert_eq!(log, ["DELETE post 1", "DELETE post 2"], "{lines:#?}");
    assert_eq!(post::Entity::find().all(&db.conn).await?, []);
    pool.close().await?;
    Ok(())
}
