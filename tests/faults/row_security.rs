//! Roles on PostgreSQL that may not see, or not read, what they change: statements that work plainly work audited.

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use sea_orm_audit::AuditedConnection;

use crate::entities::{FAMILY, items};
use crate::log_check::Table;
use crate::oracle::{Oracle, reports};
use crate::outcome::{Call, same_on};
use crate::support::{TestDb, TestResult};

mod postgres {
    crate::support::tests_on! { postgres:
        delete_of_a_parent_whose_children_are_hidden_is_recorded_or_reported,
        update_that_makes_a_row_invisible_succeeds,
        insert_of_an_invisible_row_succeeds,
        insert_by_a_role_that_may_not_read_succeeds,
        insert_by_a_role_that_may_only_add_rows_succeeds,
        write_that_cascades_to_a_schema_the_role_may_not_use_succeeds,
        delete_by_a_role_that_may_not_read_succeeds_in_a_transaction,
        delete_by_a_role_that_may_not_update_succeeds,
        delete_by_a_role_that_may_not_update_what_follows_succeeds,
        update_under_a_policy_that_cannot_be_evaluated_succeeds,
        update_whose_new_rows_fail_a_policy_succeeds,
        insert_whose_rows_fail_a_policy_succeeds,
        delete_whose_rows_fail_a_policy_succeeds,
        delete_whose_following_rows_fail_a_policy_succeeds,
    }
}

const ITEM: Table = Table::of("item");

/// A connection with a role of its own, which may write to the audit tables and has the given grants.
async fn as_role(db: &TestDb, grants: &[&str]) -> TestResult<(DatabaseConnection, String)> {
    let conn = db.another().await?;
    let name = conn
        .query_one_raw(Statement::from_string(
            conn.get_database_backend(),
            "SELECT CAST(current_database() AS TEXT)",
        ))
        .await?
        .ok_or("no name")?;
    let role = format!("{}_role", name.try_get_by_index::<String>(0)?);
    conn.execute_unprepared(&format!("CREATE ROLE {role}"))
        .await?;
    for grant in [
        "GRANT SELECT, INSERT, UPDATE ON audit_log, audit_system_event TO",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO",
    ]
    .iter()
    .chain(grants)
    {
        conn.execute_unprepared(&format!("{grant} {role}")).await?;
    }
    conn.execute_unprepared(&format!("SET ROLE {role}")).await?;
    Ok((conn, role))
}

async fn end_role(conn: DatabaseConnection, role: &str) -> TestResult {
    conn.execute_unprepared("RESET ROLE").await?;
    for sql in ["DROP OWNED BY", "DROP ROLE"] {
        conn.execute_unprepared(&format!("{sql} {role}")).await?;
    }
    conn.close().await?;
    Ok(())
}

/// Runs statements as a role in both databases.
pub(crate) async fn as_roles(
    oracle: &Oracle<'_>,
    grants: &[&str],
    statements: &[(Call, &str)],
) -> TestResult {
    let (bare, bare_role) = as_role(&oracle.bare, grants).await?;
    let (conn, role) = as_role(oracle.db, grants).await?;
    let audited = AuditedConnection::new(conn.clone());
    for (call, sql) in statements {
        same_on(&bare, &audited, *call, sql).await;
    }
    drop(audited);
    end_role(bare, &bare_role).await?;
    end_role(conn, &role).await
}

async fn delete_of_a_parent_whose_children_are_hidden_is_recorded_or_reported(
    db: &TestDb,
) -> TestResult {
    let mut setup = FAMILY.to_vec();
    setup.push("INSERT INTO parent (id, n) VALUES (1, 1), (2, 2)");
    setup.push("INSERT INTO child (id, parent_id) VALUES (10, 1), (11, 1), (20, 2)");
    setup.push("ALTER TABLE child ENABLE ROW LEVEL SECURITY");
    setup.push("CREATE POLICY seen ON child USING (id = 10)");
    let oracle = Oracle::new(db, &[Table::of("parent"), Table::of("child")], setup).await?;
    let grants = ["GRANT SELECT, UPDATE, DELETE ON parent, child TO"];
    let delete = "DELETE FROM parent WHERE id = 1";
    as_roles(&oracle, &grants, &[(Call::Execute, delete)]).await?;
    oracle.recorded_or_reported().await
}

