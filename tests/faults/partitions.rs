//! Partitions and tables that inherit, with triggers of their own.

use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        triggers_of_a_partition_change_what_is_recorded,
    }
}

const ITEM: Table = Table::of("item");

async fn triggers_of_a_partition_change_what_is_recorded(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE item (id INTEGER PRIMARY KEY, code VARCHAR(40), p INTEGER NOT NULL) \
         PARTITION BY RANGE (id)",
        "CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE item_high PARTITION OF item FOR VALUES FROM (10) TO (100) \
         PARTITION BY RANGE (id)",
        "CREATE TABLE item_higher PARTITION OF item_high FOR VALUES FROM (10) TO (50)",
        "CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         UPDATE item SET code = NEW.p || ' ' || NEW.id WHERE id = NEW.id; RETURN NULL; END $$",
        "CREATE TRIGGER changes AFTER INSERT OR UPDATE OF p ON item_higher FOR EACH ROW \
         EXECUTE FUNCTION changes()",
        "INSERT INTO item VALUES (1, 'a', 1), (13, 'c', 3)",
    ];
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    oracle.executes("UPDATE item SET p = p + 1").await;
    oracle
        .executes("INSERT INTO item VALUES (14, 'd', 4), (2, 'e', 5)")
        .await;
    let returning = "UPDATE item SET p = p + 1 WHERE id > 3 RETURNING id, code, p";
    oracle.same(Call::QueryAll, returning, &[]).await;
    oracle.recorded().await
}
