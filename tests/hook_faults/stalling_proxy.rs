//! A TCP proxy on the loopback that holds a chosen request, or its answer, until it is released.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

/// Whether the request or the answer is held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Request,
    Answer,
}

struct State {
    /// The next request with this text is held.
    armed: Mutex<Option<(&'static str, Hold)>>,
    held: watch::Sender<Option<Hold>>,
    /// Something is held.
    stalled: Notify,
}

pub(crate) struct StallingProxy {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

impl StallingProxy {
    /// Listens, and forwards to a server.
    pub(crate) async fn to(server: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            armed: Mutex::default(),
            held: watch::Sender::new(None),
            stalled: Notify::new(),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else {
                    return;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(requests(from_client, to_server, Arc::clone(&shared)));
                tokio::spawn(answers(from_server, to_client, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state })
    }

    /// Holds the next request that has this text, or its answer.
    pub(crate) fn arm(&self, text: &'static str, hold: Hold) {
        *self.state.armed.lock().unwrap() = Some((text, hold));
    }

    /// Waits until the proxy holds it.
    pub(crate) async fn stalled(&self) {
        self.state.stalled.notified().await;
    }

    pub(crate) fn let_go(&self) {
        self.state.held.send_replace(None);
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let request = &buffer[..length];
        let hold = {
            let mut armed = state.armed.lock().unwrap();
            let has = |text: &str| request.windows(text.len()).any(|it| it == text.as_bytes());
            armed.take_if(|(text, _)| has(text)).map(|(_, hold)| hold)
        };
        if let Some(hold) = hold {
            state.held.send_replace(Some(hold));
            if hold == Hold::Request {
                state.stalled.notify_one();
                let mut held = state.held.subscribe();
                let _ = held.wait_for(Option::is_none).await;
            }
        }
        if to.write_all(request).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: Arc<State>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut held = state.held.subscribe();
        if *held.borrow() == Some(Hold::Answer) {
            state.stalled.notify_one();
            let _ = held.wait_for(Option::is_none).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
