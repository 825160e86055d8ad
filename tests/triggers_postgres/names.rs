//! Names that would break badly quoted SQL, on tables of one entity or another.

use sea_orm::ConnectionTrait;
use sea_orm_audit::migration::AuditTriggers;
use serde_json::json;

use crate::client::{create, psql};
use crate::support::{TestDb, TestResult};

crate::on_postgres! {
    names_of_every_kind_do_no_harm,
    tables_of_one_name_in_two_schemas_have_triggers_of_their_own,
    the_log_can_be_in_a_schema_of_its_own,
    generated_columns_and_two_hundred_columns_are_recorded,
}

mod harmful {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(
        schema_name = "sch\"ema'; --",
        table_name = "Ta\"ble'; DROP TABLE audit_log; -- $$ \\ /* é\n🦀"
    )]
    #[audit(
        capture = "trigger",
        name = "Mo'del\\'; -- $sea_orm_audit$ \" %s %",
        module = "mod'\\",
        display = "it's \\ {select} %s $1 {c}"
    )]
    pub struct Model {
        #[sea_orm(primary_key, column_name = "order")]
        pub id: i32,
        #[sea_orm(column_name = "select")]
        pub select: Option<String>,
        #[sea_orm(column_name = "a\"'; DROP TABLE audit_log; --")]
        pub a: Option<String>,
        #[sea_orm(column_name = "100%s %1$s % \\ \\u0041 \t\n")]
        pub b: Option<String>,
        #[sea_orm(column_name = "$$ /* v_tenant")]
        pub c: Option<String>,
        #[sea_orm(column_name = "v_actor_id")]
        pub d: Option<String>,
        #[sea_orm(column_name = "Größe🦀")]
        pub e: Option<String>,
        #[sea_orm(column_name = "t")]
        pub f: Option<String>,
        #[sea_orm(column_name = "x")]
        pub g: Option<String>,
        #[sea_orm(column_name = "old_rows")]
        pub h: Option<String>,
        #[sea_orm(column_name = "c0")]
        pub i: Option<String>,
        #[sea_orm(column_name = "place")]
        pub j: Option<String>,
    }

    no_relations!();
}

/// Like `post`, with a schema.
mod elsewhere {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(schema_name = "other", table_name = "post")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
    }

    no_relations!();
}

async fn names_of_every_kind_do_no_harm(db: &TestDb) -> TestResult {
    db.execute_unprepared("CREATE SCHEMA \"sch\"\"ema'; --\"")
        .await?;
    create(db, harmful::Entity).await?;
    let table = "\"sch\"\"ema'; --\".\"Ta\"\"ble'; DROP TABLE audit_log; -- $$ \\ /* é\n🦀\"";
    psql(
        db,
        &format!(
            "INSERT INTO {table} (\"select\", \"$$ /* v_tenant\", v_actor_id, t, x, c0)
               VALUES ('s', 'c', 'd', 't', 'x', '0');
             SET standard_conforming_strings = off; SET escape_string_warning = off;
             UPDATE {table} SET \"a\"\"'; DROP TABLE audit_log; --\" = 'a', place = 'j', x = 'y';
             SET standard_conforming_strings = on;
             TRUNCATE {table};"
        ),
    )
    .await?;
    let records = db.records().await?;
    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!(
            record.model.as_deref(),
            Some("Mo'del\\'; -- $sea_orm_audit$ \" %s %")
        );
        assert_eq!(record.module.as_deref(), Some("mod'\\"));
        assert_eq!(record.object_repr.as_deref(), Some("it's \\ s %s $1 c"));
        assert_eq!(record.object_id.as_deref(), Some("1"));
    }
    assert_eq!(
        records[1].changes,
        Some(json!({
            "a\"'; DROP TABLE audit_log; --": {"old": null, "new": "a"},
            "place": {"old": null, "new": "j"},
            "x": {"old": "x", "new": "y"},
        }))
    );
    assert_eq!(
        records[2]
            .changes
            .as_ref()
            .unwrap()
            .as_object()
            .unwrap()
            .len(),
        12
    );
    assert_eq!(
        records[0].changes.as_ref().unwrap()["100%s %1$s % \\ \\u0041 \t\n"],
        json!({"new": null})
    );
    AuditTriggers::of::<harmful::Entity>()
        .recreate(&db.conn)
        .await?;
    AuditTriggers::of::<harmful::Entity>()
        .drop(&db.conn)
        .await?;
    Ok(())
}

