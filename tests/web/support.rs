//! A database, a writer, requests and answers.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use futures::FutureExt;
use http::header::HOST;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use hyper::{client, server};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait, QueryOrder};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::entity::{audit_log, audit_system_event};
use sea_orm_audit::event::EventWriter;
use sea_orm_audit::test::TestDatabase;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

pub(crate) type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(crate) mod product {
    use sea_orm::entity::prelude::*;
    use sea_orm_audit::Auditable;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Auditable, serde::Serialize)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}
}

/// A database with the audit tables and products, and a writer of events.
pub(crate) struct Shop {
    pub(crate) db: TestDatabase,
    pub(crate) events: EventWriter,
}

impl Shop {
    pub(crate) async fn open() -> TestResult<Self> {
        let db = TestDatabase::new()
            .await?
            .with_table(product::Entity)
            .await?;
        let events = EventWriter::start(db.clone());
        Ok(Self { db, events })
    }

    pub(crate) fn conn(&self) -> DatabaseConnection {
        self.db.clone()
    }

    pub(crate) async fn log(&self) -> Result<Vec<audit_log::Model>, DbErr> {
        let records = audit_log::Entity::find().order_by_asc(audit_log::Column::Id);
        records.all(&*self.db).await
    }

    pub(crate) async fn only_record(&self) -> TestResult<audit_log::Model> {
        let mut log = self.log().await?;
        assert_eq!(log.len(), 1, "{log:?}");
        Ok(log.remove(0))
    }

    /// The events, after all that were submitted are written.
    pub(crate) async fn events(&self) -> Result<Vec<audit_system_event::Model>, DbErr> {
        self.events.flush().await;
        let events = audit_system_event::Entity::find();
        let events = events.order_by_asc(audit_system_event::Column::Id);
        events.all(&*self.db).await
    }
}

pub(crate) fn get(path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    request
}

pub(crate) trait With {
    fn with(self, name: &'static str, value: &[u8]) -> Self;
}

impl With for Request<Body> {
    fn with(mut self, name: &'static str, value: &[u8]) -> Self {
        let value = http::HeaderValue::from_bytes(value).unwrap();
        self.headers_mut().append(name, value);
        self
    }
}

/// Sends a request over a connection of its own to a loopback server with the test's configuration. The request has the
/// client address that the test sets; without one the server gives no address.
pub(crate) async fn send(
    router: &Router,
    mut request: Request<Body>,
) -> TestResult<Response<Body>> {
    let peer = request.extensions_mut().remove::<ConnectInfo<SocketAddr>>();
    let router = match peer {
        Some(peer) => router.clone().layer(Extension(peer)),
        None => router.clone(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    let service = TowerToHyperService::new(router);
    let serving =
        server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
    // Ends with an error if the client disconnects.
    tokio::spawn(AuditConfig::current().scope(serving).map(drop));
    let (mut sender, sending) = client::conn::http1::handshake(TokioIo::new(client)).await?;
    tokio::spawn(sending.map(drop));
    let host = HeaderValue::from_static("shop");
    request.headers_mut().entry(HOST).or_insert(host);
    Ok(sender.send_request(request).await?.map(Body::new))
}

/// Calls the router without a network, for tests that control polling or dropping: a server continues by itself.
pub(crate) async fn call(router: &Router, request: Request<Body>) -> TestResult<Response<Body>> {
    Ok(router.clone().oneshot(request).await?)
}

pub(crate) async fn text(response: Response<Body>) -> TestResult<String> {
    let body = response.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8(body.to_vec())?)
}

/// Serves a router on loopback, until the test ends.
pub(crate) async fn serve(router: Router) -> TestResult<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(address)
}

/// The result of a query once it is `Some`: for the work of a separate task.
pub(crate) async fn eventually<T>(
    question: impl AsyncFn() -> TestResult<Option<T>>,
) -> TestResult<T> {
    let answer = async {
        loop {
            if let Some(answer) = question().await? {
                return Ok(answer);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), answer).await?
}
