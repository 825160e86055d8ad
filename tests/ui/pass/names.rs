//! Fields whose columns and variants have other names.

mod keywords {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "keywords", schema_name = "shop")]
    #[audit(
        display = "{type} {self_}",
        tenant = "where",
        only(id, r#type, self_, r#where, fn_name)
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub r#type: String,
        pub r#where: String,
        pub self_: i32,
        pub fn_name: i32,
        pub r#loop: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod renamed {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "renamed", rename_all = "camelCase")]
    #[audit(display = "{first_name}{last_name}{nickName}{_private}")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub first_name: String,
        #[sea_orm(column_name = "SURNAME")]
        pub last_name: String,
        #[sea_orm(enum_name = "Alias")]
        #[audit(skip)]
        pub other_name: String,
        #[sea_orm(enum_name = "Nick", column_name = "nick")]
        #[allow(non_snake_case)]
        pub nickName: String,
        pub _private: String,
        pub address2_line: String,
        #[sea_orm(ignore)]
        pub computed: Vec<i32>,
        #[sea_orm(
            column_type = "Text",
            nullable,
            default_value = "x",
            comment = "text, of a kind"
        )]
        #[audit(redact)]
        pub text: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    // The variants are SeaORM's.
    pub const VARIANTS: [Column; 3] = [Column::Alias, Column::Nick, Column::Address2Line];
}

fn main() {
    use sea_orm::Iden;
    use sea_orm_audit::Auditable;
    let info = keywords::Entity::info();
    assert_eq!(
        (info.model(), info.schema()),
        ("shop.keywords", Some("shop"))
    );
    let columns: Vec<_> = info.columns().collect();
    assert_eq!(columns, ["id", "type", "where", "self", "fn_name", "loop"]);

    let columns: Vec<_> = renamed::Entity::info().columns().collect();
    let expected = [
        "id",
        "firstName",
        "SURNAME",
        "otherName",
        "nick",
        "private",
        "address2Line",
        "text",
    ];
    assert_eq!(columns, expected);
    assert_eq!(
        renamed::VARIANTS.map(|column| column.to_string()),
        ["otherName", "nick", "address2Line",]
    );
}