/// Rows with a `p` of 100 or more may be written, and are not visible.
async fn hidden_items(db: &TestDb) -> TestResult<Oracle<'_>> {
    let mut setup = items(db.backend(), 3);
    setup.push("ALTER TABLE item ENABLE ROW LEVEL SECURITY".to_owned());
    setup.push("CREATE POLICY seen ON item FOR SELECT USING (p < 100)".to_owned());
    setup.push("CREATE POLICY changed ON item FOR UPDATE USING (true)".to_owned());
    setup.push("CREATE POLICY added ON item FOR INSERT WITH CHECK (true)".to_owned());
    Oracle::new(db, &[ITEM], setup).await
}

const ALL: &str = "GRANT SELECT, INSERT, UPDATE, DELETE ON item TO";

async fn update_that_makes_a_row_invisible_succeeds(db: &TestDb) -> TestResult {
    let oracle = hidden_items(db).await?;
    let statements = [
        (Call::Execute, "UPDATE item SET p = 200"),
        (Call::Unprepared, "UPDATE item SET p = 300"),
        // Refused with and without auditing: the condition reads.
        (Call::Execute, "UPDATE item SET p = 400 WHERE p > 1"),
    ];
    as_roles(&oracle, &[ALL], &statements).await?;
    oracle.recorded_or_reported().await
}

async fn insert_of_an_invisible_row_succeeds(db: &TestDb) -> TestResult {
    let oracle = hidden_items(db).await?;
    let statements = [
        (
            Call::Execute,
            "INSERT INTO item (code, p) VALUES ('n', 200)",
        ),
        (
            Call::Unprepared,
            "INSERT INTO item (code, p) VALUES ('m', 300), ('k', 400)",
        ),
        // Refused with and without auditing: RETURNING reads.
        (
            Call::QueryOne,
            "INSERT INTO item (code, p) VALUES ('o', 200) RETURNING id",
        ),
    ];
    as_roles(&oracle, &[ALL], &statements).await?;
    oracle.recorded_or_reported().await
}

async fn insert_by_a_role_that_may_not_read_succeeds(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let statements = [
        (Call::Execute, "INSERT INTO item (code, p) VALUES ('n', 1)"),
        (
            Call::Unprepared,
            "INSERT INTO item (code, p) VALUES ('m', 2), ('k', 3)",
        ),
        (Call::Execute, "UPDATE item SET p = 5"),
        (Call::Execute, "DELETE FROM item"),
        (Call::Execute, "UPDATE item SET p = 5 WHERE id = 1"),
    ];
    let grants = ["GRANT INSERT, UPDATE, DELETE ON item TO"];
    as_roles(&oracle, &grants, &statements).await?;
    oracle.recorded_or_reported().await
}

/// A refused read would end the transaction.
async fn delete_by_a_role_that_may_not_read_succeeds_in_a_transaction(db: &TestDb) -> TestResult {
    use sea_orm::TransactionTrait;

    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 3)).await?;
    let grants = ["GRANT UPDATE, DELETE ON item TO"];
    let (bare, bare_role) = as_role(&oracle.bare, &grants).await?;
    let (conn, role) = as_role(db, &grants).await?;
    let audited = AuditedConnection::new(conn.clone());
    let (plain_tx, tx) = (bare.begin().await?, audited.begin().await?);
    same_on(&plain_tx, &tx, Call::Execute, "UPDATE item SET p = 9").await;
    same_on(&plain_tx, &tx, Call::Execute, "DELETE FROM item").await;
    plain_tx.commit().await?;
    tx.commit().await?;
    drop(audited);
    end_role(bare, &bare_role).await?;
    end_role(conn, &role).await?;
    assert!(!reports(db).await?.is_empty() || !db.log().await?.is_empty());
    oracle.recorded_or_reported().await
}

/// Locking rows requires the privilege to update them.
async fn delete_by_a_role_that_may_not_update_succeeds(db: &TestDb) -> TestResult {
    let mut setup = FAMILY.to_vec();
    setup.push("INSERT INTO parent (id, n) VALUES (1, 1), (2, 2), (3, 3)");
    setup.push("INSERT INTO child (id, parent_id) VALUES (10, 1), (20, 2), (21, 2)");
    let oracle = Oracle::new(db, &[Table::of("parent"), Table::of("child")], setup).await?;
    let grants = ["GRANT SELECT, DELETE ON parent, child TO"];
    let statements = [
        (Call::Execute, "DELETE FROM child WHERE id = 21"),
        (Call::Execute, "DELETE FROM parent WHERE id = 1"),
        (Call::Unprepared, "DELETE FROM parent WHERE n < 3"),
    ];
    as_roles(&oracle, &grants, &statements).await?;
    oracle.recorded_or_reported().await
}

