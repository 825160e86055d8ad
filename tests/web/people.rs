//! Ann, who signs in with a name and a password, and a router for her requests.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, Path};
use axum::routing::get as on_get;
use axum_login::{AuthManagerLayerBuilder, AuthUser, AuthnBackend};
use http::header::{COOKIE, SET_COOKIE};
use http::{Request, StatusCode};
use sea_orm::{DatabaseConnection, EntityTrait, QueryOrder};
use sea_orm_audit::Actor;
use sea_orm_audit::entity::audit_login_attempt;
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::web::login::{AuditAuthLayer, AuditLogin, AuditedBackend};
use tower_sessions::session::{Id, Record};
use tower_sessions::{MemoryStore, SessionManagerLayer, SessionStore, session_store};

use crate::support::{Shop, TestResult, get, send};

#[derive(Clone, Debug)]
pub(crate) struct User(pub(crate) i32);

impl AuthUser for User {
    type Id = i32;

    fn id(&self) -> i32 {
        self.0
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"hash"
    }
}

/// Knows Ann, whose password is `right`, and another person whose name is ANN, and whose password is `mine`.
#[derive(Clone, Debug)]
pub(crate) struct Backend;

impl AuthnBackend for Backend {
    type User = User;
    type Credentials = (String, String);
    type Error = std::convert::Infallible;

    async fn authenticate(
        &self,
        (name, password): (String, String),
    ) -> Result<Option<User>, Self::Error> {
        Ok(match (name.as_str(), password.as_str()) {
            ("Ann", "right") => Some(User(7)),
            ("ANN", "mine") => Some(User(8)),
            _ => None,
        })
    }

    async fn get_user(&self, id: &i32) -> Result<Option<User>, Self::Error> {
        Ok([7, 8].contains(id).then_some(User(*id)))
    }
}

impl AuditLogin for Backend {
    fn username((name, _): &(String, String)) -> String {
        name.clone()
    }

    fn actor(user: &User) -> Actor {
        Actor::user(user.0).named("Ann")
    }

    async fn account(&self, name: &str) -> Option<Actor> {
        // Simulates an asynchronous lookup.
        tokio::task::yield_now().await;
        assert_ne!(name, "Anonymous", "no client may ask for that name");
        match name {
            "Ann" => Some(Self::actor(&User(7))),
            "ANN" => Some(Self::actor(&User(8))),
            _ => None,
        }
    }
}

pub(crate) type Auth = AuditedBackend<Backend, DatabaseConnection>;
type Session = axum_login::AuthSession<Auth>;

/// A store that yields to other tasks before and after each operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store(MemoryStore);

async fn others() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

#[async_trait::async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        others().await;
        self.0.create(record).await?;
        others().await;
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        others().await;
        self.0.save(record).await?;
        others().await;
        Ok(())
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        others().await;
        let record = self.0.load(id).await;
        others().await;
        record
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        others().await;
        self.0.delete(id).await?;
        others().await;
        Ok(())
    }
}

pub(crate) const KEY: &str = "axum-login.data";

