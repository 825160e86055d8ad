//! A renamed dependency.

extern crate sea_orm_audit as trail;

pub mod deps {
    pub use sea_orm_audit as audit;
}

mod by_extern_crate {
    use sea_orm::entity::prelude::*;
    use trail::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "a")]
    #[audit(crate = "trail", behavior = "own")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    #[trail::behavior(crate = "trail")]
    impl ActiveModelBehavior for ActiveModel {}
}

mod by_re_export {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, crate::deps::audit::Auditable)]
    #[sea_orm(table_name = "b")]
    #[audit(name = "b", crate = "crate::deps::audit", behavior = "own")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    #[crate::deps::audit::behavior(crate = "crate::deps::audit")]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_delete<C: ConnectionTrait>(self, _: &C) -> Result<Self, DbErr> {
            Ok(self)
        }
    }
}

fn main() {
    use deps::audit::Auditable;
    use deps::audit::value::audited_entities;
    assert_eq!(by_extern_crate::Entity::info().model(), "a");
    assert_eq!(by_re_export::Entity::info().model(), "b");
    assert_eq!(audited_entities().count(), 2);
}
