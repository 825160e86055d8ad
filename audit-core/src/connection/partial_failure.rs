//! What the database keeps of a statement that failed.

use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::record::{
    is_contention, is_never_begun, is_sqlite_constraint, is_sqlite_foreign_key, is_sqlite_mismatch,
};
use crate::sql::{Kind, TableName, Write};

const BY_SQLITE: &str = "it failed half way, and SQLite keeps what it had changed";
const BY_ENGINE: &str =
    "it failed, and the table's engine has no transactions: what it had changed before stays";

/// Why the part that the database keeps of a failed statement has no record; `None` where it keeps nothing.
pub(super) async fn keeps_part<C: ConnectionTrait>(
    db: &C,
    error: &DbErr,
    write: &Write,
    is_alone: bool,
) -> Option<&'static str> {
    let (keeps, why) = match db.get_database_backend() {
        DbBackend::Postgres => return None,
        DbBackend::Sqlite => (
            sqlite_keeps_part(db, error, write, is_alone).await,
            BY_SQLITE,
        ),
        _ => (engine_keeps_part(db, error, &write.table).await, BY_ENGINE),
    };
    keeps.then_some(why)
}

/// `RAISE(FAIL)` and `ON CONFLICT FAIL` do not undo a statement. `changes()` is then the number of its changes, and 0
/// if the statement was undone.
async fn sqlite_keeps_part<C: ConnectionTrait>(
    db: &C,
    error: &DbErr,
    write: &Write,
    is_alone: bool,
) -> bool {
    if is_sqlite_mismatch(error) {
        // In a transaction `OR REPLACE` and `OR IGNORE` keep the rows before a non-integer key, and `changes()` is 0.
        return !is_alone
            && matches!(&write.kind, Kind::Insert(insert) if insert.conflict.is_some());
    }
    // Another error may occur before the statement has begun; `changes()` is then an older statement's.
    if !is_sqlite_constraint(error) {
        return false;
    }
    if !is_alone && is_sqlite_foreign_key(error) && may_ignore(db).await {
        return true;
    }
    let sql = Statement::from_string(DbBackend::Sqlite, "SELECT changes()");
    match db.query_one_raw(sql).await {
        Ok(Some(row)) => row.try_get_by_index::<i64>(0).is_ok_and(|rows| rows > 0),
        _ => false,
    }
}

/// Whether a trigger may skip a change, as by `RAISE(IGNORE)`. SQLite does not expect that of a change that follows a
/// foreign key: the statement fails once all is done, and stays in the transaction, and `changes()` is 0.
async fn may_ignore<C: ConnectionTrait>(db: &C) -> bool {
    const SQL: &str = "SELECT 1 FROM (SELECT type, sql FROM sqlite_master UNION ALL \
                       SELECT type, sql FROM sqlite_temp_master) \
                       WHERE type = 'trigger' AND sql LIKE '%IGNORE%' LIMIT 1";
    let statement = Statement::from_string(DbBackend::Sqlite, SQL);
    matches!(db.query_one_raw(statement).await, Ok(Some(_)))
}

/// `MyISAM`, Aria, MEMORY and others do not undo a statement. How far it came is unknown.
async fn engine_keeps_part<C: ConnectionTrait>(db: &C, error: &DbErr, table: &TableName) -> bool {
    const SQL: &str = "\
SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.tables t
JOIN information_schema.engines e ON e.engine = t.engine
WHERE t.table_schema = COALESCE(?, DATABASE()) AND t.table_name = ? AND e.transactions = 'NO'";
    // Another client blocked it: it waited for the table, and may wait again. If that has ended the transaction, a
    // report would be the first statement after it.
    if is_never_begun(error) || is_contention(error) {
        return false;
    }
    let values: [Value; 2] = [table.schema.clone().into(), table.table.clone().into()];
    let statement = Statement::from_sql_and_values(DbBackend::MySql, SQL, values);
    match db.query_one_raw(statement).await {
        Ok(Some(row)) => row.try_get_by_index::<i64>(0).is_ok_and(|found| found > 0),
        _ => false,
    }
}
