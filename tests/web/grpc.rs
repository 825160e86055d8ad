//! tonic as a tower stack.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut};
use http::request::Parts;
use http::uri::PathAndQuery;
use sea_orm::{ActiveModelTrait, Set};
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::{Actor, AuditedConnection};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::server::TcpConnectInfo;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Status};
use tower::{Service, service_fn};

use crate::support::{Shop, TestResult, product};

/// Messages that are text, in place of a compiler for messages.
#[derive(Clone, Copy, Default)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, item: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(item.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        let text = String::from_utf8(bytes.to_vec());
        text.map(Some)
            .map_err(|error| Status::invalid_argument(error.to_string()))
    }
}

/// Adds products.
#[derive(Clone)]
struct Products(AuditedConnection);

impl tonic::server::NamedService for Products {
    const NAME: &'static str = "shop.Products";
}

async fn add(db: AuditedConnection, name: String) -> Result<tonic::Response<String>, Status> {
    if name.is_empty() {
        return Err(Status::invalid_argument("a product has a name"));
    }
    let new = product::ActiveModel {
        name: Set(name),
        ..Default::default()
    };
    let new = new.insert(&db).await;
    let new = new.map_err(|error| Status::internal(error.to_string()))?;
    if new.name == "ghost" {
        return Err(Status::internal("it is gone again"));
    }
    Ok(tonic::Response::new(new.id.to_string()))
}

impl Service<http::Request<Body>> for Products {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let db = self.0.clone();
        let unary =
            service_fn(move |name: tonic::Request<String>| add(db.clone(), name.into_inner()));
        Box::pin(async move { Ok(tonic::server::Grpc::new(Text).unary(unary, request).await) })
    }
}

fn by_key(parts: &Parts) -> Option<Actor> {
    let key = parts.headers.get("x-api-key")?.to_str().ok()?;
    Some(Actor::service(key))
}

fn peer(extensions: &http::Extensions) -> Option<SocketAddr> {
    extensions.get::<TcpConnectInfo>()?.remote_addr()
}

async fn client(shop: &Shop) -> TestResult<tonic::client::Grpc<Channel>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let layer = AuditLayer::new()
        .actor(by_key)
        .peer(peer)
        .events(shop.events.clone());
    let server = Server::builder()
        .layer(layer)
        .add_service(Products(AuditedConnection::new(shop.conn())))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    let channel = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(tonic::client::Grpc::new(channel.connect().await?))
}

async fn call(
    client: &mut tonic::client::Grpc<Channel>,
    name: &str,
    key: Option<&'static str>,
) -> TestResult<Result<tonic::Response<String>, Status>> {
    let mut request = tonic::Request::new(name.to_owned());
    if let Some(key) = key {
        let metadata = request.metadata_mut();
        metadata.insert("x-api-key", key.parse()?);
        metadata.insert("x-request-id", "r-17".parse()?);
    }
    client.ready().await?;
    let path = PathAndQuery::from_static("/shop.Products/Add");
    Ok(client.unary(request, path, Text).await)
}

#[tokio::test]
async fn call_of_tonic_has_its_id_its_address_and_its_actor() -> TestResult {
    let shop = Shop::open().await?;
    let mut client = client(&shop).await?;
    let answer = call(&mut client, "tea", Some("importer")).await??;
    assert_eq!(
        answer.metadata().get("x-request-id").ok_or("no id")?,
        "r-17"
    );
    assert_eq!(answer.into_inner(), "1");
    call(&mut client, "coffee", None).await??;
    let log = shop.log().await?;
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].actor_type, "SERVICE");
    assert_eq!(log[0].actor_id.as_deref(), Some("importer"));
    assert_eq!(log[0].request_id.as_deref(), Some("r-17"));
    assert_eq!(log[1].actor_type, "ANONYMOUS");
    assert!(log[1].request_id.is_some() && log[1].request_id != log[0].request_id);
    for record in &log {
        assert_eq!(record.ip_address.as_deref(), Some("127.0.0.1"));
        let agent = record.user_agent.as_deref().unwrap_or_default();
        assert!(agent.starts_with("tonic/"), "{agent}");
    }
    Ok(())
}

#[tokio::test]
async fn the_errors_of_tonic_reach_the_client_as_they_are() -> TestResult {
    let shop = Shop::open().await?;
    let mut client = client(&shop).await?;
    let refused = call(&mut client, "", None).await?;
    let refused = refused.err().ok_or("it was accepted")?;
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), "a product has a name");
    let failed = call(&mut client, "ghost", None).await?;
    let failed = failed.err().ok_or("it was accepted")?;
    assert_eq!(failed.code(), Code::Internal);
    // The earlier write is recorded, and the answer is no HTTP server error.
    assert_eq!(shop.log().await?.len(), 1);
    assert!(shop.events().await?.is_empty());
    Ok(())
}
