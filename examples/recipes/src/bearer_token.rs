//! The actor, from the bearer token of a request.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sea_orm_audit::Actor;
use sea_orm_audit::web::Audit;

/// `Router::layer(axum::middleware::from_fn(authenticate))`, inside of the `AuditLayer`.
pub async fn authenticate(
    audit: Audit,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let bearer = request.headers().get(header::AUTHORIZATION);
    let token = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let claims = token.and_then(verify).ok_or(StatusCode::UNAUTHORIZED)?;
    audit.set_actor(Actor::user(claims.subject).named(claims.name));
    Ok(next.run(request).await)
}

pub struct Claims {
    pub subject: i32,
    pub name: String,
}

/// In place of the library that verifies the signature of the token.
fn verify(token: &str) -> Option<Claims> {
    let (subject, name) = token.split_once(':')?;
    Some(Claims {
        subject: subject.parse().ok()?,
        name: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::State;
    use axum::middleware::from_fn;
    use axum::{Router, routing::post};
    use sea_orm::{ActiveModelTrait, DatabaseConnection};
    use sea_orm_audit::Action;
    use sea_orm_audit::test::{Log, TestDatabase};
    use sea_orm_audit::web::AuditLayer;
    use tower::ServiceExt;

    use super::*;
    use crate::product;

    async fn add(State(db): State<DatabaseConnection>) -> StatusCode {
        match product::new("Tea", 300).insert(&db).await {
            Ok(_) => StatusCode::CREATED,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    #[tokio::test]
    async fn the_token_names_the_actor() -> Result<(), Box<dyn std::error::Error>> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let app = Router::new()
            .route("/products", post(add))
            .with_state((*db).clone())
            .layer(from_fn(authenticate))
            .layer(AuditLayer::new());
        let request = |token| {
            let request = Request::post("/products").header(header::AUTHORIZATION, token);
            request.body(Body::empty())
        };
        let refused = app.clone().oneshot(request("Basic x")?).await?;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        let added = app.oneshot(request("Bearer 7:Ann")?).await?;
        assert_eq!(added.status(), StatusCode::CREATED);
        Log::read(&*db)
            .await?
            .only(Action::Create, "product", 1)
            .by(7);
        Ok(())
    }
}
