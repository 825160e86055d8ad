//! Statements that no generator makes: uncaptured statements, reads, and plain mistakes.

use sea_orm::DbBackend;

use crate::choice::Choices;
use crate::op::{Sql, Via};

const EVERYWHERE: &[&str] = &[
    "SELECT * FROM item WHERE id = 1",
    "SELECT id FROM nope",
    "UPDATE item SET",
    "INSERT INTO nope VALUES (1)",
    "INSERT INTO item (id) VALUES (1, 2)",
    "DELETE FROM item WHERE id = (SELECT n FROM pair WHERE a = 1)",
    "DELETE item",
    "INSERT INTO seen (shop_id, n) VALUES (1, 1)",
    "UPDATE seen SET n = 9",
    "INSERT INTO child (parent_id, n) VALUES (99, 1)",
    "DELETE FROM parent",
    "DELETE FROM tree WHERE up_id IS NULL",
    "INSERT INTO item (code, n) SELECT code, n FROM item",
    "UPDATE label SET score = score - 2",
    "UPDATE item SET n = NULL WHERE id > 2",
    "INSERT INTO item (n) VALUES (1), (2), (NULL)",
    "INSERT INTO label VALUES ('q', 1, NULL), ('r', -1, NULL)",
    "SELECT 1 AS one, 'x' AS one",
];

const SQLITE: &[&str] = &[
    "INSERT OR FAIL INTO label VALUES ('q', 1, NULL), ('a', 1, NULL), ('r', 1, NULL)",
    "UPDATE OR FAIL item SET code = 'same' WHERE id > 2",
    "UPDATE OR REPLACE acct SET email = 'c@x' WHERE id IN ('a', 'b')",
    "INSERT OR REPLACE INTO item (rowid, n) VALUES (1, 77)",
    "REPLACE INTO item (id, code) VALUES (21, 'd'), (3, 'd')",
    "UPDATE item SET rowid = 50 WHERE id = 1",
    "UPDATE item SET (n, name) = (SELECT MAX(n), 'most' FROM item)",
    "INSERT INTO parent DEFAULT VALUES",
    "UPDATE item SET p = 'text' WHERE id = 1",
    "UPDATE item SET n = 'text' WHERE id = 1",
];

const POSTGRES: &[&str] = &[
    "TRUNCATE pair",
    "TRUNCATE parent",
    "TRUNCATE parent CASCADE",
    "MERGE INTO label USING (VALUES ('a', 5), ('q', 6)) AS v (name, score) ON label.name = v.name \
     WHEN MATCHED THEN UPDATE SET score = v.score WHEN NOT MATCHED THEN INSERT (name, score) VALUES (v.name, v.score)",
    "WITH gone AS (DELETE FROM pair WHERE a = 2 RETURNING *) SELECT * FROM gone",
    "WITH gone AS (DELETE FROM pair WHERE a = 2 RETURNING *) INSERT INTO item (n) SELECT b FROM gone",
    "DO $$ BEGIN DELETE FROM pair; END $$",
    "UPDATE wide SET j['k'] = '1' WHERE id = 1",
    "UPDATE item SET (n, name) = (SELECT MAX(n), 'most' FROM item) WHERE id < 4",
    "UPDATE ONLY item SET n = 9",
    "UPDATE item SET n = 9 WHERE ctid = '(0,0)'",
    "INSERT INTO item OVERRIDING USER VALUE VALUES (1, 'u', 'u', 1, 1, TRUE)",
    "DELETE FROM pair WHERE (a, b) = ANY (ARRAY[(1, 1), (1, 2)])",
    "EXPLAIN ANALYZE DELETE FROM pair WHERE a = 1",
    "COPY pair FROM '/nowhere'",
];

const MARIADB: &[&str] = &[
    "SELECT LAST_INSERT_ID()",
    "SELECT LAST_INSERT_ID()",
    "INSERT INTO child (parent_id, n) SELECT 1, LAST_INSERT_ID()",
    "REPLACE INTO item (id, code) VALUES (21, 'd'), (3, 'd')",
    "DELETE item, pair FROM item JOIN pair ON pair.a = item.id",
    "UPDATE item, pair SET item.n = 5, pair.n = 6 WHERE pair.a = item.id",
    "UPDATE item SET n = 5, p = n",
    "INSERT INTO item (id, n) VALUES (0, 1)",
    "INSERT INTO item (id, n) VALUES (NULL, 1), (30, 2), (NULL, 3)",
    "UPDATE item SET n = LAST_INSERT_ID(n + 1) WHERE id = 1",
    "TRUNCATE pair",
    "INSERT IGNORE INTO item (id, n) VALUES (1, 1), (40, NULL), (41, 'x')",
    "INSERT INTO pair (a, b, n) VALUES (1, 1, 9), (5, 5, 9) ON DUPLICATE KEY UPDATE n = VALUES(n) + 1",
    "UPDATE acct SET id = 'zz' WHERE id = 'a'",
];

/// Whether it changes the schema or ends the transaction. Such a statement runs alone.
pub(crate) fn odd(choices: &mut Choices, backend: DbBackend) -> Sql {
    let own = match backend {
        DbBackend::Sqlite => SQLITE,
        DbBackend::Postgres => POSTGRES,
        _ => MARIADB,
    };
    let text = if choices.one_in(2) {
        choices.of(own)
    } else {
        choices.of(EVERYWHERE)
    };
    let reads = text.starts_with("SELECT") || text.contains("SELECT * FROM gone");
    let via: &[Via] = if reads {
        &[Via::QueryAll, Via::QueryOne]
    } else if text.starts_with("EXPLAIN") {
        // It returns times.
        &[Via::Execute, Via::Unprepared]
    } else {
        &[Via::Execute, Via::Unprepared, Via::QueryAll]
    };
    Sql {
        text: (*text).to_owned(),
        values: Vec::new(),
        via: *choices.of(via),
        is_odd: true,
    }
}
