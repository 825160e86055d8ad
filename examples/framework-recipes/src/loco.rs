use std::path::Path;

use axum::Router;
use axum::extract::Path as Segment;
use axum::http::StatusCode;
use axum::routing::post;
use loco_rs::Result;
use loco_rs::app::{AppContext, Hooks};
use loco_rs::bgworker::Queue;
use loco_rs::boot::{BootResult, StartMode, create_app};
use loco_rs::config::Config;
use loco_rs::controller::{AppRoutes, Routes};
use loco_rs::db;
use loco_rs::environment::Environment;
use loco_rs::prelude::SharedStore;
use loco_rs::task::Tasks;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, Set};
use sea_orm_audit::web::{Audit, AuditLayer};
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};
use sea_orm_migration::prelude::*;

use crate::product;

pub struct App;

#[async_trait::async_trait]
impl Hooks for App {
    async fn after_context(ctx: AppContext) -> Result<AppContext> {
        ctx.shared_store
            .insert(AuditedConnection::new(ctx.db.clone()));
        Ok(ctx)
    }

    async fn after_routes(router: Router, _: &AppContext) -> Result<Router> {
        Ok(router.layer(AuditLayer::new())) // outside of loco's own middleware
    }

    async fn seed(ctx: &AppContext, base: &Path) -> Result<()> {
        let rows = tokio::fs::read(base.join("products.yaml")).await?;
        let rows: Vec<product::Model> = serde_yaml_ng::from_slice(&rows)?;
        let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
        let db = AuditedConnection::new(ctx.db.clone());
        AuditContext::new()
            .actor(Actor::service("seed"))
            .scope(product::Entity::insert_many(rows).exec(&db))
            .await?;
        db::reset_autoincrement(ctx.db.get_database_backend(), "product", &ctx.db).await
    }

    fn app_name() -> &'static str {
        env!("CARGO_CRATE_NAME")
    }

    async fn boot(
        mode: StartMode,
        environment: &Environment,
        config: Config,
    ) -> Result<BootResult> {
        create_app::<Self, Migrator>(mode, environment, config).await
    }

    fn routes(_: &AppContext) -> AppRoutes {
        AppRoutes::empty().add_route(Routes::new().add("/products/{name}", post(add)))
    }

    async fn connect_workers(_: &AppContext, _: &Queue) -> Result<()> {
        Ok(())
    }

    fn register_tasks(_: &mut Tasks) {}

    async fn truncate(ctx: &AppContext) -> Result<()> {
        Ok(db::truncate_table(&ctx.db, product::Entity).await?)
    }
}

async fn add(
    SharedStore(db): SharedStore<AuditedConnection>,
    audit: Audit,
    Segment(name): Segment<String>,
) -> Result<StatusCode> {
    audit.set_actor(Actor::user(7).named("Ann")); // as soon as the user is known
    let tea = product::ActiveModel {
        name: Set(name),
        price: Set(300),
        ..Default::default()
    };
    tea.insert(&db).await?;
    Ok(StatusCode::CREATED)
}

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = sea_orm_audit::migration::migrations();
        migrations.push(Box::new(CreateProduct));
        migrations
    }
}

#[derive(DeriveMigrationName)]
pub struct CreateProduct;

#[async_trait::async_trait]
impl MigrationTrait for CreateProduct {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let schema = sea_orm::Schema::new(manager.get_database_backend());
        let table = schema.create_table_from_entity(product::Entity);
        manager.create_table(table).await
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use loco_rs::boot::{RunDbCommand, run_db};
    use sea_orm_audit::Action;
    use sea_orm_audit::test::Log;
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;

    type TestResult = std::result::Result<(), Box<dyn std::error::Error>>;

    async fn booted() -> Result<BootResult> {
        let config = serde_json::from_value(json!({
            "logger": { "enable": false, "level": "off", "format": "compact" },
            "server": { "port": 5150, "host": "http://localhost" },
            "database": {
                "uri": "sqlite::memory:", "auto_migrate": true, "enable_logging": false,
                "min_connections": 1, "max_connections": 1,
                "connect_timeout": 500, "idle_timeout": 500,
            },
            "workers": { "mode": "ForegroundBlocking" },
        }))?;
        App::boot(StartMode::ServerOnly, &Environment::Test, config).await
    }

    #[tokio::test]
    async fn request_is_recorded_with_its_actor() -> TestResult {
        let boot = booted().await?;
        let router = boot.router.ok_or("no router")?;
        let request = Request::post("/products/Tea").body(Body::empty())?;
        let response = router.oneshot(request).await?;
        assert_eq!(response.status(), StatusCode::CREATED);
        let log = Log::read(&boot.app_context.db).await?;
        log.only(Action::Create, "product", 1).by(7);
        let id = response.headers()["x-request-id"].to_str()?;
        assert_eq!(log.records()[0].request_id.as_deref(), Some(id));
        Ok(())
    }

    #[tokio::test]
    async fn seed_is_recorded_and_loco_functions_are_not() -> TestResult {
        let ctx = booted().await?.app_context;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("products.yaml");
        std::fs::write(&file, "- { id: 1, name: Tea, price: 300 }\n")?;
        let seed = RunDbCommand::Seed {
            reset: false,
            from: folder.path().to_owned(),
            dump: false,
            dump_tables: None,
        };
        run_db::<App, Migrator>(&ctx, seed).await?;
        Log::read(&ctx.db)
            .await?
            .only(Action::Create, "product", 1)
            .by("seed");

        Log::clear(&ctx.db).await?;
        run_db::<App, Migrator>(&ctx, RunDbCommand::Truncate).await?;
        db::seed::<product::ActiveModel>(&ctx.db, &file.to_string_lossy()).await?;
        Log::read(&ctx.db).await?.none();
        Ok(())
    }
}
