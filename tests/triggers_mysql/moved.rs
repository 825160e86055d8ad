//! Changes of columns that foreign keys refer to, begun by a delete or ending in another database.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::AuditTriggers;

use crate::support::{TestDb, TestResult};
use crate::{client, taken};

mod mariadb {
    crate::support::tests_on! { mariadb:
        references_to_an_emptied_column_are_followed,
        keys_are_followed_through_other_databases,
        update_is_refused_as_without_triggers,
    }
}

macro_rules! entity {
    ($name:ident, [$($meta:tt)*], $column:ident) => {
        mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm($($meta)*)]
            #[audit(capture = "trigger")]
            pub struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub id: i32,
                pub $column: Option<i32>,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}

mod pond {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "pond")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

entity!(frog, [table_name = "frog"], pond_id);
entity!(lake, [table_name = "lake"], sea_id);
entity!(river, [table_name = "river"], lake_id);
entity!(brook, [table_name = "brook"], river_lake);
entity!(spring, [table_name = "spring"], brook_lake);
entity!(
    sill,
    [table_name = "sill", schema_name = "sea_orm_audit_far"],
    brook_lake
);

async fn sorted(db: &TestDb) -> TestResult<Vec<String>> {
    let mut log = taken(db).await?;
    log.sort();
    Ok(log)
}

async fn references_to_an_emptied_column_are_followed(db: &TestDb) -> TestResult {
    client(
        db,
        "CREATE TABLE lake (id INT PRIMARY KEY, sea_id INT); \
         CREATE TABLE strait (id INT PRIMARY KEY, lake_id INT, \
         FOREIGN KEY (lake_id) REFERENCES lake (id) ON DELETE CASCADE); \
         CREATE TABLE river (id INT PRIMARY KEY, lake_id INT, UNIQUE (lake_id), \
         FOREIGN KEY (lake_id) REFERENCES lake (id) ON DELETE SET NULL); \
         CREATE TABLE brook (id INT PRIMARY KEY, river_lake INT, KEY (river_lake), \
         FOREIGN KEY (river_lake) REFERENCES river (lake_id) ON UPDATE CASCADE); \
         CREATE TABLE spring (id INT PRIMARY KEY, brook_lake INT, \
         FOREIGN KEY (brook_lake) REFERENCES brook (river_lake) ON UPDATE SET NULL)",
    )
    .await?;
    AuditTriggers::of::<lake::Entity>().create(&db.conn).await?;
    AuditTriggers::of::<river::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<brook::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<spring::Entity>()
        .create(&db.conn)
        .await?;
    client(
        db,
        "INSERT INTO lake VALUES (1, 1), (2, 1); INSERT INTO river VALUES (1, 1), (2, 2); \
         INSERT INTO strait VALUES (1, 1); \
         INSERT INTO brook VALUES (1, 1), (2, 2); INSERT INTO spring VALUES (1, 1), (2, 2), (3, 1)",
    )
    .await?;
    taken(db).await?;
    client(db, "DELETE FROM lake WHERE id = 1").await?;
    assert_eq!(
        sorted(db).await?,
        [
            r#"DELETE lake 1 {"id":{"old":1},"sea_id":{"old":1}}"#,
            r#"UPDATE brook 1 {"river_lake":{"new":null,"old":1}}"#,
            r#"UPDATE river 1 {"lake_id":{"new":null,"old":1}}"#,
            r#"UPDATE spring 1 {"brook_lake":{"new":null,"old":1}}"#,
            r#"UPDATE spring 3 {"brook_lake":{"new":null,"old":1}}"#,
        ]
    );
    let rows = "SELECT CONCAT_WS(' ', id, IFNULL(brook_lake, 'none')) FROM spring ORDER BY id";
    assert_eq!(client(db, rows).await?, "1 none\n2 2\n3 none\n");
    Ok(())
}

async fn keys_are_followed_through_other_databases(db: &TestDb) -> TestResult {
    const FAR: &str = "sea_orm_audit_far";
    let near = client(db, "SELECT DATABASE()").await?;
    let near = near.trim();
    client(
        db,
        &format!(
            "DROP DATABASE IF EXISTS {FAR}; CREATE DATABASE {FAR}; \
             CREATE TABLE river (id INT PRIMARY KEY, lake_id INT, KEY (lake_id)); \
             CREATE TABLE {FAR}.brook (id INT PRIMARY KEY, river_id INT, river_lake INT, KEY (river_lake), \
             FOREIGN KEY (river_id) REFERENCES {near}.river (id) ON DELETE CASCADE, \
             FOREIGN KEY (river_lake) REFERENCES {near}.river (lake_id) ON UPDATE CASCADE); \
             CREATE TABLE {FAR}.sill (id INT PRIMARY KEY, brook_lake INT, \
             FOREIGN KEY (id) REFERENCES {FAR}.brook (id) ON DELETE CASCADE, \
             FOREIGN KEY (brook_lake) REFERENCES {FAR}.brook (river_lake) ON UPDATE CASCADE)"
        ),
    )
    .await?;
    let followed = followed_far(db).await;
    db.execute_unprepared(&format!("DROP DATABASE {FAR}"))
        .await?;
    followed
}

