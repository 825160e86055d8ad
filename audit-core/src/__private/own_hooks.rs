//! Entities with a custom `impl ActiveModelBehavior`.

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait};

/// The hooks that a user wrote, as `#[sea_orm_audit::behavior]` moves them out of the impl.
#[diagnostic::on_unimplemented(
    message = "the entity's `impl ActiveModelBehavior` does not record anything",
    label = "says that the entity has an `impl ActiveModelBehavior` of its own",
    note = "put `#[sea_orm_audit::behavior]` on that impl, or remove both the impl and `behavior = \"own\"`"
)]
#[async_trait]
pub trait OwnBehavior: ActiveModelTrait {
    /// The user's `before_save`.
    async fn own_before_save<C>(self, _db: &C, _insert: bool) -> Result<Self, DbErr>
    where
        C: ConnectionTrait,
    {
        Ok(self)
    }

    /// The user's `after_save`.
    async fn own_after_save<C>(
        model: <Self::Entity as EntityTrait>::Model,
        _db: &C,
        _insert: bool,
    ) -> Result<<Self::Entity as EntityTrait>::Model, DbErr>
    where
        C: ConnectionTrait,
    {
        Ok(model)
    }

    /// The user's `before_delete`.
    async fn own_before_delete<C>(self, _db: &C) -> Result<Self, DbErr>
    where
        C: ConnectionTrait,
    {
        Ok(self)
    }

    /// The user's `after_delete`.
    async fn own_after_delete<C>(self, _db: &C) -> Result<Self, DbErr>
    where
        C: ConnectionTrait,
    {
        Ok(self)
    }
}

/// Fails to compile for an active model without a wrapped behaviour.
pub const fn assert_wrapped<A: OwnBehavior>() {}

/// The hooks of an entity with custom hooks: the user's hooks and the capture.
pub mod wrapped {
    use sea_orm::ConnectionTrait;

    use super::OwnBehavior;
    use crate::__private::{Auditable, Hook, ModelOf};
    use crate::capture;

    /// Before an insert or update: the user's hook first, as what it sets is to be recorded.
    pub fn before_save<'a, A, C>(model: A, db: &'a C, insert: bool) -> Hook<'a, A>
    where
        A: OwnBehavior + Send + Sync + 'a,
        A::Entity: Auditable,
        C: ConnectionTrait,
    {
        Box::pin(async move {
            let model = model.own_before_save(db, insert).await?;
            capture::before_save(model, db, insert).await
        })
    }

    /// After an insert or update: copies the saved values before the user's hook can alter them, and records them when
    /// the hook succeeds.
    pub fn after_save<'a, A, C>(model: ModelOf<A>, db: &'a C, insert: bool) -> Hook<'a, ModelOf<A>>
    where
        A: OwnBehavior + Send + Sync + 'a,
        A::Entity: Auditable,
        C: ConnectionTrait,
    {
        Box::pin(async move {
            let captured = capture::saved::<A, C>(&model, db, insert);
            let model = A::own_after_save(model, db, insert).await?;
            captured.record(db).await?;
            Ok(model)
        })
    }

    /// Before a delete: the user's hook first.
    pub fn before_delete<'a, A, C>(model: A, db: &'a C) -> Hook<'a, A>
    where
        A: OwnBehavior + Send + Sync + 'a,
        A::Entity: Auditable,
        C: ConnectionTrait,
    {
        Box::pin(async move {
            let model = model.own_before_delete(db).await?;
            capture::before_delete(model, db).await
        })
    }

    /// After a delete: recorded when the user's hook succeeds.
    pub fn after_delete<'a, A, C>(model: A, db: &'a C) -> Hook<'a, A>
    where
        A: OwnBehavior + Send + Sync + 'a,
        A::Entity: Auditable,
        C: ConnectionTrait,
    {
        Box::pin(async move {
            let captured = capture::deleted(&model, db).await;
            let model = model.own_after_delete(db).await?;
            captured.record(db).await?;
            Ok(model)
        })
    }
}
