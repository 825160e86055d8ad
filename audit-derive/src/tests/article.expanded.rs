#[automatically_derived]
impl ::sea_orm_audit::__private::Auditable for Entity {
    fn info() -> &'static ::sea_orm_audit::__private::EntityInfo {
        static INFO: ::sea_orm_audit::__private::OnceLock<
            ::sea_orm_audit::__private::EntityInfo,
        > = ::sea_orm_audit::__private::OnceLock::new();
        INFO.get_or_init(|| ::sea_orm_audit::__private::EntityInfo::of::<
            Entity,
        >(
            &::sea_orm_audit::__private::Options {
                module: ::sea_orm_audit::__private::Some("blog"),
                display: &[
                    ::sea_orm_audit::__private::Segment::Column(Column::Title),
                    ::sea_orm_audit::__private::Segment::Text(" (#"),
                    ::sea_orm_audit::__private::Segment::Column(Column::Id),
                    ::sea_orm_audit::__private::Segment::Text(")"),
                ],
                tenant: ::sea_orm_audit::__private::Some(Column::OrgId),
                skip_actions: ::sea_orm_audit::__private::ChangeActions {
                    create: false,
                    update: false,
                    delete: true,
                },
                fields: &[
                    ::sea_orm_audit::__private::Field {
                        column: Column::Note,
                        name: "note",
                        policy: ::sea_orm_audit::__private::FieldPolicy::Redact,
                        was: ::sea_orm_audit::__private::None,
                    },
                    ::sea_orm_audit::__private::Field {
                        column: Column::TokenCount,
                        name: "token_count",
                        policy: ::sea_orm_audit::__private::FieldPolicy::Plain,
                        was: ::sea_orm_audit::__private::None,
                    },
                    ::sea_orm_audit::__private::Field {
                        column: Column::PublishedOn,
                        name: "published_on",
                        policy: ::sea_orm_audit::__private::FieldPolicy::Detect,
                        was: ::sea_orm_audit::__private::None,
                    },
                    ::sea_orm_audit::__private::Field {
                        column: Column::UpdatedAt,
                        name: "updated_at",
                        policy: ::sea_orm_audit::__private::FieldPolicy::Skip,
                        was: ::sea_orm_audit::__private::None,
                    },
                ],
                ..::sea_orm_audit::__private::Options::NONE
            },
        ))
    }
}
::sea_orm_audit::__private::inventory::submit! {
    ::sea_orm_audit::__private::Registration(< Entity as
    ::sea_orm_audit::__private::Auditable > ::info)
}
#[automatically_derived]
impl ::sea_orm_audit::__private::ActiveModelBehavior for ActiveModel {
    fn before_save<'life0, 'async_trait, C>(
        self,
        db: &'life0 C,
        insert: bool,
    ) -> ::sea_orm_audit::__private::Hook<'async_trait, Self>
    where
        'life0: 'async_trait,
        C: ::sea_orm_audit::__private::ConnectionTrait + 'async_trait,
        Self: 'async_trait,
    {
        ::sea_orm_audit::__private::derived::before_save(self, db, insert)
    }
    fn after_save<'life0, 'async_trait, C>(
        model: ::sea_orm_audit::__private::ModelOf<Self>,
        db: &'life0 C,
        insert: bool,
    ) -> ::sea_orm_audit::__private::Hook<
        'async_trait,
        ::sea_orm_audit::__private::ModelOf<Self>,
    >
    where
        'life0: 'async_trait,
        C: ::sea_orm_audit::__private::ConnectionTrait + 'async_trait,
        Self: 'async_trait,
    {
        ::sea_orm_audit::__private::derived::after_save::<Self, C>(model, db, insert)
    }
    fn before_delete<'life0, 'async_trait, C>(
        self,
        db: &'life0 C,
    ) -> ::sea_orm_audit::__private::Hook<'async_trait, Self>
    where
        'life0: 'async_trait,
        C: ::sea_orm_audit::__private::ConnectionTrait + 'async_trait,
        Self: 'async_trait,
    {
        ::sea_orm_audit::__private::derived::before_delete(self, db)
    }
    fn after_delete<'life0, 'async_trait, C>(
        self,
        db: &'life0 C,
    ) -> ::sea_orm_audit::__private::Hook<'async_trait, Self>
    where
        'life0: 'async_trait,
        C: ::sea_orm_audit::__private::ConnectionTrait + 'async_trait,
        Self: 'async_trait,
    {
        ::sea_orm_audit::__private::derived::after_delete(self, db)
    }
}
