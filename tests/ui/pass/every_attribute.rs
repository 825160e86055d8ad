//! Every key in one place.

mod patient {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "patient")]
    #[audit(name = "clinic.patient", module = "clinic", capture = "hook")]
    #[audit(
        display = "{{{name}}} (#{ id })",
        tenant = "clinic_id",
        only(id, name, clinic_id, email, token_count, ward),
        redact_by_default,
        skip_actions(Create, Delete),
        crate = "::sea_orm_audit"
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[audit(redact)]
        pub name: String,
        #[audit(plain)]
        pub clinic_id: i32,
        #[audit(hash)]
        pub email: String,
        #[audit(plain)]
        pub token_count: i32,
        pub ward: i32,
        #[audit(skip)]
        pub updated_at: DateTimeUtc,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// A field that `only` omits may still be the object's display or the tenant.
mod invoice {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "invoice")]
    #[audit(
        only(total),
        display = "{number} (#{id})",
        tenant = "org_id",
        redact_by_default
    )]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub number: String,
        pub org_id: i32,
        #[audit(plain)]
        pub total: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

mod session {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
    #[sea_orm(table_name = "session")]
    #[audit(skip)]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

fn main() {
    use sea_orm_audit::Auditable;
    let info = patient::Entity::info();
    assert_eq!(info.model(), "clinic.patient");
    assert_eq!(info.table(), "patient");
    assert_eq!(info.module(), Some("clinic"));
    assert_eq!(invoice::Entity::info().model(), "invoice");
    assert_eq!(session::Entity::info().model(), "session");
}