/// The referring rows need no privilege: the database deletes them as their table's owner.
async fn delete_by_a_role_that_may_not_update_what_follows_succeeds(db: &TestDb) -> TestResult {
    let mut setup = FAMILY.to_vec();
    setup.push("INSERT INTO parent (id, n) VALUES (1, 1), (2, 2), (3, 3)");
    setup.push("INSERT INTO child (id, parent_id) VALUES (10, 1), (20, 2), (21, 2)");
    let oracle = Oracle::new(db, &[Table::of("parent"), Table::of("child")], setup).await?;
    let grants = [
        "GRANT SELECT, UPDATE, DELETE ON parent TO",
        "GRANT SELECT ON child TO",
    ];
    let statements = [
        (Call::Execute, "DELETE FROM parent WHERE id = 1"),
        (Call::Unprepared, "DELETE FROM parent WHERE n < 3"),
        (Call::QueryAll, "DELETE FROM parent RETURNING id"),
    ];
    as_roles(&oracle, &grants, &statements).await?;
    let reported = reports(db).await?;
    assert_eq!(reported.len(), 3, "{reported:#?}");
    oracle.recorded_or_reported().await
}

/// The table `item` with these policies for SELECT, and otherwise permissive ones.
async fn items_under<'a>(db: &'a TestDb, seen: &str) -> TestResult<Oracle<'a>> {
    let mut setup = items(db.backend(), 3);
    setup.push("ALTER TABLE item ENABLE ROW LEVEL SECURITY".to_owned());
    setup.push(format!(
        "CREATE POLICY seen ON item FOR SELECT USING ({seen})"
    ));
    setup.push("CREATE POLICY changed ON item FOR UPDATE USING (true)".to_owned());
    setup.push("CREATE POLICY added ON item FOR INSERT WITH CHECK (true)".to_owned());
    setup.push("CREATE POLICY gone ON item FOR DELETE USING (true)".to_owned());
    Oracle::new(db, &[ITEM], setup).await
}

/// A SELECT policy does not apply to an UPDATE that reads nothing, but to the read beside it.
async fn update_under_a_policy_that_cannot_be_evaluated_succeeds(db: &TestDb) -> TestResult {
    let oracle = items_under(db, "p = current_setting('app.tenant')::int").await?;
    let statements = [
        (Call::Execute, "UPDATE item SET p = 2"),
        (Call::Unprepared, "UPDATE item SET p = 3"),
        (Call::QueryAll, "UPDATE item SET p = 4"),
        (Call::Execute, "DELETE FROM item"),
    ];
    as_roles(&oracle, &[ALL], &statements).await?;
    oracle.recorded_or_reported().await
}

/// This condition divides by zero where `p` is 50.
const FAILS_AT_50: &str = "1 / (p - 50) IS NOT NULL";

async fn update_whose_new_rows_fail_a_policy_succeeds(db: &TestDb) -> TestResult {
    let oracle = items_under(db, FAILS_AT_50).await?;
    let statements = [
        (Call::Execute, "UPDATE item SET p = 50"),
        (Call::Unprepared, "UPDATE item SET p = 51"),
        (Call::Unprepared, "UPDATE item SET p = 50"),
        (Call::QueryAll, "UPDATE item SET p = 52"),
        (Call::QueryAll, "UPDATE item SET p = 50"),
    ];
    as_roles(&oracle, &[ALL], &statements).await?;
    let reported = reports(db).await?.join("\n");
    assert!(reported.contains("row-level security"), "{reported}");
    oracle.recorded_or_reported().await
}

async fn insert_whose_rows_fail_a_policy_succeeds(db: &TestDb) -> TestResult {
    let oracle = items_under(db, FAILS_AT_50).await?;
    let statements = [
        (
            Call::Execute,
            "INSERT INTO item (id, code, p) VALUES (20, 'n', 50)",
        ),
        (
            Call::Unprepared,
            "INSERT INTO item (id, code, p) VALUES (21, 'm', 51), (22, 'k', 50)",
        ),
    ];
    as_roles(&oracle, &[ALL], &statements).await?;
    oracle.recorded_or_reported().await
}

