//! Primary keys of every kind.

use sea_orm::prelude::*;
use sea_orm::{ActiveModelTrait, IntoActiveModel, Set};

use crate::support::{TestDb, TestResult};

on_every_database! {
    composite_key_is_a_json_array,
    string_key_is_itself,
    uuid_key_is_its_text,
    enum_key_is_its_stored_word,
    newtype_key_is_what_it_wraps,
    binary_key_is_hexadecimal,
    very_long_key_is_shortened_but_stays_unique,
    names_that_are_not_the_fields_are_those_of_the_database,
    another_spelling_of_a_key_is_the_stored_one_in_the_record,
}

macro_rules! entity {
    ($name:ident { $($body:tt)* }) => {
        mod $name {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;
            #[allow(unused_imports)]
            use super::{Colour, Number};

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            $($body)*

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(10))")]
pub enum Colour {
    #[sea_orm(string_value = "red")]
    Red,
    #[sea_orm(string_value = "blue")]
    Blue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, DeriveValueType)]
pub struct Number(pub i64);

entity!(seat {
    #[sea_orm(table_name = "seat")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hall: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i32,
        pub taken: bool,
    }
});
entity!(word {
    #[sea_orm(table_name = "word")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "String(StringLen::N(700))")]
        pub word: String,
        pub meaning: String,
    }
});
entity!(device {
    #[sea_orm(table_name = "device")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub label: String,
    }
});
entity!(shade {
    #[sea_orm(table_name = "shade")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub colour: Colour,
        pub depth: i32,
    }
});
entity!(ticket {
    #[sea_orm(table_name = "ticket")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Number,
        pub next: Option<Number>,
    }
});
entity!(blob {
    #[sea_orm(table_name = "blob")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(16))")]
        pub digest: Vec<u8>,
        pub size: i32,
    }
});
entity!(renamed {
    #[sea_orm(table_name = "Order Line")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(column_name = "Type \"of\" line")]
        pub r#type: String,
        pub r#match: Option<String>,
    }
});

async fn composite_key_is_a_json_array(db: &TestDb) -> TestResult {
    db.create(seat::Entity).await?;
    let seat = seat::ActiveModel {
        hall: Set("a \"b\"".into()),
        number: Set(7),
        taken: Set(false),
    }
    .insert(&db.conn)
    .await?;
    let mut edit = seat.into_active_model();
    edit.taken = Set(true);
    edit.update(&db.conn).await?.delete(&db.conn).await?;
    assert_eq!(
        db.log().await?,
        [
            r#"CREATE seat ["a \"b\"",7] {"hall":{"new":"a \"b\""},"number":{"new":7},"taken":{"new":false}}"#,
            r#"UPDATE seat ["a \"b\"",7] {"taken":{"new":true,"old":false}}"#,
            r#"DELETE seat ["a \"b\"",7] {"hall":{"old":"a \"b\""},"number":{"old":7},"taken":{"old":true}}"#,
        ]
    );
    Ok(())
}

/// Inserts, edits and deletes a row, and returns the object ids of the three records.
async fn ids<A>(db: &TestDb, new: A, edit: impl FnOnce(&mut A)) -> TestResult<Vec<String>>
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    A::Entity: EntityTrait<ActiveModel = A>,
{
    db.create(A::Entity::default()).await?;
    let mut row = new.insert(&db.conn).await?.into_active_model();
    edit(&mut row);
    let row = row.update(&db.conn).await?.into_active_model();
    row.delete(&db.conn).await?;
    let records = db.records().await?;
    let actions: Vec<_> = records.iter().map(|r| r.action.as_str()).collect();
    assert_eq!(actions, ["CREATE", "UPDATE", "DELETE"]);
    Ok(records.into_iter().filter_map(|r| r.object_id).collect())
}

async fn string_key_is_itself(db: &TestDb) -> TestResult {
    let new = word::ActiveModel {
        word: Set("naïve 🦀".into()),
        meaning: Set("a".into()),
    };
    let ids = ids(db, new, |row| row.meaning = Set("b".into())).await?;
    assert_eq!(ids, ["naïve 🦀"; 3]);
    Ok(())
}

async fn uuid_key_is_its_text(db: &TestDb) -> TestResult {
    let new = device::ActiveModel {
        id: Set("018F0000-ABCD-7000-8000-00000000000A".parse()?),
        label: Set("a".into()),
    };
    let ids = ids(db, new, |row| row.label = Set("b".into())).await?;
    assert_eq!(ids, ["018f0000-abcd-7000-8000-00000000000a"; 3]);
    Ok(())
}

