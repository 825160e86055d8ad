//! What the web layers cost: requests per second of a handler that does nothing, bare and with both layers,
//! over real connections; and whether memory grows.
//!
//! The client writes one text and looks for the end of the answer. A real one does more, on the same cores, and
//! the layers' part would be smaller beside it.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use sea_orm::Database;
use sea_orm_audit::EventWriter;
use sea_orm_audit::migration::Migrator;
use sea_orm_audit::migration::MigratorTrait;
use sea_orm_audit::web::AuditLayer;
use sea_orm_audit::web::security::SecurityLayer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::BoxError;
use crate::statistics::{median, percentile};

const CONNECTIONS: usize = 64;
/// Requests of one connection in a round.
const REQUESTS: usize = 300;
/// What is sent through the layers to see whether memory grows.
const MANY: usize = 1_000_000;

/// What a browser sends, about.
const REQUEST: &[u8] = b"GET /products?page=2&sort=price HTTP/1.1\r\nhost: shop.example\r\n\
accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
accept-language: en-GB,en;q=0.5\r\naccept-encoding: gzip, deflate, br\r\n\
user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0\r\n\
cookie: id=dGhpcyBpcyBub3QgYSByZWFsIHNlc3Npb24\r\n\r\n";

/// The body of the answer, by which its end is known.
const ANSWER: &[u8] = b"that is all";

/// Measures, and returns what to print.
pub(crate) async fn measure(rounds: usize, many: bool) -> Result<String, BoxError> {
    let db = Database::connect("sqlite::memory:").await?;
    Migrator::up(&db, None).await?;
    let writer = EventWriter::start(db);
    writer.install();
    let router = || Router::new().route("/products", get(async || "that is all"));
    // In one call, as the documentation advises.
    let layers = (AuditLayer::new(), SecurityLayer::default());
    let bare = serve(router()).await?;
    let layered = serve(router().layer(layers)).await?;
    let (mut ratios, mut micros) = (Vec::new(), (Vec::new(), Vec::new()));
    // The first round is for the caches.
    for round in 0..=rounds {
        let mut rates = [0.0; 2];
        let order = if fastrand::bool() { [0, 1] } else { [1, 0] };
        for path in order {
            let address = [bare, layered][path];
            rates[path] = requests_per_second(address, REQUESTS).await?;
        }
        if round > 0 {
            ratios.push(rates[1] / rates[0]);
            micros.0.push(1e6 / rates[0]);
            micros.1.push(1e6 / rates[1]);
        }
    }
    let memory = if many {
        memory(layered).await?
    } else {
        String::new()
    };
    writer.shutdown().await;
    let (without, with) = (median(&micros.0), median(&micros.1));
    Ok(format!(
        "## Web layers\n\n{rounds} rounds of {CONNECTIONS} connections with {REQUESTS} requests each, client and \
         server on the same cores.\n\
         Requests per second with both layers, as a part of those without: {:.3} \
         ({:.3}–{:.3}, 10th–90th percentile).\n\
         One request: {without:.2} µs without, {with:.2} µs with them.\n{memory}",
        median(&ratios),
        percentile(&ratios, 0.1),
        percentile(&ratios, 0.9),
    ))
}

/// Serves on a port of its own until the process ends.
async fn serve(router: Router) -> Result<SocketAddr, BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Ok(address)
}

async fn requests_per_second(address: SocketAddr, each: usize) -> Result<f64, BoxError> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(TcpStream::connect(address).await?);
    }
    let began = Instant::now();
    let tasks: Vec<_> = (connections.into_iter())
        .map(|connection| tokio::spawn(send(connection, each)))
        .collect();
    for task in tasks {
        task.await??;
    }
    #[allow(clippy::cast_precision_loss)] // there are never that many
    Ok((CONNECTIONS * each) as f64 / began.elapsed().as_secs_f64())
}

async fn send(mut connection: TcpStream, times: usize) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut answer = [0; 2048];
    for _ in 0..times {
        connection.write_all(REQUEST).await?;
        let mut length = 0;
        while !answer[..length].ends_with(ANSWER) {
            let more = connection.read(&mut answer[length..]).await?;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            length += more;
        }
        if !answer.starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other("an answer was not 200"));
        }
    }
    Ok(())
}

/// What the process holds after a tenth of the requests, and after all.
async fn memory(address: SocketAddr) -> Result<String, BoxError> {
    let mut held = [0; 2];
    for (share, held) in [MANY / 10, MANY - MANY / 10].into_iter().zip(&mut held) {
        requests_per_second(address, share / CONNECTIONS).await?;
        *held = resident_kib()?;
    }
    let [early, late] = held;
    Ok(format!(
        "Resident memory of the process: {early} KiB after {} requests, {late} KiB after {MANY}.\n",
        MANY / 10
    ))
}

fn resident_kib() -> Result<u64, BoxError> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmRSS in /proc/self/status")?.parse()?)
}
