//! Skipped entities, fields and actions are not recorded, and cost no statement.

use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};
use sea_orm_audit::context::migration_mode;
use sea_orm_audit::{Action, AuditConfig};

use crate::entity::post;
use crate::support::{TestDb, TestResult};

on_every_database! {
    skipped_model_costs_no_statement,
    skipped_action_costs_no_statement,
    migration_mode_costs_no_statement,
    entity_that_is_skipped_by_its_derive_costs_no_statement,
    skipped_field_is_never_looked_at,
    only_the_listed_fields_are_looked_at,
    action_skipped_by_the_derive_is_not_recorded,
    the_nearest_configuration_wins,
}

mod quiet {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "quiet")]
    #[audit(skip)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod partly {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "partly")]
    #[audit(skip_actions(Delete))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub text: String,
        #[audit(skip)]
        pub views: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod listed {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "listed")]
    #[audit(only(text))]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub text: String,
        pub views: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// Inserts, updates and deletes a post.
async fn life_of_a_post(db: &TestDb, title: &str) -> TestResult {
    let mut post = post::new(title).insert(&db.conn).await?.into_active_model();
    post.qty = Set(8);
    post.update(&db.conn)
        .await?
        .into_active_model()
        .delete(&db.conn)
        .await?;
    Ok(())
}

/// How many statements SeaORM needs for the life of a post: without RETURNING, as on MariaDB, it
/// reads the row after insert and update.
fn statements_of_a_life(db: &TestDb) -> usize {
    use sea_orm::ConnectionTrait;
    if db.support_returning() { 3 } else { 5 }
}

async fn skipped_model_costs_no_statement(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    for config in [
        AuditConfig::builder().skip_model("post").build()?,
        AuditConfig::builder()
            .skip_entity::<post::Entity>()
            .build()?,
    ] {
        let (result, statements) = db
            .statements_of(config.scope(life_of_a_post(db, "a")))
            .await;
        result?;
        assert_eq!(
            statements.len(),
            statements_of_a_life(db),
            "{statements:#?}"
        );
    }
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn skipped_action_costs_no_statement(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let config = AuditConfig::builder()
        .skip_action(Action::Create)
        .skip_action(Action::Update)
        .skip_action(Action::Delete)
        .build()?;
    let (result, statements) = db
        .statements_of(config.scope(life_of_a_post(db, "a")))
        .await;
    result?;
    assert_eq!(
        statements.len(),
        statements_of_a_life(db),
        "{statements:#?}"
    );
    Ok(())
}

async fn migration_mode_costs_no_statement(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let by_config = AuditConfig::builder().migration_mode(true).build()?;
    let (result, statements) = db
        .statements_of(by_config.scope(life_of_a_post(db, "a")))
        .await;
    result?;
    assert_eq!(
        statements.len(),
        statements_of_a_life(db),
        "{statements:#?}"
    );
    let by_scope = migration_mode("test", life_of_a_post(db, "a"));
    let (result, statements) = db.statements_of(by_scope).await;
    result?;
    assert_eq!(
        statements.len(),
        statements_of_a_life(db),
        "{statements:#?}"
    );
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn entity_that_is_skipped_by_its_derive_costs_no_statement(db: &TestDb) -> TestResult {
    db.create(quiet::Entity).await?;
    let new = quiet::ActiveModel {
        text: Set("a".into()),
        ..Default::default()
    };
    let (result, statements) = db
        .statements_of(async {
            let mut row = new.insert(&db.conn).await?.into_active_model();
            row.text = Set("b".into());
            row.update(&db.conn)
                .await?
                .into_active_model()
                .delete(&db.conn)
                .await
        })
        .await;
    result?;
    assert_eq!(
        statements.len(),
        statements_of_a_life(db),
        "{statements:#?}"
    );
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn skipped_field_is_never_looked_at(db: &TestDb) -> TestResult {
    db.create(partly::Entity).await?;
    let new = partly::ActiveModel {
        text: Set("a".into()),
        views: Set(1),
        ..Default::default()
    };
    let mut row = new.insert(&db.conn).await?.into_active_model();
    row.views = Set(2);
    let (row, statements) = db.statements_of(row.update(&db.conn)).await;
    // An UPDATE of skipped fields alone causes no read.
    let own = statements_of_a_life(db) / 2;
    assert_eq!(statements.len(), own, "{statements:#?}");
    let mut row = row?.into_active_model();
    (row.views, row.text) = (Set(3), Set("b".into()));
    row.update(&db.conn).await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE partly 1 {"id":{"new":1},"text":{"new":"a"}}"#,
            r#"UPDATE partly 1 {"text":{"new":"b","old":"a"}}"#,
        ]
    );

    db.forget().await?;
    let everywhere = AuditConfig::builder().skip_field("TEXT").build()?;
    let new = partly::ActiveModel {
        text: Set("a".into()),
        views: Set(1),
        ..Default::default()
    };
    everywhere.scope(new.insert(&db.conn)).await?;
    assert_eq!(db.log().await?, [r#"CREATE partly 2 {"id":{"new":2}}"#]);
    Ok(())
}

async fn only_the_listed_fields_are_looked_at(db: &TestDb) -> TestResult {
    db.create(listed::Entity).await?;
    let new = listed::ActiveModel {
        text: Set("a".into()),
        views: Set(1),
        ..Default::default()
    };
    let mut row = new.insert(&db.conn).await?.into_active_model();
    row.views = Set(2);
    row.update(&db.conn).await?;
    assert_eq!(db.log().await?, [r#"CREATE listed 1 {"text":{"new":"a"}}"#]);
    Ok(())
}

async fn action_skipped_by_the_derive_is_not_recorded(db: &TestDb) -> TestResult {
    db.create(partly::Entity).await?;
    let new = partly::ActiveModel {
        text: Set("a".into()),
        views: Set(1),
        ..Default::default()
    };
    new.insert(&db.conn)
        .await?
        .into_active_model()
        .delete(&db.conn)
        .await?;
    let actions: Vec<_> = (db.records().await?.into_iter())
        .map(|r| r.action)
        .collect();
    assert_eq!(actions, ["CREATE"]);
    Ok(())
}

async fn the_nearest_configuration_wins(db: &TestDb) -> TestResult {
    db.create(post::Entity).await?;
    let skips = AuditConfig::builder().skip_model("post").build()?;
    let records = AuditConfig::builder().build()?;
    skips
        .scope(async {
            post::new("outer").insert(&db.conn).await?;
            records.scope(post::new("inner").insert(&db.conn)).await
        })
        .await?;
    assert_eq!(
        db.record().await?.object_repr.as_deref(),
        Some("inner (#2)")
    );
    Ok(())
}
