use std::sync::LazyLock;

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter,
};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};
use seaography::async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, ResolverContext, Schema, SchemaError, TypeRef,
};
use seaography::async_graphql::{Error, Request, Response, Value};
use seaography::{
    Builder, BuilderContext, EntityCreateBatchMutationBuilder, EntityCreateOneMutationBuilder,
    EntityDeleteMutationBuilder, EntityInputBuilder, EntityObjectBuilder,
    EntityUpdateMutationBuilder, FilterInputBuilder, GuardAction, OperationType,
    get_filter_conditions, guard_error, prepare_active_model,
};

use crate::product;

/// For [`schema`], which keeps it for as long as the program runs.
pub static CONTEXT: LazyLock<BuilderContext> = LazyLock::new(BuilderContext::default);

/// The handler of a GraphQL request. Inside of an `AuditLayer`, `Audit::set_actor` sets the actor, too.
pub async fn execute(schema: &Schema, request: Request, user: Actor) -> Response {
    AuditContext::new()
        .actor(user)
        .scope(schema.execute(request))
        .await
}

pub fn schema(
    context: &'static BuilderContext,
    db: &AuditedConnection,
) -> Result<Schema, SchemaError> {
    let mut builder = Builder::new(context, db.unaudited().clone());
    seaography::register_entity!(builder, product, mutation: false);
    register_mutations::<product::Entity, product::ActiveModel>(&mut builder);
    builder
        .schema_builder()
        .data(db.unaudited().clone()) // for seaography, which takes no other connection
        .data(db.clone()) // for updates and deletions
        .finish()
}

/// In place of seaography's `Builder::register_entity_mutations`.
fn register_mutations<E, A>(builder: &mut Builder)
where
    E: EntityTrait<Model: IntoActiveModel<A> + Sync>,
    A: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send + 'static,
{
    let context = builder.context;
    let input = EntityInputBuilder { context };
    let output = EntityObjectBuilder { context }.to_basic_object::<E>();
    builder.outputs.push(output);
    builder.inputs.extend([
        input.insert_input_object::<E>(),
        input.update_input_object::<E>(),
    ]);
    builder.mutations.extend([
        EntityCreateOneMutationBuilder { context }.to_field::<E, A>(),
        EntityCreateBatchMutationBuilder { context }.to_field::<E, A>(),
        update::<E, A>(context),
        delete::<E>(context),
    ]);
}

/// As seaography's own field, but on the audited connection.
fn delete<E: EntityTrait>(context: &'static BuilderContext) -> Field {
    let name = EntityDeleteMutationBuilder { context }.type_name::<E>();
    let field = Field::new(name, TypeRef::named_nn(TypeRef::INT), move |ctx| {
        FieldFuture::new(async move {
            let filter = permitted::<E>(context, &ctx, OperationType::Delete)?;
            let db = ctx.data::<AuditedConnection>()?;
            let deleted = E::delete_many().filter(filter).exec(db).await?;
            Ok(Some(Value::from(deleted.rows_affected)))
        })
    });
    field.argument(filter_argument::<E>(context))
}

