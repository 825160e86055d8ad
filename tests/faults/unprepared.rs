//! Texts that are not prepared, on MySQL and MariaDB: the reads beside them share prepared statements.

use sea_orm::{ConnectionTrait, Statement};
use sea_orm_audit::AuditedConnection;

use crate::entities::items;
use crate::log_check::Table;
use crate::oracle::Oracle;
use crate::outcome::{Call, same_on};
use crate::support::{TestDb, TestResult};

mod mariadb {
    crate::support::tests_on!(mariadb: unprepared_texts_of_many_shapes_are_not_prepared);
}

/// How many texts of each shape are sent.
const TEXTS: usize = 40;

/// `{n}` is the number of a row, `{c}` its code.
const SHAPES: &[&str] = &[
    "UPDATE item SET p = p + 1 WHERE code LIKE '{c}%'",
    "UPDATE item SET p = p + 1 WHERE id BETWEEN {n} AND {n} + 1",
    "UPDATE item SET p = p + 1 WHERE id - {n} = 0",
    "UPDATE item SET p = p + 1 WHERE CONCAT(code, '{n}') = '{c}{n}'",
    "UPDATE item SET p = p + 1 WHERE id < {n}.5 AND id > {n} - 0.5",
    "UPDATE item SET p = p + 1 WHERE id = CASE WHEN id > {n} THEN 0 ELSE {n} END",
    "UPDATE item SET p = p + 1 WHERE code REGEXP '^{c}$'",
    "UPDATE item SET p = p + 1 WHERE CAST(id AS CHAR(10)) = '{n}'",
    "UPDATE item SET p = p + 1 WHERE (id, 1) IN (({n}, 1), (0, {n}))",
    "UPDATE item SET p = p + 1 WHERE IF(id = {n}, 'yes{n}', '') = CONCAT('yes', {n})",
    "UPDATE item SET p = p + 1 WHERE NOT (id <> {n}) ORDER BY id LIMIT 3",
    "DELETE FROM item WHERE UPPER(code) = UPPER('{c}')",
];

async fn prepared<C: ConnectionTrait>(db: &C) -> TestResult<u64> {
    let session = "SHOW SESSION STATUS LIKE 'Com_stmt_prepare'";
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), session))
        .await?;
    Ok(rows[0].try_get_by_index::<String>(1)?.parse()?)
}

async fn unprepared_texts_of_many_shapes_are_not_prepared(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[Table::of("item")], items(db.backend(), 100)).await?;
    let code = Statement::from_string(db.backend(), "SELECT id, code FROM item ORDER BY id");
    let rows = db.query_all_raw(code).await?;
    let pool = db.another().await?;
    let audited = AuditedConnection::new(pool.clone());
    for shape in SHAPES {
        let mut before = 0;
        for (at, row) in rows.iter().take(TEXTS).enumerate() {
            if at == 2 {
                // The first captured statement prepares the statements of the log.
                before = prepared(&pool).await?;
            }
            let (id, code): (i32, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let sql = shape.replace("{n}", &id.to_string()).replace("{c}", &code);
            same_on(&oracle.bare.conn, &audited, Call::Unprepared, &sql).await;
        }
        let more = prepared(&pool).await? - before;
        assert!(
            more < 10,
            "{TEXTS} texts made {more} prepared statements: {shape}"
        );
    }
    pool.close().await?;
    oracle.recorded().await
}
