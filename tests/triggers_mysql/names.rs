//! Names and literals in generated SQL are quoted correctly.

use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, Set};
use sea_orm_audit::migration::AuditTriggers;
use sea_orm_audit::{AuditConfig, Auditable};
use serde_json::json;

use crate::differences;
use crate::support::{TestDb, TestResult};
use crate::{change, watched};

mod mariadb {
    crate::support::tests_on! { mariadb:
        names_of_all_kinds_are_quoted,
        the_longest_names_have_triggers_of_their_own,
        tables_of_another_schema_are_recorded,
        the_log_may_be_in_another_schema,
        tables_of_two_hundred_columns_are_recorded,
    }
}

macro_rules! odd {
    ($name:ident, $table:literal, $column:literal, $model:literal, $display:literal) => {
        mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $table)]
            #[audit(capture = "trigger", name = $model, display = $display)]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                #[sea_orm(column_name = $column)]
                pub title: Option<String>,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}

odd!(reserved, "select", "Order", "Group", "by {title}");
odd!(
    quotes,
    "a`b\"c'd",
    "e`f\"g'h",
    "m'\"`",
    "it's \"{title}\" `"
);
odd!(
    comments,
    "x -- y /* z */ ;#",
    "-- ; DROP TABLE x; /*",
    "/* -- */;",
    "*/ -- ; {title} /*!"
);
odd!(
    slashes,
    "back\\slash",
    "\\'; DROP TABLE x; -- \\",
    "\\\\'",
    "\\{title}\\'"
);
odd!(
    dollars,
    "$$ $1 %s ?",
    "? $$ :a @b %",
    "$$ ? %",
    "? {title} $$"
);
odd!(lines, "a\nb\tc", "d\r\ne", "f\ng", "h\n{title}\t");
odd!(letters, "Größe_表", "é ü", "Ünïcode 😀", "😀 {title} …");
odd!(
    long,
    "a234567890123456789012345678901234567890123456789012345678901234",
    "b234567890123456789012345678901234567890123456789012345678901234",
    "long",
    "{title}"
);
odd!(
    long_too,
    "a23456789012345678901234567890123456789012345678901234567890123x",
    "b234567890123456789012345678901234567890123456789012345678901234",
    "long too",
    "{title}"
);

macro_rules! recorded {
    ($db:expr, $name:ident, $label:expr) => {{
        watched($db, $name::Entity).await?;
        let triggers = AuditTriggers::of::<$name::Entity>();
        assert_eq!(differences(triggers, &$db.conn).await?, [""; 0]);
        let row = $name::ActiveModel {
            title: Set(Some("T'\\".to_owned())),
            ..Default::default()
        };
        let mut row: $name::ActiveModel = row.insert(&$db.conn).await?.into();
        row.title = Set(None);
        let row = row.update(&$db.conn).await?;
        $name::Entity::delete_by_id(row.id).exec(&$db.conn).await?;
        let records = $db.records().await?;
        let actions: Vec<_> = records
            .iter()
            .map(|record| record.action.as_str())
            .collect();
        assert_eq!(actions, ["CREATE", "UPDATE", "DELETE"]);
        let info = $name::Entity::info();
        let column = info.columns().nth(1).unwrap();
        for record in &records {
            assert_eq!(record.model.as_deref(), Some(info.model()));
            assert!(
                change(record, column, "new").is_some() || change(record, column, "old").is_some()
            );
        }
        assert_eq!(change(&records[1], column, "old"), Some(json!("T'\\")));
        assert_eq!(records[0].object_repr.as_deref(), Some($label));
        triggers.drop(&$db.conn).await?;
        $db.forget().await?;
    }};
}

async fn names_of_all_kinds_are_quoted(db: &TestDb) -> TestResult {
    recorded!(db, reserved, "by T'\\");
    recorded!(db, quotes, "it's \"T'\\\" `");
    recorded!(db, comments, "*/ -- ; T'\\ /*!");
    recorded!(db, slashes, "\\T'\\\\'");
    recorded!(db, dollars, "? T'\\ $$");
    recorded!(db, lines, "h␊T'\\␉");
    recorded!(db, letters, "😀 T'\\ …");
    Ok(())
}

async fn the_longest_names_have_triggers_of_their_own(db: &TestDb) -> TestResult {
    recorded!(db, long, "T'\\");
    watched(db, long_too::Entity).await?;
    AuditTriggers::of::<long::Entity>().create(&db.conn).await?;
    assert_eq!(
        differences(AuditTriggers::of::<long_too::Entity>(), &db.conn).await?,
        [""; 0]
    );
    Ok(())
}

