//! Entities with an `impl ActiveModelBehavior` of their own.

use sea_orm::{ActiveModelTrait, DbErr, IntoActiveModel, Set};
use serde_json::json;

use crate::support::{TestDb, TestResult};

on_every_database! {
    value_set_by_a_users_hook_is_recorded,
    error_of_a_users_hook_leaves_no_record,
    write_of_a_users_hook_is_recorded_once,
    impl_without_hooks_records_too,
}

mod note {
    use sea_orm::Set;
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "note")]
    #[audit(behavior = "own")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub text: String,
        pub length: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    fn refuse(text: &str, word: &str) -> Result<(), DbErr> {
        if text == word {
            return Err(DbErr::Custom(format!("no {word}")));
        }
        Ok(())
    }

    #[sea_orm_audit::behavior]
    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        fn new() -> Self {
            Self {
                text: Set("new".into()),
                ..ActiveModelTrait::default()
            }
        }

        async fn before_save<C>(mut self, db: &C, insert: bool) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            let Some(text) = self.text.try_as_ref().cloned() else {
                return Ok(self);
            };
            refuse(&text, "before_save")?;
            self.length = Set(i32::try_from(text.len()).unwrap());
            if text == "write another" && insert {
                Self {
                    text: Set("another".into()),
                    ..ActiveModelTrait::default()
                }
                .insert(db)
                .await?;
            }
            Ok(self)
        }

        async fn after_save<C: ConnectionTrait>(
            mut model: <Self::Entity as EntityTrait>::Model,
            db: &C,
            _insert: bool,
        ) -> Result<<Self::Entity as EntityTrait>::Model, DbErr> {
            refuse(&model.text, "after_save")?;
            if model.text == "write again" {
                let mut again: Self = model.clone().into();
                again.text = Set("written again".into());
                return again.update(db).await;
            }
            // The hook changes the model, not the row in the database.
            model.length = -1;
            Ok(model)
        }

        async fn before_delete<DB: ConnectionTrait>(self, _db: &DB) -> Result<Self, DbErr> {
            refuse(
                self.text.try_as_ref().map_or("", |text| text),
                "before_delete",
            )?;
            Ok(self)
        }

        async fn after_delete<C: ConnectionTrait>(self, _: &C) -> Result<Self, DbErr> {
            refuse(
                self.text.try_as_ref().map_or("", |text| text),
                "after_delete",
            )?;
            Ok(self)
        }
    }
}

mod label {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "label")]
    #[audit(behavior = "own")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    #[sea_orm_audit::behavior]
    impl ActiveModelBehavior for ActiveModel {}
}

fn note(text: &str) -> note::ActiveModel {
    note::ActiveModel {
        text: Set(text.to_owned()),
        ..Default::default()
    }
}

async fn value_set_by_a_users_hook_is_recorded(db: &TestDb) -> TestResult {
    db.create(note::Entity).await?;
    let created = note("four").insert(&db.conn).await?;
    assert_eq!(created.length, -1);
    let mut edit = note("three");
    edit.id = Set(created.id);
    edit.update(&db.conn).await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE note 1 {"id":{"new":1},"length":{"new":4},"text":{"new":"four"}}"#,
            r#"UPDATE note 1 {"length":{"new":5,"old":4},"text":{"new":"three","old":"four"}}"#,
        ]
    );
    Ok(())
}

async fn error_of_a_users_hook_leaves_no_record(db: &TestDb) -> TestResult {
    db.create(note::Entity).await?;
    let kept = note("kept").insert(&db.conn).await?;
    let doomed = note("after_delete").insert(&db.conn).await?;
    let stays = note("before_delete").insert(&db.conn).await?;
    db.forget().await?;
    let retext = |text: &str| {
        let mut edit = note(text);
        edit.id = Set(kept.id);
        edit
    };
    let mut doomed = doomed.into_active_model();
    doomed.length = Set(12);
    for (hook, result) in [
        (
            "before_save",
            note("before_save").insert(&db.conn).await.map(drop),
        ),
        (
            "after_save",
            note("after_save").insert(&db.conn).await.map(drop),
        ),
        (
            "before_save",
            retext("before_save").update(&db.conn).await.map(drop),
        ),
        (
            "after_save",
            retext("after_save").update(&db.conn).await.map(drop),
        ),
        (
            "before_delete",
            stays.into_active_model().delete(&db.conn).await.map(drop),
        ),
        ("after_delete", doomed.delete(&db.conn).await.map(drop)),
    ] {
        assert_eq!(result, Err(DbErr::Custom(format!("no {hook}"))));
    }
    assert_eq!(db.log().await?, [""; 0]);
    Ok(())
}

async fn write_of_a_users_hook_is_recorded_once(db: &TestDb) -> TestResult {
    db.create(note::Entity).await?;
    note("write another").insert(&db.conn).await?;
    note("write again").insert(&db.conn).await?;
    let mut log: Vec<_> = (db.records().await?.into_iter())
        .map(|r| {
            (
                r.action,
                r.object_id.unwrap(),
                r.changes.unwrap()["text"].clone(),
            )
        })
        .collect();
    log.sort_by_key(|(action, id, _)| (id.clone(), action.clone()));
    assert_eq!(
        log,
        [
            ("CREATE".into(), "1".into(), json!({"new": "another"})),
            ("CREATE".into(), "2".into(), json!({"new": "write another"})),
            ("CREATE".into(), "3".into(), json!({"new": "write again"})),
            (
                "UPDATE".into(),
                "3".into(),
                json!({"old": "write again", "new": "written again"})
            ),
        ]
    );
    Ok(())
}

async fn impl_without_hooks_records_too(db: &TestDb) -> TestResult {
    db.create(label::Entity).await?;
    let new = label::ActiveModel {
        text: Set("a".into()),
        ..Default::default()
    };
    let mut edit = new.insert(&db.conn).await?.into_active_model();
    edit.text = Set("b".into());
    edit.update(&db.conn)
        .await?
        .into_active_model()
        .delete(&db.conn)
        .await?;
    let actions: Vec<_> = (db.records().await?.into_iter())
        .map(|r| r.action)
        .collect();
    assert_eq!(actions, ["CREATE", "UPDATE", "DELETE"]);
    Ok(())
}
