//! SQLite keeps the first rows of some statements that fail.

use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::Call;
use crate::support::{TestDb, TestResult};

mod sqlite {
    crate::support::tests_on!(sqlite: insert_that_keeps_its_first_rows_is_reported);
}

async fn insert_that_keeps_its_first_rows_is_reported(db: &TestDb) -> TestResult {
    for verb in ["INSERT OR REPLACE", "INSERT OR IGNORE", "REPLACE", "INSERT"] {
        let own = db.sibling().await?;
        let setup = [
            "CREATE TABLE slot (id INTEGER NOT NULL PRIMARY KEY, a INTEGER, b INTEGER, n INTEGER)",
        ];
        let oracle = Oracle::new(&own, &[Table::of("slot")], setup).await?;
        let sql = format!("{verb} INTO slot (id, n) VALUES (22, 1), ('no number', 2)");
        oracle.in_transaction(&[(Call::Execute, &sql)]).await?;
        let alone = sql.replace("22", "33");
        oracle.same(Call::Execute, &alone, &[]).await;
        oracle.recorded_or_reported().await?;
        own.remove().await?;
    }
    Ok(())
}