mod elsewhere {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(schema_name = "sea_orm_audit_else`where", table_name = "thing")]
    #[audit(capture = "trigger")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

async fn tables_of_another_schema_are_recorded(db: &TestDb) -> TestResult {
    db.execute_unprepared("DROP DATABASE IF EXISTS `sea_orm_audit_else``where`")
        .await?;
    db.execute_unprepared("CREATE DATABASE `sea_orm_audit_else``where`")
        .await?;
    watched(db, elsewhere::Entity).await?;
    let triggers = AuditTriggers::of::<elsewhere::Entity>();
    assert_eq!(differences(triggers, &db.conn).await?, [""; 0]);
    db.execute_unprepared("INSERT INTO `sea_orm_audit_else``where`.thing VALUES (5)")
        .await?;
    let record = db.record().await?;
    assert_eq!(
        record.model.as_deref(),
        Some("sea_orm_audit_else`where.thing")
    );
    triggers.drop(&db.conn).await?;
    db.execute_unprepared("DROP DATABASE `sea_orm_audit_else``where`")
        .await?;
    Ok(())
}

async fn the_log_may_be_in_another_schema(db: &TestDb) -> TestResult {
    use sea_orm_audit::migration::{Migrator, MigratorTrait};
    let schema = db.schema_beside().unwrap();
    let config = AuditConfig::builder()
        .table_prefix("my_")
        .table_schema(&schema)
        .build()?;
    config
        .scope(async {
            Migrator::up(&db.conn, None).await?;
            watched(db, reserved::Entity).await?;
            db.execute_unprepared("INSERT INTO `select` VALUES (1, 'x')")
                .await?;
            assert_eq!(db.record().await?.object_repr.as_deref(), Some("by x"));
            TestResult::Ok(())
        })
        .await?;
    db.execute_unprepared(&format!("DROP DATABASE {schema}"))
        .await?;
    Ok(())
}

macro_rules! wide {
    ($($column:ident)*) => {
        mod wide {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = "wide")]
            #[audit(capture = "trigger")]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                $(#[sea_orm(column_type = "Text")] pub $column: Option<String>,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}

wide! {
    c000 c001 c002 c003 c004 c005 c006 c007 c008 c009 c010 c011 c012 c013 c014 c015 c016 c017 c018 c019
    c020 c021 c022 c023 c024 c025 c026 c027 c028 c029 c030 c031 c032 c033 c034 c035 c036 c037 c038 c039
    c040 c041 c042 c043 c044 c045 c046 c047 c048 c049 c050 c051 c052 c053 c054 c055 c056 c057 c058 c059
    c060 c061 c062 c063 c064 c065 c066 c067 c068 c069 c070 c071 c072 c073 c074 c075 c076 c077 c078 c079
    c080 c081 c082 c083 c084 c085 c086 c087 c088 c089 c090 c091 c092 c093 c094 c095 c096 c097 c098 c099
    c100 c101 c102 c103 c104 c105 c106 c107 c108 c109 c110 c111 c112 c113 c114 c115 c116 c117 c118 c119
    c120 c121 c122 c123 c124 c125 c126 c127 c128 c129 c130 c131 c132 c133 c134 c135 c136 c137 c138 c139
    c140 c141 c142 c143 c144 c145 c146 c147 c148 c149 c150 c151 c152 c153 c154 c155 c156 c157 c158 c159
    c160 c161 c162 c163 c164 c165 c166 c167 c168 c169 c170 c171 c172 c173 c174 c175 c176 c177 c178 c179
    c180 c181 c182 c183 c184 c185 c186 c187 c188 c189 c190 c191 c192 c193 c194 c195 c196 c197 c198 c199
}

async fn tables_of_two_hundred_columns_are_recorded(db: &TestDb) -> TestResult {
    watched(db, wide::Entity).await?;
    let triggers = AuditTriggers::of::<wide::Entity>();
    assert_eq!(differences(triggers, &db.conn).await?, [""; 0]);
    db.execute_unprepared("INSERT INTO wide (id, c000, c199) VALUES (1, 'a', 'z')")
        .await?;
    db.execute_unprepared("UPDATE wide SET c100 = 'm'").await?;
    db.execute_unprepared("ALTER TABLE wide DROP COLUMN c050")
        .await?;
    db.execute_unprepared("DELETE FROM wide").await?;
    let records = db.records().await?;
    let fields = |at: usize| {
        records[at]
            .changes
            .as_ref()
            .unwrap()
            .as_object()
            .unwrap()
            .len()
    };
    assert_eq!((fields(0), fields(1), fields(2)), (201, 1, 200));
    assert_eq!(change(&records[0], "c199", "new"), Some(json!("z")));
    Ok(())
}