async fn tables_of_one_name_in_two_schemas_have_triggers_of_their_own(db: &TestDb) -> TestResult {
    db.execute_unprepared("CREATE SCHEMA other").await?;
    create(db, crate::entity::post::Entity).await?;
    create(db, elsewhere::Entity).await?;
    psql(
        db,
        "INSERT INTO post (title) VALUES ('a'); INSERT INTO other.post (title) VALUES ('b');
         SET search_path = other; UPDATE post SET title = 'c'; TRUNCATE post; TRUNCATE public.post;",
    )
    .await?;
    let models = db
        .records()
        .await?
        .into_iter()
        .map(|record| record.model.unwrap());
    let models: Vec<_> = models.collect();
    assert_eq!(
        models,
        ["post", "other.post", "other.post", "other.post", "post"]
    );
    Ok(())
}

async fn the_log_can_be_in_a_schema_of_its_own(db: &TestDb) -> TestResult {
    use sea_orm_migration::MigratorTrait;
    let config = sea_orm_audit::AuditConfig::builder()
        .table_prefix("x_")
        .table_schema("audit_here")
        .build()?;
    db.create(crate::entity::post::Entity).await?;
    config
        .scope(async {
            sea_orm_audit::migration::Migrator::up(&db.conn, None).await?;
            AuditTriggers::of::<crate::entity::post::Entity>()
                .create(&db.conn)
                .await
        })
        .await?;
    psql(db, "INSERT INTO post (title) VALUES ('a')").await?;
    let held = "SELECT object_id::text FROM audit_here.x_log";
    assert_eq!(crate::client::value::<String>(db, held).await?, "1");
    let functions = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'sea_orm_audit%'
        AND pronamespace <> 'audit_here'::regnamespace";
    assert_eq!(crate::client::value::<i64>(db, functions).await?, 0);
    Ok(())
}

/// Many more columns than a function can have arguments.
macro_rules! many_columns {
    ($($name:ident)*) => {
        mod many {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = "many")]
            #[audit(capture = "trigger")]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                $(pub $name: Option<i32>,)*
            }

            no_relations!();
        }
    };
}

many_columns! {
    a00 a01 a02 a03 a04 a05 a06 a07 a08 a09 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19
    b00 b01 b02 b03 b04 b05 b06 b07 b08 b09 b10 b11 b12 b13 b14 b15 b16 b17 b18 b19
    c00 c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19
    d00 d01 d02 d03 d04 d05 d06 d07 d08 d09 d10 d11 d12 d13 d14 d15 d16 d17 d18 d19
    e00 e01 e02 e03 e04 e05 e06 e07 e08 e09 e10 e11 e12 e13 e14 e15 e16 e17 e18 e19
    f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19
    g00 g01 g02 g03 g04 g05 g06 g07 g08 g09 g10 g11 g12 g13 g14 g15 g16 g17 g18 g19
    h00 h01 h02 h03 h04 h05 h06 h07 h08 h09 h10 h11 h12 h13 h14 h15 h16 h17 h18 h19
    i00 i01 i02 i03 i04 i05 i06 i07 i08 i09 i10 i11 i12 i13 i14 i15 i16 i17 i18 i19
    j00 j01 j02 j03 j04 j05 j06 j07 j08 j09 j10 j11 j12 j13 j14 j15 j16 j17 j18 j19
}

async fn generated_columns_and_two_hundred_columns_are_recorded(db: &TestDb) -> TestResult {
    create(db, many::Entity).await?;
    psql(
        db,
        "ALTER TABLE many DROP j19, ADD j19 int GENERATED ALWAYS AS (a00 + 1) STORED;
         INSERT INTO many (a00, j18) VALUES (1, 18), (2, 18);
         UPDATE many SET a00 = 5 WHERE id = 2; DELETE FROM many WHERE id = 1; TRUNCATE many;",
    )
    .await?;
    let records = db.records().await?;
    assert_eq!(records.len(), 5);
    for record in [&records[0], &records[3], &records[4]] {
        assert_eq!(
            record.changes.as_ref().unwrap().as_object().unwrap().len(),
            201
        );
    }
    assert_eq!(
        records[0].changes.as_ref().unwrap()["j19"],
        json!({"new": 2})
    );
    assert_eq!(
        records[2].changes,
        Some(json!({"a00": {"old": 2, "new": 5}, "j19": {"old": 3, "new": 6}}))
    );
    Ok(())
}