async fn enum_key_is_its_stored_word(db: &TestDb) -> TestResult {
    let new = shade::ActiveModel {
        colour: Set(Colour::Blue),
        depth: Set(1),
    };
    let ids = ids(db, new, |row| row.depth = Set(2)).await?;
    assert_eq!(ids, ["blue"; 3]);
    Ok(())
}

async fn newtype_key_is_what_it_wraps(db: &TestDb) -> TestResult {
    let new = ticket::ActiveModel {
        id: Set(Number(i64::MAX)),
        next: Set(None),
    };
    let ids = ids(db, new, |row| row.next = Set(Some(Number(i64::MIN)))).await?;
    assert_eq!(ids, ["9223372036854775807"; 3]);
    let changes = db.records().await?.swap_remove(1).changes.unwrap();
    assert_eq!(changes["next"]["new"], "-9223372036854775808");
    Ok(())
}

async fn binary_key_is_hexadecimal(db: &TestDb) -> TestResult {
    let new = blob::ActiveModel {
        digest: Set(vec![0, 0xCA, 0xFE]),
        size: Set(1),
    };
    let ids = ids(db, new, |row| row.size = Set(2)).await?;
    assert_eq!(ids, ["00cafe"; 3]);
    Ok(())
}

async fn very_long_key_is_shortened_but_stays_unique(db: &TestDb) -> TestResult {
    db.create(word::Entity).await?;
    for end in ["a", "b"] {
        let word = format!("{}{end}", "x".repeat(699));
        let new = word::ActiveModel {
            word: Set(word),
            meaning: Set("long".into()),
        };
        new.insert(&db.conn).await?;
    }
    let ids: Vec<_> = (db.records().await?.into_iter())
        .filter_map(|r| r.object_id)
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert!(
        ids.iter()
            .all(|id| id.len() == 600 && id.contains("~sha256:"))
    );
    Ok(())
}

async fn names_that_are_not_the_fields_are_those_of_the_database(db: &TestDb) -> TestResult {
    let new = renamed::ActiveModel {
        r#type: Set("a".into()),
        r#match: Set(None),
        ..Default::default()
    };
    ids(db, new, |row| row.r#match = Set(Some("b".into()))).await?;
    let log = db.log().await?;
    assert_eq!(
        log[1],
        r#"UPDATE Order Line 1 {"match":{"new":"b","old":null}}"#
    );
    assert!(
        log[0].contains(r#""Type \"of\" line":{"new":"a"}"#),
        "{}",
        log[0]
    );
    Ok(())
}

/// Keys that the database compares case-insensitively.
async fn another_spelling_of_a_key_is_the_stored_one_in_the_record(db: &TestDb) -> TestResult {
    use sea_orm::{ConnectionTrait, DbBackend, TransactionTrait};
    let collation = match db.backend() {
        DbBackend::Sqlite => "VARCHAR(50) COLLATE NOCASE",
        DbBackend::MySql => "VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
        _ => {
            db.execute_unprepared(
                "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
            )
            .await?;
            "VARCHAR(50) COLLATE nocase"
        }
    };
    db.execute_unprepared(&format!(
        "CREATE TABLE word (word {collation} PRIMARY KEY, meaning VARCHAR(50) NOT NULL)"
    ))
    .await?;
    let word = |word: &str, meaning: &str| word::ActiveModel {
        word: Set(word.to_owned()),
        meaning: Set(meaning.to_owned()),
    };
    word("abc", "a").insert(&db.conn).await?;
    db.forget().await?;
    word("ABC", "a").update(&db.conn).await?;
    let nothing = word::ActiveModel {
        word: Set("Abc".into()),
        ..Default::default()
    };
    nothing.update(&db.conn).await?;
    assert_eq!(db.log().await?, [""; 0]);
    let tx = db.begin().await?;
    word("aBC", "b").update(&tx).await?;
    word("ABc", "b").delete(&tx).await?;
    tx.commit().await?;
    let seen: Vec<_> = (db.records().await?.into_iter())
        .map(|r| (r.action, r.object_id.unwrap()))
        .collect();
    let expected = |action: &str| (action.to_owned(), "abc".to_owned());
    assert_eq!(seen, [expected("UPDATE"), expected("DELETE")]);
    Ok(())
}
