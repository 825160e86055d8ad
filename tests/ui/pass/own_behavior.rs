//! Entities with an `impl ActiveModelBehavior` of their own, in all possible forms.

/// An entity around an impl.
macro_rules! entity {
    ($module:ident { $($behavior:tt)* }) => {
        mod $module {
            use sea_orm::entity::prelude::*;
            use sea_orm_audit::Auditable;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Auditable)]
            #[sea_orm(table_name = "post")]
            #[audit(behavior = "own")]
            pub struct Model {
                #[sea_orm(primary_key)]
                pub id: i32,
                pub title: String,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            $($behavior)*
        }
    };
}

entity!(no_hooks {
    #[sea_orm_audit::behavior]
    impl ActiveModelBehavior for ActiveModel {}
});

entity!(no_hooks_below_async_trait {
    #[async_trait::async_trait]
    #[sea_orm_audit::behavior]
    impl ActiveModelBehavior for ActiveModel {}
});

entity!(only_new {
    use sea_orm::Set;

    #[sea_orm_audit::behavior]
    impl ActiveModelBehavior for ActiveModel {
        fn new() -> Self {
            Self { title: Set("untitled".to_owned()), ..ActiveModelTrait::default() }
        }
    }
});

entity!(above_async_trait {
    #[sea_orm_audit::behavior]
    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C>(self, _db: &C, _insert: bool) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            Ok(self)
        }
    }
});

entity!(below_async_trait {
    use sea_orm::Set;

    #[async_trait::async_trait]
    #[sea_orm_audit::behavior]
    impl ActiveModelBehavior for ActiveModel {
        fn new() -> Self {
            Self { title: Set("untitled".to_owned()), ..ActiveModelTrait::default() }
        }

        async fn before_save<C>(mut self, _db: &C, insert: bool) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            if insert {
                self.title = Set("inserted".to_owned());
            }
            Ok(self)
        }

        async fn after_save<C>(model: Model, _db: &C, _insert: bool) -> Result<Model, DbErr>
        where
            C: ConnectionTrait,
        {
            Ok(model)
        }
    }
});

entity!(async_trait_imported {
    use sea_orm::prelude::async_trait::async_trait;

    #[sea_orm_audit::behavior]
    #[async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn after_delete<C: ConnectionTrait>(self, _db: &C) -> Result<Self, DbErr> {
            Ok(self)
        }
    }
});

entity!(all_hooks {
    use sea_orm::{IntoActiveModel, Set};

    async fn count<D: ConnectionTrait>(db: &D) -> Result<u64, DbErr> {
        use sea_orm::PaginatorTrait;
        Entity::find().count(db).await
    }

    /// Documentation on the impl.
    #[sea_orm_audit::behavior]
    #[allow(clippy::needless_return)]
    impl ActiveModelBehavior for ActiveModel {
        fn new() -> Self {
            ActiveModelTrait::default()
        }

        /// Documentation on a hook.
        async fn before_save<Conn>(mut self, db: &Conn, insert: bool) -> Result<Self, DbErr>
        where
            Conn: ConnectionTrait,
        {
            if insert && count(db).await? > 3 {
                return Err(DbErr::Custom("too many".into()));
            }
            let Some(title) = self.title.try_as_ref() else {
                return Ok(self);
            };
            let trimmed = Self { title: Set(title.trim().to_owned()), ..Self::new() };
            self.title = trimmed.title;
            Ok(self)
        }

        #[allow(unused_mut)]
        async fn after_save<T: ConnectionTrait>(
            mut model: <Self::Entity as EntityTrait>::Model,
            _: &T,
            _insert: bool,
        ) -> Result<<Self::Entity as EntityTrait>::Model, DbErr> {
            let same = || -> Result<_, DbErr> { Ok(model.clone()) };
            return Ok(same()?);
        }

        async fn before_delete<C>(self, db: &C) -> Result<Self, DbErr>
        where
            C: ConnectionTrait,
        {
            <Self::Entity as EntityTrait>::find().one(db).await?;
            Ok(self)
        }

        async fn after_delete<C>(self, db: &C) -> Result<ActiveModel, DbErr>
        where
            C: ConnectionTrait,
        {
            match Entity::find().one(db).await? {
                Some(model) => Ok(model.into_active_model()),
                None => Ok(self),
            }
        }
    }
});

entity!(a_subset {
    #[sea_orm_audit::behavior]
    impl sea_orm::ActiveModelBehavior for super::a_subset::ActiveModel {
        async fn after_save<C: ConnectionTrait>(
            model: Model,
            _db: &C,
            _insert: bool,
        ) -> Result<Model, DbErr> {
            Ok(model)
        }

        async fn before_delete<C: ConnectionTrait>(self, _db: &C) -> Result<Self, DbErr> {
            Ok(self)
        }

        #[cfg(any())]
        async fn after_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
            not_compiled(db)
        }
    }
});

entity!(by_configuration {
    #[sea_orm_audit::behavior]
    #[cfg(any())]
    impl ActiveModelBehavior for ActiveModel {}

    #[sea_orm_audit::behavior]
    #[cfg(not(any()))]
    impl ActiveModelBehavior for ActiveModel {}
});

// A hook that writes the same entity runs recursively.
entity!(recursion {
    use sea_orm::{IntoActiveModel, Set};

    #[sea_orm_audit::behavior]
    impl ActiveModelBehavior for ActiveModel {
        async fn after_save<C>(model: Model, db: &C, _insert: bool) -> Result<Model, DbErr>
        where
            C: ConnectionTrait,
        {
            if model.title.is_empty() {
                let mut again = model.into_active_model();
                again.title = Set("untitled".to_owned());
                return again.update(db).await;
            }
            Ok(model)
        }
    }
});

fn main() {
    use sea_orm::ActiveModelBehavior;
    assert_eq!(only_new::ActiveModel::new().title.unwrap(), "untitled");
    assert_eq!(
        below_async_trait::ActiveModel::new().title.unwrap(),
        "untitled"
    );
    let hook = below_async_trait::ActiveModel::new();
    let db = sea_orm::MockDatabase::new(sea_orm::DbBackend::Sqlite).into_connection();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let hooked = runtime.block_on(hook.before_save(&db, true)).unwrap();
    assert_eq!(hooked.title.unwrap(), "inserted");
}
