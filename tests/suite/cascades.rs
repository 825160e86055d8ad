//! Rows that the database deletes, or sets to NULL, along with a row.

use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Set};
use sea_orm_audit::AuditConfig;

use crate::support::{TestDb, TestResult};

on_every_database! {
    rows_that_go_along_are_recorded_level_by_level,
    rows_that_lose_their_reference_are_recorded_as_updated,
    tree_that_refers_to_itself_is_recorded_whole,
    each_level_costs_one_query,
    row_that_stays_is_not_recorded_as_deleted,
    children_of_a_skipped_parent_are_recorded,
    bulk_delete_takes_its_cascades_along,
    no_child_costs_nothing_more,
}

/// shelf ← box (CASCADE) ← item (CASCADE), shelf ← note (SET NULL), folder ← folder (CASCADE).
macro_rules! entity {
    ($module:ident, $table:literal, { $($field:ident: $type:ty),* }, $($relation:tt)*) => {
        pub(crate) mod $module {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                pub name: String,
                $(pub $field: $type,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation { $($relation)* }
        }
    };
}

entity!(shelf, "shelf", {},);
entity!(boxes, "box", { shelf_id: i32 },
    #[sea_orm(belongs_to = "super::shelf::Entity", from = "Column::ShelfId", to = "super::shelf::Column::Id", on_delete = "Cascade")]
    Shelf,
);
entity!(item, "item", { box_id: i32 },
    #[sea_orm(belongs_to = "super::boxes::Entity", from = "Column::BoxId", to = "super::boxes::Column::Id", on_delete = "Cascade")]
    Box,
);
entity!(note, "note", { shelf_id: Option<i32> },
    #[sea_orm(belongs_to = "super::shelf::Entity", from = "Column::ShelfId", to = "super::shelf::Column::Id", on_delete = "SetNull")]
    Shelf,
);
entity!(folder, "folder", { parent_id: Option<i32> },
    #[sea_orm(belongs_to = "Entity", from = "Column::ParentId", to = "Column::Id", on_delete = "Cascade")]
    Parent,
);
// Declares the cascade, where the database has no foreign key.
entity!(claim, "claim", { shelf_id: i32 },
    #[sea_orm(belongs_to = "super::shelf::Entity", from = "Column::ShelfId", to = "super::shelf::Column::Id", on_delete = "Cascade")]
    Shelf,
);

pub(crate) async fn create(db: &TestDb) -> TestResult {
    db.create(shelf::Entity).await?;
    db.create(boxes::Entity).await?;
    db.create(item::Entity).await?;
    db.create(note::Entity).await?;
    db.create(folder::Entity).await?;
    db.execute_unprepared(
        "CREATE TABLE claim (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL, shelf_id INTEGER NOT NULL)",
    )
    .await?;
    for number in [1, 2] {
        shelf::ActiveModel {
            id: Set(number),
            name: Set(format!("shelf {number}")),
        }
        .insert(&db.conn)
        .await?;
        for number in [number * 10, number * 10 + 1] {
            boxes::ActiveModel {
                id: Set(number),
                name: Set(format!("box {number}")),
                shelf_id: Set(number / 10),
            }
            .insert(&db.conn)
            .await?;
            item::ActiveModel {
                id: Set(number * 10),
                name: Set(format!("item {}", number * 10)),
                box_id: Set(number),
            }
            .insert(&db.conn)
            .await?;
        }
    }
    note::ActiveModel {
        id: Set(1),
        name: Set("note".into()),
        shelf_id: Set(Some(1)),
    }
    .insert(&db.conn)
    .await?;
    db.forget().await.map_err(Into::into)
}

async fn lines(db: &TestDb) -> TestResult<Vec<String>> {
    let mut lines: Vec<_> = (db.records().await?.into_iter())
        .map(|r| {
            let (model, id) = (r.model.unwrap_or_default(), r.object_id.unwrap_or_default());
            format!("{} {model} {id} {}", r.action, r.source)
        })
        .collect();
    lines.sort();
    Ok(lines)
}

async fn rows_that_go_along_are_recorded_level_by_level(db: &TestDb) -> TestResult {
    create(db).await?;
    shelf::Entity::delete_by_id(1).exec(&db.audited()).await?;
    assert_eq!(
        lines(db).await?,
        [
            "DELETE box 10 CASCADE",
            "DELETE box 11 CASCADE",
            "DELETE item 100 CASCADE",
            "DELETE item 110 CASCADE",
            "DELETE shelf 1 STATEMENT",
            "UPDATE note 1 CASCADE",
        ]
    );
    assert_eq!(item::Entity::find().all(&db.conn).await?.len(), 2);
    Ok(())
}

async fn rows_that_lose_their_reference_are_recorded_as_updated(db: &TestDb) -> TestResult {
    create(db).await?;
    let shelf = shelf::Entity::find_by_id(1)
        .one(&db.conn)
        .await?
        .ok_or("no shelf")?;
    sea_orm::ModelTrait::delete(shelf, &db.audited()).await?;
    let log = db.log().await?;
    let update = log.iter().find(|line| line.starts_with("UPDATE"));
    assert_eq!(
        update.map(String::as_str),
        Some(r#"UPDATE note 1 {"shelf_id":{"new":null,"old":1}}"#)
    );
    Ok(())
}

async fn tree_that_refers_to_itself_is_recorded_whole(db: &TestDb) -> TestResult {
    create(db).await?;
    for (id, parent) in [
        (1, None),
        (2, Some(1)),
        (3, Some(2)),
        (4, Some(2)),
        (5, None),
    ] {
        folder::ActiveModel {
            id: Set(id),
            name: Set(format!("folder {id}")),
            parent_id: Set(parent),
        }
        .insert(&db.conn)
        .await?;
    }
    // A cycle below row 1.
    folder::ActiveModel {
        id: Set(1),
        parent_id: Set(Some(4)),
        ..Default::default()
    }
    .update(&db.conn)
    .await?;
    db.forget().await?;
    folder::Entity::delete_by_id(1).exec(&db.audited()).await?;
    let left: Vec<_> = (folder::Entity::find().all(&db.conn).await?.into_iter())
        .map(|folder| folder.id)
        .collect();
    assert_eq!(left, [5]);
    assert_eq!(
        lines(db).await?,
        [
            "DELETE folder 1 STATEMENT",
            "DELETE folder 2 CASCADE",
            "DELETE folder 3 CASCADE",
            "DELETE folder 4 CASCADE",
        ]
    );
    Ok(())
}

/// For any number of rows: one query for each followed foreign key, before and after.
async fn each_level_costs_one_query(db: &TestDb) -> TestResult {
    create(db).await?;
    let audited = db.audited();
    let (result, statements) = db
        .statements_of(shelf::Entity::delete_many().exec(&audited))
        .await;
    assert_eq!(result?.rows_affected, 2);
    let of = |table: &str| {
        let name = format!("FROM {}", quoted(db, table));
        statements
            .iter()
            .filter(|sql| sql.starts_with("SELECT") && sql.contains(&name))
            .count()
    };
    assert_eq!(
        (of("box"), of("item"), of("note")),
        (2, 2, 2),
        "{statements:#?}"
    );
    assert_eq!(of("claim"), 1, "{statements:#?}");
    Ok(())
}

fn quoted(db: &TestDb, name: &str) -> String {
    match db.backend() {
        sea_orm::DbBackend::MySql => format!("`{name}`"),
        _ => format!("\"{name}\""),
    }
}

async fn row_that_stays_is_not_recorded_as_deleted(db: &TestDb) -> TestResult {
    create(db).await?;
    db.execute_unprepared("INSERT INTO claim VALUES (1, 'stays', 1)")
        .await?;
    shelf::Entity::delete_by_id(1).exec(&db.audited()).await?;
    assert!(claim::Entity::find_by_id(1).one(&db.conn).await?.is_some());
    assert!(!lines(db).await?.iter().any(|line| line.contains("claim")));
    Ok(())
}

async fn children_of_a_skipped_parent_are_recorded(db: &TestDb) -> TestResult {
    create(db).await?;
    let config = AuditConfig::builder()
        .skip_entity::<shelf::Entity>()
        .build()?;
    shelf::Entity::delete_by_id(2)
        .exec(&db.audited().with_config(config))
        .await?;
    assert_eq!(
        lines(db).await?,
        [
            "DELETE box 20 CASCADE",
            "DELETE box 21 CASCADE",
            "DELETE item 200 CASCADE",
            "DELETE item 210 CASCADE",
        ]
    );
    Ok(())
}

async fn bulk_delete_takes_its_cascades_along(db: &TestDb) -> TestResult {
    create(db).await?;
    boxes::Entity::delete_many()
        .filter(boxes::Column::Id.is_in([10, 20, 99]))
        .exec(&db.audited())
        .await?;
    assert_eq!(
        lines(db).await?,
        [
            "DELETE box 10 STATEMENT",
            "DELETE box 20 STATEMENT",
            "DELETE item 100 CASCADE",
            "DELETE item 200 CASCADE",
        ]
    );
    Ok(())
}

async fn no_child_costs_nothing_more(db: &TestDb) -> TestResult {
    create(db).await?;
    let audited = db.audited();
    let (result, statements) = db
        .statements_of(item::Entity::delete_by_id(100).exec(&audited))
        .await;
    result?;
    let more = match db.backend() {
        // The catalogue query.
        sea_orm::DbBackend::Postgres => 1,
        // The read before the DELETE, and `LAST_INSERT_ID()`, which is read and restored.
        sea_orm::DbBackend::MySql => 3,
        // The read, and the catalogue query.
        _ => 2,
    };
    assert_eq!(statements.len(), 2 + more, "{statements:#?}");
    Ok(())
}
