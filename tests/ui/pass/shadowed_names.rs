//! The expansion uses no name of the user's scope but `Entity`, `Column` and `ActiveModel`.

// SeaORM's own derives need the prelude, so the entity is in another module.
mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "shadowed")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
        pub body: String,
        pub password: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod own {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "own")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod bare_entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bare")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

macro_rules! shadows {
    () => {
        pub struct Option;
        pub struct Some;
        pub struct None;
        pub struct Result;
        pub struct Ok;
        pub struct Err;
        pub struct String;
        pub struct Vec;
        pub struct Box;
        pub struct Pin;
        pub struct Future;
        pub struct Send;
        pub struct Sync;
        pub struct Default;
        pub struct DbErr;
        pub struct ConnectionTrait;
        pub struct EntityTrait;
        pub struct ActiveModelTrait;
        pub struct ActiveModelBehavior;
        pub struct OwnBehavior;
        pub struct EntityInfo;
        pub struct Options;
        pub struct Field;
        pub struct C;
        pub mod std {}
        pub mod core {}
        pub mod alloc {}
        pub mod inventory {}
        pub mod sea_orm {}
        pub mod sea_orm_audit {}
    };
}

#[allow(dead_code)]
mod derived {
    use crate::entity::{ActiveModel, Column, Entity};

    shadows!();

    #[derive(::sea_orm_audit::Auditable)]
    #[audit(
        name = "a",
        module = "b",
        display = "{title} {id}",
        tenant = "title",
        only(id, title),
        skip_actions(Create)
    )]
    pub struct Model {
        id: i32,
        title: (),
        #[audit(redact)]
        body: (),
        #[audit(plain)]
        password: (),
    }
}

#[allow(dead_code)]
mod wrapped {
    use crate::own::{ActiveModel, Column, Entity};

    shadows!();

    #[derive(::sea_orm_audit::Auditable)]
    #[audit(behavior = "own", display = "{id}")]
    pub struct Model {
        id: i32,
    }

    #[::sea_orm_audit::behavior]
    impl ::sea_orm::ActiveModelBehavior for ActiveModel {
        fn new() -> Self {
            <Self as ::sea_orm::ActiveModelTrait>::default()
        }
    }
}

/// No prelude at all.
#[no_implicit_prelude]
mod bare {
    use crate::bare_entity::{ActiveModel, Column, Entity};

    #[::core::prelude::v1::derive(::sea_orm_audit::Auditable)]
    #[audit(display = "{id}", tenant = "id")]
    pub struct Model {
        #[audit(redact)]
        pub title: (),
        pub id: i32,
    }
}

fn main() {
    use sea_orm_audit::Auditable;
    assert_eq!(entity::Entity::info().model(), "a");
    assert_eq!(own::Entity::info().model(), "own");
    assert_eq!(bare_entity::Entity::info().model(), "bare");
}
