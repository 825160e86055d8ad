//! An application that forbids all lints that can be forbidden.
#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    unused
)]
#![deny(
    rust_2018_idioms,
    future_incompatible,
    let_underscore,
    non_local_definitions
)]
#![deny(
    unused_qualifications,
    unused_lifetimes,
    single_use_lifetimes,
    trivial_casts
)]

/// An entity without hooks of its own.
pub mod post {
    use sea_orm_audit::Auditable;

    #[allow(missing_docs, unused_qualifications, unreachable_pub)]
    mod entity {
        use sea_orm::entity::prelude::*;

        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "post")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
            pub title: String,
        }

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}
    }

    use entity::{ActiveModel, Column, Entity as Rows};

    /// The entity's name in the expansion.
    type Entity = Rows;

    /// SeaORM's derives violate these lints, so `Auditable` is separate.
    #[derive(Debug, Auditable)]
    #[audit(display = "{title}", only(id, title), tenant = "id")]
    pub struct Model {
        /// The key.
        pub id: i32,
        /// The title.
        #[audit(plain)]
        pub title: String,
    }

    /// The model's name in the log.
    #[must_use]
    pub fn name() -> &'static str {
        Entity::info().model()
    }
}

/// An entity with hooks of its own.
pub mod note {
    use sea_orm::{ActiveModelBehavior, ConnectionTrait, DbErr};
    use sea_orm_audit::Auditable;

    #[allow(missing_docs, unused_qualifications, unreachable_pub)]
    mod entity {
        use sea_orm::entity::prelude::*;

        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
        #[sea_orm(table_name = "note")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i32,
        }

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub enum Relation {}
    }

    use entity::{ActiveModel, Column, Entity};

    /// As above.
    #[derive(Debug, Auditable)]
    #[audit(behavior = "own", display = "{id}")]
    pub struct Model {
        /// The key.
        pub id: i32,
    }

    #[sea_orm_audit::behavior]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C>(self, _db: &C, _insert: bool) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            Ok(self)
        }
    }

    /// The model's name in the log.
    #[must_use]
    pub fn name() -> &'static str {
        Entity::info().model()
    }
}

fn main() {
    assert_eq!((post::name(), note::name()), ("post", "note"));
}
