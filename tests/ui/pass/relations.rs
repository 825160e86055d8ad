//! `#[sea_orm::model]`, which copies derive and attributes to `ModelEx`.

mod author {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "author")]
    #[audit(display = "{name}", redact_by_default)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        #[audit(plain)]
        pub name: String,
        #[sea_orm(has_many)]
        pub posts: HasMany<super::post::Entity>,
    }
}

mod post {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "post")]
    #[audit(tenant = "author_id", behavior = "own")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[audit(redact)]
        pub title: String,
        pub author_id: i32,
        #[sea_orm(belongs_to, from = "author_id", to = "id")]
        pub author: BelongsTo<super::author::Entity>,
        #[sea_orm(has_many, via = "post_tag")]
        pub tags: HasMany<super::tag::Entity>,
    }

    #[sea_orm_audit::behavior]
    impl ActiveModelBehavior for ActiveModel {}
}

mod tag {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "tag")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub word: String,
        #[sea_orm(has_many, via = "post_tag")]
        pub posts: HasMany<super::post::Entity>,
    }
}

mod post_tag {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "post_tag")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub post_id: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub tag_id: i32,
        #[sea_orm(belongs_to, from = "post_id", to = "id")]
        pub post: BelongsTo<super::post::Entity>,
        #[sea_orm(belongs_to, from = "tag_id", to = "id")]
        pub tag: BelongsTo<super::tag::Entity>,
    }
}

fn main() {
    use sea_orm_audit::Auditable;
    let columns: Vec<_> = post::Entity::info().columns().collect();
    assert_eq!(columns, ["id", "title", "author_id"]);
    // Once each, not once more for `ModelEx`.
    assert_eq!(sea_orm_audit::value::audited_entities().count(), 4);
}
