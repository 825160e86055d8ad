//! The clients: what they send is what Firefox sends when a link is followed.

use std::net::SocketAddr;

use axum::http::{HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::BoxError;

const TARGET: &str = "/products?page=2&sort=price";

const HEADERS: [(&str, &str); 14] = [
    ("host", "shop.example"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://shop.example/"),
    ("connection", "keep-alive"),
    ("cookie", "id=dGhpcyBpcyBub3QgYSByZWFsIHNlc3Npb24"),
    ("upgrade-insecure-requests", "1"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-user", "?1"),
    ("priority", "u=0, i"),
];

/// The body of the answer, by which its end is known.
pub(super) const ANSWER: &str = "that is all";

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Client {
    /// hyper's, which `reqwest` and most others are built on.
    Hyper,
    /// One that does as little as can be.
    Text,
}

/// A connection that is open.
pub(super) enum Connection {
    Hyper(SendRequest<Empty<Bytes>>),
    Text(TcpStream),
}

impl Client {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hyper => "hyper's client",
            Self::Text => "a client that only writes text",
        }
    }

    pub(super) async fn connect(self, address: SocketAddr) -> Result<Connection, BoxError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(match self {
            Self::Text => Connection::Text(stream),
            Self::Hyper => {
                let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                // Ends with the sender.
                tokio::spawn(connection);
                Connection::Hyper(sender)
            }
        })
    }
}

impl Connection {
    /// Sends the request so many times, each after the answer to the one before.
    pub(super) async fn send(self, times: usize) -> Result<(), BoxError> {
        match self {
            Self::Hyper(sender) => send_by_hyper(sender, times).await,
            Self::Text(stream) => send_text(stream, times).await,
        }
    }
}

async fn send_by_hyper(
    mut sender: SendRequest<Empty<Bytes>>,
    times: usize,
) -> Result<(), BoxError> {
    for _ in 0..times {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = TARGET.parse()?;
        for (name, value) in HEADERS {
            let (name, value) = (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            request.headers_mut().insert(name, value);
        }
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK || body != ANSWER {
            return Err(format!("an answer was not as expected: {status} {body:?}").into());
        }
    }
    Ok(())
}

async fn send_text(mut stream: TcpStream, times: usize) -> Result<(), BoxError> {
    let headers = HEADERS.map(|(name, value)| format!("{name}: {value}\r\n"));
    let request = format!("GET {TARGET} HTTP/1.1\r\n{}\r\n", headers.concat());
    let mut answer = [0; 2048];
    for _ in 0..times {
        stream.write_all(request.as_bytes()).await?;
        let mut length = 0;
        while !answer[..length].ends_with(ANSWER.as_bytes()) {
            let more = stream.read(&mut answer[length..]).await?;
            if more == 0 {
                return Err("a connection was closed too early".into());
            }
            length += more;
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err("an answer was not 200".into());
        }
    }
    Ok(())
}