async fn sign_in(mut auth: Session, Path((name, password)): Path<(String, String)>) -> StatusCode {
    match auth.authenticate((name, password)).await {
        Ok(Some(user)) => match auth.login(&user).await {
            Ok(()) => StatusCode::OK,
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
        },
        Ok(None) => StatusCode::UNAUTHORIZED,
        Err(_) => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// Only verifies the password.
async fn confirm(auth: Session, Path((name, password)): Path<(String, String)>) -> StatusCode {
    match auth.authenticate((name, password)).await {
        Ok(Some(_)) => StatusCode::OK,
        _ => StatusCode::UNAUTHORIZED,
    }
}

/// The second factor: another request verified the password.
async fn second(mut auth: Session) -> StatusCode {
    match auth.login(&User(7)).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn sign_out(mut auth: Session, Path(then): Path<String>) -> StatusCode {
    if then == "forgotten" {
        // The session layer saves nothing after an error.
        let removed = auth.session.remove_value(KEY).await;
        assert!(removed.is_ok());
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    assert!(auth.logout().await.is_ok());
    match &*then {
        "fails" => StatusCode::INTERNAL_SERVER_ERROR,
        "panics" => panic!("after the logout"),
        _ => StatusCode::NO_CONTENT,
    }
}

async fn who(auth: Session) -> StatusCode {
    match auth.user {
        Some(_) => StatusCode::OK,
        None => StatusCode::UNAUTHORIZED,
    }
}

/// A router with the layers in their order. `keys` are the data keys of axum-login and of the log.
pub(crate) fn router(shop: &Shop, backend: Auth, keys: [&'static str; 2]) -> Router {
    router_with(shop, backend, keys, |router| router)
}

/// The same, with further layers inside.
pub(crate) fn router_with(
    shop: &Shop,
    backend: Auth,
    keys: [&'static str; 2],
    further: impl FnOnce(Router) -> Router,
) -> Router {
    let sessions = SessionManagerLayer::new(Store::default()).with_secure(false);
    let auth = AuthManagerLayerBuilder::new(backend, sessions)
        .with_data_key(keys[0])
        .build();
    let routes = Router::new()
        .route("/in/{name}/{password}", on_get(sign_in))
        .route("/confirm/{name}/{password}", on_get(confirm))
        .route("/second", on_get(second))
        .route("/out/{then}", on_get(sign_out))
        .route("/who", on_get(who));
    further(routes)
        .layer(AuditAuthLayer::<Auth, _>::new(shop.conn()).data_key(keys[1]))
        .layer(auth)
        .layer(AuditLayer::new().events(shop.events.clone()))
}

pub(crate) fn backend(shop: &Shop) -> Auth {
    AuditedBackend::new(Backend, shop.conn())
}

/// A request in Ann's session.
pub(crate) fn with_cookie(path: &str, cookie: &str) -> TestResult<Request<axum::body::Body>> {
    let mut request = get(path);
    request.headers_mut().insert(COOKIE, cookie.parse()?);
    Ok(request)
}

/// Signs Ann in. Returns her cookie.
pub(crate) async fn cookie(router: &Router) -> TestResult<String> {
    let mut request = get("/in/Ann/right");
    let from = SocketAddr::from(([127, 0, 0, 1], 50_000));
    request.extensions_mut().insert(ConnectInfo(from));
    let response = send(router, request).await?;
    assert_eq!(response.status(), StatusCode::OK);
    let cookie = response.headers().get(SET_COOKIE).ok_or("no cookie")?;
    let cookie = cookie.to_str()?.split(';').next();
    Ok(cookie.ok_or("an empty cookie")?.to_owned())
}

pub(crate) async fn status(router: &Router, path: &str, cookie: &str) -> TestResult<StatusCode> {
    Ok(send(router, with_cookie(path, cookie)?).await?.status())
}

pub(crate) async fn is_signed_in(router: &Router, cookie: &str) -> TestResult<bool> {
    Ok(status(router, "/who", cookie).await? == StatusCode::OK)
}

/// The recorded actions.
pub(crate) async fn actions(shop: &Shop) -> TestResult<Vec<String>> {
    let log = shop.log().await?;
    Ok(log.into_iter().map(|record| record.action).collect())
}

pub(crate) async fn attempts(shop: &Shop) -> TestResult<Vec<audit_login_attempt::Model>> {
    let attempts = audit_login_attempt::Entity::find();
    let attempts = attempts.order_by_asc(audit_login_attempt::Column::Id);
    Ok(attempts.all(&*shop.db).await?)
}

/// Polls a request this many times, and drops it.
pub(crate) async fn go_away_after(
    polls: usize,
    router: &Router,
    request: Request<axum::body::Body>,
) {
    use tower::ServiceExt;
    let mut answer = Box::pin(router.clone().oneshot(request));
    for _ in 0..polls {
        if futures::poll!(answer.as_mut()).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}
