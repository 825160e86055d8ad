//! The tables of these tests. Most of their special features are not declared by the entities.

/// An entity with these columns, and its relations.
macro_rules! entity {
    ($module:ident, [$($attribute:tt)*], { $($fields:tt)* }, $($relation:tt)*) => {
        pub(crate) mod $module {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
            #[sea_orm($($attribute)*)]
            pub struct Model { $($fields)* }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation { $($relation)* }
        }
    };
}

// Only the table has the unique column and the default.
entity!(item, [table_name = "item"], {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub code: Option<String>,
    pub p: i32,
},);

// The table has its columns in another order: id, note, n, email.
entity!(acct, [table_name = "acct"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub n: i32,
    pub email: Option<String>,
    pub note: Option<String>,
},);

entity!(label, [table_name = "label"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub score: i32,
},);

entity!(account, [table_name = "account"], {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[sea_orm(unique)]
    pub email: Option<String>,
    pub n: i32,
},);

// Unique by a and b together.
entity!(slot, [table_name = "slot"], {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub a: i32,
    pub b: i32,
    pub n: i32,
},);

entity!(parent, [table_name = "parent"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub n: i32,
},);
entity!(child, [table_name = "child"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub parent_id: i32,
},
    #[sea_orm(belongs_to = "super::parent::Entity", from = "Column::ParentId", to = "super::parent::Column::Id", on_delete = "Cascade")]
    Parent,
);

// Its secrets appear in no record and nowhere else.
entity!(member, [table_name = "member"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub boss_id: Option<i64>,
    pub name: String,
    pub password: String,
    pub price: Option<Decimal>,
    pub data: Json,
},
    #[sea_orm(belongs_to = "Entity", from = "Column::BossId", to = "Column::Id", on_delete = "SetNull")]
    Boss,
);
entity!(badge, [table_name = "badge"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub member_id: i64,
    pub pin: String,
    pub label: String,
},
    #[sea_orm(belongs_to = "super::member::Entity", from = "Column::MemberId", to = "super::member::Column::Id", on_delete = "Cascade")]
    Member,
);

// Its `email` refers to an account's; only the table declares that.
entity!(follower, [table_name = "follower"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub email: Option<String>,
},);

// In a database that a SQLite connection attaches.
entity!(attached, [schema_name = "aside", table_name = "attached"], {
    #[sea_orm(primary_key)]
    pub id: i32,
    pub n: i32,
},);

// Keys of fixed width.
entity!(region, [table_name = "region"], {
    #[sea_orm(primary_key, auto_increment = false, column_type = "Char(Some(6))")]
    pub id: String,
    pub n: i32,
},);
entity!(city, [table_name = "city"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub region_id: String,
},
    #[sea_orm(belongs_to = "super::region::Entity", from = "Column::RegionId", to = "super::region::Column::Id", on_delete = "Cascade")]
    Region,
);

// Columns with values that the model's types cannot read.
entity!(odd, [table_name = "odd"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub n: i32,
    pub price: Option<Decimal>,
    pub day: Option<Date>,
    pub note: Option<String>,
},);
entity!(precise, [table_name = "precise"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub price: Option<Decimal>,
    pub doc: Option<Json>,
    pub day: Option<Date>,
    pub time: Option<Time>,
    pub moment: Option<DateTime>,
    pub note: Option<String>,
},);
entity!(precise_list, [table_name = "precise_list"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub docs: Option<Vec<Json>>,
    pub times: Option<Vec<Time>>,
    // The table has JSON there.
    pub doc: Option<String>,
},);
entity!(odd_skipped, [table_name = "odd_skipped"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    #[audit(skip)]
    pub n: i32,
    #[audit(skip)]
    pub price: Option<Decimal>,
    #[audit(skip)]
    pub day: Option<Date>,
    pub note: Option<String>,
},);
entity!(odd_parent, [table_name = "odd_parent"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub note: Option<String>,
},);
entity!(odd_child, [table_name = "odd_child"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub parent_id: i32,
    pub n: i32,
},
    #[sea_orm(belongs_to = "super::odd_parent::Entity", from = "Column::ParentId", to = "super::odd_parent::Column::Id", on_delete = "Cascade")]
    OddParent,
);
entity!(odd_key, [table_name = "odd_key"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub note: Option<String>,
},);
entity!(measure, [table_name = "measure"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub value: f32,
    pub n: i32,
},);