/// As seaography's own field, but on the audited connection.
fn update<E, A>(context: &'static BuilderContext) -> Field
where
    E: EntityTrait<Model: IntoActiveModel<A> + Sync>,
    A: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
{
    let (input, object) = (
        EntityInputBuilder { context },
        EntityObjectBuilder { context },
    );
    let name = EntityUpdateMutationBuilder { context }.type_name::<E>();
    let data = TypeRef::named_nn(input.update_type_name::<E>());
    let rows = TypeRef::named_nn_list_nn(object.basic_type_name::<E>());
    let field = Field::new(name, rows, move |ctx| {
        FieldFuture::new(async move {
            let (input, object) = (
                EntityInputBuilder { context },
                EntityObjectBuilder { context },
            );
            let filter = permitted::<E>(context, &ctx, OperationType::Update)?;
            let data = ctx.args.try_get("data")?;
            let data = data.object()?;
            let entity = object.type_name::<E>();
            for (field, _) in data.iter() {
                let guard = &context.hooks;
                if let GuardAction::Block(reason) =
                    guard.field_guard(&ctx, &entity, field, OperationType::Update)
                {
                    return Err(guard_error(reason, "Field guard triggered."));
                }
            }
            let values = prepare_active_model::<E, A>(&input, &object, &data)?;
            let db = ctx.data::<AuditedConnection>()?;
            let update = E::update_many().set(values).filter(filter);
            let rows = update.exec_with_returning(db).await?; // not on MariaDB and MySQL
            Ok(Some(FieldValue::list(
                rows.into_iter().map(FieldValue::owned_any),
            )))
        })
    });
    field
        .argument(InputValue::new("data", data))
        .argument(filter_argument::<E>(context))
}

/// The rows that the request names, and that the guard and the filter of the schema permit.
fn permitted<E: EntityTrait>(
    context: &'static BuilderContext,
    ctx: &ResolverContext<'_>,
    operation: OperationType,
) -> Result<Condition, Error> {
    let entity = EntityObjectBuilder { context }.type_name::<E>();
    if let GuardAction::Block(reason) = context.hooks.entity_guard(ctx, &entity, operation) {
        return Err(guard_error(reason, "Entity guard triggered."));
    }
    let filter = get_filter_conditions::<E>(context, ctx.args.get("filter"))?;
    let permitted = context.hooks.entity_filter(ctx, &entity, operation);
    Ok(Condition::all().add(filter).add_option(permitted))
}

fn filter_argument<E: EntityTrait>(context: &'static BuilderContext) -> InputValue {
    let entity = EntityObjectBuilder { context }.type_name::<E>();
    let filter = FilterInputBuilder { context }.type_name(&entity);
    InputValue::new("filter", TypeRef::named(filter))
}

#[cfg(test)]
mod tests {
    use sea_orm::DatabaseConnection;
    use sea_orm_audit::Action;
    use sea_orm_audit::query::Source;
    use sea_orm_audit::test::{Log, TestDatabase};
    use seaography::{LifecycleHooks, LifecycleHooksInterface};

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    /// All four mutations as seaography registers them.
    fn plain_schema(db: &DatabaseConnection) -> Result<Schema, SchemaError> {
        let mut builder = Builder::new(&CONTEXT, db.clone());
        seaography::register_entity!(builder, product);
        builder.schema_builder().data(db.clone()).finish()
    }

    async fn mutate(schema: &Schema, mutation: &str) -> Response {
        let request = Request::new(format!("mutation {{ {mutation} }}"));
        execute(schema, request, Actor::user(7)).await
    }

    const CREATE: &str = r#"productCreateOne(data: { name: "Tea", price: 300 }) { id }"#;
    const BATCH: &str = r#"productCreateBatch(data: [{ name: "Cup", price: 9 }]) { id }"#;
    const UPDATE: &str =
        "productUpdate(data: { price: 320 }, filter: { id: { eq: 1 } }) { id price }";
    const DELETE: &str = "productDelete(filter: { id: { eq: 1 } })";

    #[tokio::test]
    async fn audited_mutations_are_recorded() -> TestResult {
        let db = TestDatabase::new().await?;
        let db = db.with_table(product::Entity).await?;
        let schema = schema(&CONTEXT, &AuditedConnection::new((*db).clone()))?;
        for mutation in [CREATE, BATCH, UPDATE, DELETE] {
            assert_eq!(mutate(&schema, mutation).await.errors, []);
        }
        let log = Log::read(&*db).await?;
        assert_eq!(log.records().len(), 4, "{log:?}");
        log.has(Action::Create, "product", 1).by(7);
        log.has(Action::Create, "product", 2).by(7);
        log.has(Action::Update, "product", 1)
            .by(7)
            .changed("price", 300, 320);
        log.has(Action::Delete, "product", 1).by(7);
        Ok(())
    }

    #[tokio::test]
    async fn plain_mutations_leave_no_old_values_and_no_deletion() -> TestResult {
        let db = TestDatabase::new().await?;
        let db = db.with_table(product::Entity).await?;
        let schema = plain_schema(&db)?;
        for mutation in [CREATE, BATCH, UPDATE, DELETE] {
            assert_eq!(mutate(&schema, mutation).await.errors, []);
        }
        let log = Log::read(&*db).await?;
        log.has(Action::Create, "product", 1).by(7);
        log.has(Action::Create, "product", 2).by(7);
        let update = log.has(Action::Update, "product", 1).by(7);
        let changes = update.model().changes.clone().unwrap_or_default();
        for (field, new) in [("name", "Tea".into()), ("price", 320.into())] {
            let expected: serde_json::Value = new;
            assert_eq!(changes[field]["new"], expected);
            assert_eq!(changes[field]["old_unknown"], true);
        }
        assert_eq!(log.records().len(), 3, "{log:?}");
        for record in log.records() {
            assert_eq!(record.source, Source::Hook.as_str());
        }
        Ok(())
    }

    struct Guards;

    impl LifecycleHooksInterface for Guards {
        fn entity_guard(
            &self,
            _: &ResolverContext<'_>,
            _: &str,
            operation: OperationType,
        ) -> GuardAction {
            match operation {
                OperationType::Delete => GuardAction::Block(None),
                _ => GuardAction::Allow,
            }
        }

        fn field_guard(
            &self,
            _: &ResolverContext<'_>,
            _: &str,
            field: &str,
            operation: OperationType,
        ) -> GuardAction {
            match (field, operation) {
                ("price", OperationType::Update) => GuardAction::Block(None),
                _ => GuardAction::Allow,
            }
        }
    }

    static GUARDED: LazyLock<BuilderContext> = LazyLock::new(|| BuilderContext {
        hooks: LifecycleHooks::new(Guards),
        ..BuilderContext::default()
    });

    #[tokio::test]
    async fn guards_of_the_schema_apply_to_audited_mutations() -> TestResult {
        let db = TestDatabase::new().await?;
        let db = db.with_table(product::Entity).await?;
        let schema = schema(&GUARDED, &AuditedConnection::new((*db).clone()))?;
        assert_eq!(mutate(&schema, CREATE).await.errors, []);
        assert_eq!(mutate(&schema, UPDATE).await.errors.len(), 1);
        assert_eq!(mutate(&schema, DELETE).await.errors.len(), 1);
        let _ = Log::read(&*db).await?.only(Action::Create, "product", 1);
        Ok(())
    }
}
