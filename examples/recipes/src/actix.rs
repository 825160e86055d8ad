use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::USER_AGENT;
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, error, web};
use sea_orm::{ActiveModelTrait, Set};
use sea_orm_audit::value::clean_text;
use sea_orm_audit::{Actor, AuditContext, AuditedConnection};
use uuid::Uuid;

use crate::product;

/// `App::new().wrap(from_fn(audit_context))`: what is wrapped last is the outermost.
pub async fn audit_context(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut context = AuditContext::new()
        .actor(Actor::anonymous())
        .request_id(Uuid::now_v7().to_string());
    // Not `realip_remote_addr`: clients can write the headers that it reads.
    if let Some(peer) = request.peer_addr() {
        context = context.ip_address(peer.ip());
    }
    if let Some(agent) = request.headers().get(USER_AGENT) {
        context = context.user_agent(clean_text(agent.as_bytes(), 512));
    }
    context.scope(next.call(request)).await
}

pub async fn add(
    db: web::Data<AuditedConnection>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    AuditContext::set_actor(Actor::user(7).named("Ann")); // as soon as the user is known
    let tea = product::ActiveModel {
        name: Set(name.into_inner()),
        price: Set(300),
        ..Default::default()
    };
    let added = tea.insert(&**db).await;
    added.map_err(error::ErrorInternalServerError)?;
    Ok(HttpResponse::Created().finish())
}

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use sea_orm_audit::Action;
    use sea_orm_audit::test::{Log, TestDatabase};

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    #[actix_web::test]
    async fn record_has_actor_and_request() -> TestResult {
        let db = TestDatabase::new().await?;
        let db = db.with_table(product::Entity).await?;
        let db = AuditedConnection::new((*db).clone());
        let app = App::new()
            .app_data(web::Data::new(db.clone()))
            .route("/products/{name}", web::post().to(add))
            .wrap(from_fn(audit_context));
        let app = init_service(app).await;
        let request = TestRequest::post()
            .uri("/products/Tea")
            .peer_addr("192.0.2.7:4000".parse()?)
            .insert_header((USER_AGENT, "curl/8"))
            .insert_header(("x-forwarded-for", "198.51.100.1"));
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), 201);

        let log = Log::read(&db).await?;
        log.only(Action::Create, "product", 1).by(7);
        let record = &log.records()[0];
        assert_eq!(record.ip_address.as_deref(), Some("192.0.2.7"));
        assert_eq!(record.user_agent.as_deref(), Some("curl/8"));
        assert!(record.request_id.is_some());
        Ok(())
    }

    #[actix_web::test]
    async fn actor_of_one_request_is_not_that_of_the_next() -> TestResult {
        let db = TestDatabase::new().await?;
        let db = db.with_table(product::Entity).await?;
        let db = AuditedConnection::new((*db).clone());
        let anonymous = async |db: web::Data<AuditedConnection>| {
            let added = product::new("Coffee", 600).insert(&**db).await;
            added
                .map(|_| HttpResponse::Created())
                .map_err(error::ErrorInternalServerError)
        };
        let app = App::new()
            .app_data(web::Data::new(db.clone()))
            .route("/products/{name}", web::post().to(add))
            .route("/anonymous", web::post().to(anonymous))
            .wrap(from_fn(audit_context));
        let app = init_service(app).await;
        for path in ["/products/Tea", "/anonymous"] {
            let request = TestRequest::post().uri(path).to_request();
            assert_eq!(call_service(&app, request).await.status(), 201);
        }
        let log = Log::read(&db).await?;
        log.has(Action::Create, "product", 1).by(7);
        assert_eq!(log.records()[1].actor_type, "ANONYMOUS");
        assert_ne!(log.records()[0].request_id, log.records()[1].request_id);
        Ok(())
    }
}