async fn followed_far(db: &TestDb) -> TestResult {
    AuditTriggers::of::<river::Entity>()
        .create(&db.conn)
        .await?;
    AuditTriggers::of::<sill::Entity>().create(&db.conn).await?;
    client(
        db,
        "INSERT INTO river VALUES (1, 10); INSERT INTO sea_orm_audit_far.brook VALUES (1, 1, 10); \
         INSERT INTO sea_orm_audit_far.sill VALUES (1, 10)",
    )
    .await?;
    taken(db).await?;
    client(db, "UPDATE river SET lake_id = 11").await?;
    assert_eq!(
        sorted(db).await?,
        [
            r#"UPDATE river 1 {"lake_id":{"new":11,"old":10}}"#,
            r#"UPDATE sea_orm_audit_far.sill 1 {"brook_lake":{"new":11,"old":10}}"#,
        ]
    );
    client(db, "DELETE FROM river").await?;
    assert_eq!(
        sorted(db).await?,
        [
            r#"DELETE river 1 {"id":{"old":1},"lake_id":{"old":11}}"#,
            r#"DELETE sea_orm_audit_far.sill 1 {"brook_lake":{"old":11},"id":{"old":1}}"#,
        ]
    );
    Ok(())
}

/// For a table with a BEFORE UPDATE trigger MariaDB accepts NULL in NOT NULL columns, and requires values for columns
/// without a default; rows that follow a changed key need none.
async fn update_is_refused_as_without_triggers(db: &TestDb) -> TestResult {
    let bare = db.sibling().await?;
    for db in [db, &bare] {
        client(
            db,
            "CREATE TABLE pond (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL); \
             CREATE TABLE frog (id INT PRIMARY KEY, pond_id INT, \
             FOREIGN KEY (pond_id) REFERENCES pond (id) ON UPDATE CASCADE); \
             INSERT INTO pond VALUES (1, 'a'), (2, 'b'); INSERT INTO frog VALUES (1, 1), (2, 2)",
        )
        .await?;
    }
    AuditTriggers::of::<pond::Entity>().create(&db.conn).await?;
    AuditTriggers::of::<frog::Entity>().create(&db.conn).await?;
    for (sql, is_refused) in [
        (
            "UPDATE pond AS p JOIN frog ON frog.pond_id = p.id SET p.name = NULL",
            true,
        ),
        (
            "UPDATE pond SET name = NULL WHERE EXISTS (SELECT 1 FROM pond AS o WHERE o.id > pond.id)",
            true,
        ),
        (
            "INSERT INTO pond (id) VALUES (3) ON DUPLICATE KEY UPDATE name = 'c'",
            false,
        ),
        ("UPDATE pond SET id = 7 WHERE id = 1", false),
        ("UPDATE IGNORE pond SET id = 2 WHERE id = 7", false),
    ] {
        let outcome = |result: Result<sea_orm::ExecResult, sea_orm::DbErr>| match result {
            Ok(done) => format!("{} rows", done.rows_affected()),
            Err(error) => error.to_string(),
        };
        let expected = outcome(bare.conn.execute_unprepared(sql).await);
        assert_eq!(
            outcome(db.conn.execute_unprepared(sql).await),
            expected,
            "{sql}"
        );
        assert_eq!(expected.contains("Error"), is_refused, "{sql}: {expected}");
    }
    for rows in [
        "SELECT * FROM pond ORDER BY id",
        "SELECT * FROM frog ORDER BY id",
    ] {
        assert_eq!(client(db, rows).await?, client(&bare, rows).await?);
    }
    let moved = r#"UPDATE frog 1 {"pond_id":{"new":7,"old":1}}"#;
    let log = sorted(db).await?;
    assert_eq!(
        log.iter()
            .filter(|line| line.starts_with("UPDATE frog"))
            .collect::<Vec<_>>(),
        [moved]
    );
    bare.remove().await
}
