//! `DeriveEntityModel` and `Auditable`, nothing else.

mod post {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, EnumIter, DeriveActiveEnum)]
    #[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
    pub enum State {
        #[sea_orm(string_value = "draft")]
        Draft,
        #[sea_orm(string_value = "public")]
        Public,
    }

    #[derive(Clone, Debug, PartialEq, DeriveValueType)]
    pub struct Slug(pub String);

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "post")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub state: State,
        pub slug: Option<Slug>,
        pub extra: Json,
        pub tags: Vec<String>,
        pub at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

macro_rules! entity {
    ($module:ident, $table:literal, $field:ident: $ty:ty) => {
        mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel, sea_orm_audit::Auditable)]
            #[sea_orm(table_name = $table)]
            #[audit(only($field), module = "made")]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                pub $field: $ty,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}
        }
    };
}

entity!(made, "made_by_macro", title: Option<String>);

fn main() {
    use sea_orm_audit::Auditable;
    let info = post::Entity::info();
    assert_eq!(info.model(), "post");
    assert_eq!(info.table(), "post");
    assert_eq!(info.schema(), None);
    assert_eq!(info.module(), None);
    let columns: Vec<_> = info.columns().collect();
    assert_eq!(columns, ["id", "state", "slug", "extra", "tags", "at"]);
    assert_eq!(made::Entity::info().module(), Some("made"));
    let mut all: Vec<_> = sea_orm_audit::value::audited_entities()
        .map(sea_orm_audit::value::EntityInfo::model)
        .collect();
    all.sort_unstable();
    assert_eq!(all, ["made_by_macro", "post"]);
}
