//! Statements whose rows exceed the memory limit give the same log as those whose rows do not.

use sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_audit::AuditConfig;

use crate::oracle::reports;
use crate::support::{TestDb, TestResult};

on_every_database! {
    update_of_spilled_rows_gives_the_same_log,
    update_of_secrets_in_spilled_rows_gives_the_same_log,
    update_from_another_table_of_spilled_rows_gives_the_same_log,
    delete_of_spilled_rows_gives_the_same_log,
    delete_that_a_trigger_keeps_rows_from_gives_the_same_log,
    spilled_update_of_several_keys_is_reported,
}

const ROWS: usize = 300;

async fn fill(db: &TestDb) -> TestResult {
    let json = if db.backend() == DbBackend::Postgres {
        "JSONB"
    } else {
        "TEXT"
    };
    let json = if db.backend() == DbBackend::MySql {
        "JSON"
    } else {
        json
    };
    db.execute_unprepared(&format!(
        "CREATE TABLE member (id BIGINT PRIMARY KEY, boss_id BIGINT NULL, name VARCHAR(40) NOT NULL, \
         password VARCHAR(40) NOT NULL, price DECIMAL(10, 2) NULL, data {json} NOT NULL, \
         FOREIGN KEY (boss_id) REFERENCES member (id) ON DELETE SET NULL)"
    ))
    .await?;
    db.execute_unprepared(
        "CREATE TABLE badge (id BIGINT PRIMARY KEY, member_id BIGINT NOT NULL, pin VARCHAR(40) NOT NULL, \
         label VARCHAR(40) NOT NULL, FOREIGN KEY (member_id) REFERENCES member (id) ON DELETE CASCADE)",
    )
    .await?;
    let members: Vec<_> = (1..=ROWS)
        .map(|n| {
            let boss = if n % 3 == 0 { (n - 1).to_string() } else { "NULL".to_owned() };
            let price = if n % 7 == 0 { "NULL".to_owned() } else { format!("{n}.50") };
            format!(
                "({n}, {boss}, 'm {n}', 'secret {n}', {price}, '{{\"n\": {n}, \"token\": \"t {n}\"}}')"
            )
        })
        .collect();
    db.execute_unprepared(&format!("INSERT INTO member VALUES {}", members.join(", ")))
        .await?;
    let badges: Vec<_> = (1..=2 * ROWS)
        .map(|n| format!("({n}, {}, 'pin {n}', 'b {n}')", n.div_ceil(2)))
        .collect();
    db.execute_unprepared(&format!("INSERT INTO badge VALUES {}", badges.join(", ")))
        .await?;
    Ok(())
}

/// The log of statements, by object.
async fn log_of(db: &TestDb, bytes: usize, statements: &[&str]) -> TestResult<Vec<String>> {
    let config = AuditConfig::builder()
        .before_row_bytes(bytes)
        .chunk_rows(40);
    let audited = db.audited().with_config(config.build()?);
    for sql in statements {
        audited.execute_unprepared(sql).await?;
        audited
            .execute_raw(sea_orm::Statement::from_string(db.backend(), *sql))
            .await?;
        audited
            .query_all_raw(sea_orm::Statement::from_string(db.backend(), *sql))
            .await?;
    }
    let mut log: Vec<String> = (db.records().await?.into_iter())
        .map(|r| {
            format!(
                "{:?} {:?} {} {} {:?} {:?}",
                r.model, r.object_id, r.action, r.source, r.object_repr, r.changes
            )
        })
        .collect();
    log.sort();
    log.extend(reports(db).await?);
    Ok(log)
}

async fn same_log(db: &TestDb, setup: &[&str], statements: &[&str]) -> TestResult {
    let other = db.sibling().await?;
    for db in [db, &other] {
        fill(db).await?;
        for sql in setup {
            db.execute_unprepared(sql).await?;
        }
    }
    let expected = log_of(&other, usize::MAX, statements).await?;
    let got = log_of(db, 2_000, statements).await?;
    assert!(expected.len() > 100, "{expected:#?}");
    let differs = expected.iter().zip(&got).find(|(a, b)| a != b);
    assert!(
        expected == got,
        "{} records for {}, first: {differs:#?}",
        got.len(),
        expected.len()
    );
    other.remove().await
}

async fn update_of_spilled_rows_gives_the_same_log(db: &TestDb) -> TestResult {
    let update = "UPDATE member SET name = 'all', price = price + 1 WHERE id > 50";
    same_log(db, &[], &[update]).await
}

async fn update_of_secrets_in_spilled_rows_gives_the_same_log(db: &TestDb) -> TestResult {
    let password = "UPDATE member SET password = 'secret 7' WHERE id > 5";
    let data = "UPDATE member SET data = '{\"n\": 9, \"token\": \"t 9\"}' WHERE id < 250";
    let token = "UPDATE member SET data = '{\"n\": 9, \"token\": \"other\"}' WHERE id < 200";
    same_log(db, &[], &[password, data, token]).await
}

async fn update_from_another_table_of_spilled_rows_gives_the_same_log(db: &TestDb) -> TestResult {
    let update = match db.backend() {
        DbBackend::MySql => {
            "UPDATE member JOIN badge ON badge.member_id = member.id SET member.name = 'joined'"
        }
        _ => "UPDATE member SET name = 'joined' FROM badge WHERE badge.member_id = member.id",
    };
    same_log(db, &[], &[update]).await
}

async fn delete_of_spilled_rows_gives_the_same_log(db: &TestDb) -> TestResult {
    same_log(db, &[], &["DELETE FROM member WHERE id > 20"]).await
}

async fn delete_that_a_trigger_keeps_rows_from_gives_the_same_log(db: &TestDb) -> TestResult {
    let setup: &[&str] = match db.backend() {
        DbBackend::Postgres => &[
            "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF OLD.id % 2 = 0 THEN RETURN NULL; END IF; RETURN OLD; END $$",
            "CREATE TRIGGER keep BEFORE DELETE ON member FOR EACH ROW EXECUTE FUNCTION keep()",
        ],
        DbBackend::Sqlite => &[
            "CREATE TRIGGER keep BEFORE DELETE ON member WHEN OLD.id % 2 = 0 \
             BEGIN SELECT RAISE(IGNORE); END",
        ],
        // MariaDB's triggers cannot skip a row.
        _ => &[],
    };
    same_log(db, setup, &["DELETE FROM member"]).await
}

async fn spilled_update_of_several_keys_is_reported(db: &TestDb) -> TestResult {
    fill(db).await?;
    db.execute_unprepared("DELETE FROM badge").await?;
    db.execute_unprepared("UPDATE member SET boss_id = NULL")
        .await?;
    let config = AuditConfig::builder().before_row_bytes(2_000);
    let audited = db.audited().with_config(config.build()?);
    audited
        .execute_unprepared("UPDATE member SET id = id + 1000")
        .await?;
    assert!(db.records().await?.is_empty());
    assert_eq!(reports(db).await?.len(), 1);
    Ok(())
}