// Names of 46, 50 and 63 bytes.
entity!(long, [table_name = "long"], {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[sea_orm(column_name = "forty_six_bytes_that_a_prefix_makes_too_long_4")]
    pub a: i32,
    #[sea_orm(column_name = "fifty_bytes_that_a_shorter_prefix_makes_too_long_5")]
    pub b: i32,
    #[sea_orm(column_name = "sixty_three_bytes_that_are_all_that_the_server_allows_in_a_name")]
    pub c: i32,
},);

// One name in two schemas.
entity!(user, [table_name = "user"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub name: String,
},);
entity!(auth_user, [schema_name = "auth", table_name = "user"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub name: String,
    pub login: String,
    pub realm: String,
},);

// The referring table is in another schema.
entity!(shelf, [table_name = "shelf"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub n: i32,
},);
entity!(book, [schema_name = "far", table_name = "book"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub shelf_id: i32,
},
    #[sea_orm(belongs_to = "super::shelf::Entity", from = "Column::ShelfId", to = "super::shelf::Column::Id", on_delete = "Cascade")]
    Shelf,
);

// The foreign key of `hand` is set to NULL, and other rows refer to it.
entity!(crew, [table_name = "crew"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub n: i32,
},);
entity!(hand, [table_name = "hand"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub crew_id: Option<i32>,
},
    #[sea_orm(belongs_to = "super::crew::Entity", from = "Column::CrewId", to = "super::crew::Column::Id", on_delete = "SetNull")]
    Crew,
);

entity!(doc, [table_name = "doc"], {
    #[sea_orm(primary_key)]
    pub id: i32,
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Json,
    pub tags: Vec<i32>,
},);

entity!(amount, [table_name = "amount"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Decimal,
    pub n: i32,
},);
entity!(day, [table_name = "day"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Date,
    pub n: i32,
},);
entity!(word, [table_name = "word"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub n: i32,
},);
entity!(switch, [table_name = "switch"], {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub flag: bool,
},);

use sea_orm::DbBackend;

/// The definition of a numbered key.
pub(crate) fn auto_id(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "id INTEGER PRIMARY KEY AUTOINCREMENT",
        DbBackend::MySql => "id INT AUTO_INCREMENT PRIMARY KEY",
        _ => "id SERIAL PRIMARY KEY",
    }
}

pub(crate) fn item_table(backend: DbBackend) -> String {
    format!(
        "CREATE TABLE item ({}, code VARCHAR(40) UNIQUE, p INTEGER NOT NULL DEFAULT 7)",
        auto_id(backend)
    )
}

/// The table `item` with rows 1 to `rows`, whose `p` is the key.
pub(crate) fn items(backend: DbBackend, rows: usize) -> Vec<String> {
    let mut all = vec![item_table(backend)];
    let numbers: Vec<usize> = (1..=rows).collect();
    for chunk in numbers.chunks(1_000) {
        let values: Vec<_> = chunk.iter().map(|n| format!("('c{n}', {n})")).collect();
        all.push(format!(
            "INSERT INTO item (code, p) VALUES {}",
            values.join(", ")
        ));
    }
    all
}

/// Its columns are in another order than the entity's.
pub(crate) const ACCT: &str = "CREATE TABLE acct (id VARCHAR(20) PRIMARY KEY, note VARCHAR(20), \
     n INTEGER NOT NULL, email VARCHAR(20) UNIQUE)";

pub(crate) fn account_table(backend: DbBackend) -> String {
    format!(
        "CREATE TABLE account ({}, email VARCHAR(40) UNIQUE, n INTEGER NOT NULL)",
        auto_id(backend)
    )
}

pub(crate) fn slot_table(backend: DbBackend) -> String {
    format!(
        "CREATE TABLE slot ({}, a INTEGER NOT NULL, b INTEGER NOT NULL, n INTEGER NOT NULL, \
         UNIQUE (a, b))",
        auto_id(backend)
    )
}

pub(crate) const FAMILY: [&str; 2] = [
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
    "CREATE TABLE child (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, \
     FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE)",
];