/// A row that cannot be read afterwards is not recorded as deleted.
async fn delete_whose_rows_fail_a_policy_succeeds(db: &TestDb) -> TestResult {
    let mut setup = items(db.backend(), 3);
    setup.push(
        "CREATE FUNCTION mark() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \
         $$ BEGIN UPDATE item SET p = 50 WHERE id = OLD.id; RETURN NULL; END $$"
            .to_owned(),
    );
    setup.push(
        "CREATE TRIGGER marks BEFORE DELETE ON item FOR EACH ROW WHEN (OLD.id = 2) \
         EXECUTE FUNCTION mark()"
            .to_owned(),
    );
    setup.push("ALTER TABLE item ENABLE ROW LEVEL SECURITY".to_owned());
    setup.push(format!(
        "CREATE POLICY seen ON item FOR SELECT USING ({FAILS_AT_50})"
    ));
    setup.push("CREATE POLICY gone ON item FOR DELETE USING (true)".to_owned());
    setup.push("CREATE POLICY changed ON item FOR UPDATE USING (true)".to_owned());
    let oracle = Oracle::new(db, &[ITEM], setup).await?;
    as_roles(&oracle, &[ALL], &[(Call::Execute, "DELETE FROM item")]).await?;
    let log = db.log().await?;
    assert!(
        !log.iter().any(|line| line.starts_with("DELETE item 2 ")),
        "{log:#?}"
    );
    oracle.recorded_or_reported().await
}

async fn delete_whose_following_rows_fail_a_policy_succeeds(db: &TestDb) -> TestResult {
    let mut setup = FAMILY.to_vec();
    setup.push("INSERT INTO parent (id, n) VALUES (1, 1), (2, 2)");
    setup.push("INSERT INTO child (id, parent_id) VALUES (10, 1), (20, 2)");
    setup.push("ALTER TABLE child ENABLE ROW LEVEL SECURITY");
    setup.push("CREATE POLICY seen ON child USING (id = current_setting('app.tenant')::int)");
    let oracle = Oracle::new(db, &[Table::of("parent"), Table::of("child")], setup).await?;
    let grants = ["GRANT SELECT, UPDATE, DELETE ON parent, child TO"];
    let statements = [
        (Call::Execute, "DELETE FROM parent WHERE id = 1"),
        (Call::Unprepared, "DELETE FROM parent"),
    ];
    as_roles(&oracle, &grants, &statements).await?;
    oracle.recorded_or_reported().await
}

/// An insert-only table: no role may lock its rows.
async fn insert_by_a_role_that_may_only_add_rows_succeeds(db: &TestDb) -> TestResult {
    let oracle = Oracle::new(db, &[ITEM], items(db.backend(), 2)).await?;
    let grants = ["GRANT SELECT, INSERT ON item TO"];
    let insert = "INSERT INTO item (id, code, p) VALUES";
    let statements = [
        format!("{insert} (70, 'a', 1) RETURNING code"),
        format!("{insert} (71, 'b', 1), (72, 'c', 1); -- x"),
        format!("{insert} (73, 'd', 1)"),
        format!("{insert} (70, 'e', 1) ON CONFLICT DO NOTHING RETURNING code"),
    ];
    let calls = [
        Call::QueryAll,
        Call::Unprepared,
        Call::Execute,
        Call::QueryOne,
    ];
    let statements: Vec<(Call, &str)> = (calls.into_iter())
        .zip(statements.iter().map(String::as_str))
        .collect();
    as_roles(&oracle, &grants, &statements).await?;
    oracle.recorded_or_reported().await
}

/// A foreign key's action needs no privilege on the table or its schema.
async fn write_that_cascades_to_a_schema_the_role_may_not_use_succeeds(db: &TestDb) -> TestResult {
    let setup = [
        "CREATE TABLE shelf (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
        "CREATE SCHEMA far",
        "CREATE TABLE far.book (id INTEGER PRIMARY KEY, shelf_id INTEGER NOT NULL REFERENCES shelf (id) \
         ON DELETE CASCADE ON UPDATE CASCADE)",
        "INSERT INTO shelf (id, n) VALUES (1, 1), (2, 2)",
        "INSERT INTO far.book (id, shelf_id) VALUES (10, 1), (20, 2)",
    ];
    let tables = [
        Table::of("shelf"),
        Table {
            name: "far.book",
            ..Table::of("book")
        },
    ];
    let oracle = Oracle::new(db, &tables, setup).await?;
    let grants = ["GRANT SELECT, UPDATE, DELETE ON shelf TO"];
    let statements = [
        (Call::Execute, "DELETE FROM shelf WHERE id = 1"),
        (Call::Execute, "UPDATE shelf SET id = 5 WHERE id = 2"),
        (Call::Unprepared, "DELETE FROM shelf"),
    ];
    as_roles(&oracle, &grants, &statements).await?;
    oracle.recorded_or_reported().await
}
