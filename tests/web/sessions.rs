//! Sessions without axum-login.

use axum::Router;
use axum::body::Body;
use axum::routing::get as on_get;
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use sea_orm::{ActiveModelTrait, Set};
use sea_orm_audit::AuditedConnection;
use sea_orm_audit::web::{AuditLayer, AuditSessionLayer};
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use crate::support::{Shop, TestResult, get, product, send};

#[tokio::test]
async fn change_has_a_digest_of_the_key_of_its_session() -> TestResult {
    let shop = Shop::open().await?;
    let db = AuditedConnection::new(shop.conn());
    let handler = async move |session: Session| {
        let seen: u32 = session.get("seen").await.unwrap().unwrap_or_default();
        session.insert("seen", seen + 1).await.unwrap();
        let new = product::ActiveModel {
            name: Set("tea".into()),
            ..Default::default()
        };
        new.insert(&db).await.unwrap();
        StatusCode::OK
    };
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    let router = Router::new()
        .route("/", on_get(handler))
        .layer(AuditSessionLayer)
        .layer(sessions)
        .layer(AuditLayer::new());
    let begun = send(&router, get("/")).await?;
    let cookie = begun.headers()[SET_COOKIE].to_str()?;
    let cookie = cookie.split(';').next().ok_or("no cookie")?.to_owned();
    let again = || -> TestResult<Request<Body>> {
        let mut request = get("/");
        request.headers_mut().insert(COOKIE, cookie.parse()?);
        Ok(request)
    };
    send(&router, again()?).await?;
    send(&router, again()?).await?;
    let log = shop.log().await?;
    assert_eq!(
        log[0].session_key, None,
        "it was begun by the request itself"
    );
    let key = log[1].session_key.as_deref().ok_or("no key")?;
    assert!(key.starts_with("sha256:"), "{key}");
    let id = cookie.split('=').nth(1).ok_or("no id")?;
    assert!(
        !format!("{log:?}").contains(id),
        "the key itself is nowhere"
    );
    assert_eq!(log[2].session_key, log[1].session_key);
    Ok(())
}
