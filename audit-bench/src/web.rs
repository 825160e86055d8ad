//! What the web layers cost: requests per second of a handler that does nothing, bare and with both layers,
//! over real connections; the same without the id in the answer, and with a layer that does nothing; and whether
//! memory grows.
//!
//! Twice: with a client as programs have it, hyper's, and with one that only writes a text and looks for the end of the
//! answer, beside which the layers' part is as large as it can be.

mod client;

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
use tokio::net::TcpListener;
use tower_layer::Identity;

use self::client::Client;
use crate::BoxError;
use crate::statistics::{median, percentile};

const CONNECTIONS: usize = 64;
/// Requests of one connection in a round. Rounds are short, and many: what else a machine has to do comes and goes, and
/// is then the same for both of a pair.
const REQUESTS: usize = 60;
const ROUNDS_OF_ONE: usize = 10;
/// What is sent through the layers to see whether memory grows.
const MANY: usize = 1_000_000;

/// Measures, and returns what to print.
pub(crate) async fn measure(rounds: usize, many: bool) -> Result<String, BoxError> {
    let db = Database::connect("sqlite::memory:").await?;
    Migrator::up(&db, None).await?;
    let writer = EventWriter::start(db);
    writer.install();
    let router = || Router::new().route("/products", get(async || client::ANSWER));
    // In one call, as the documentation advises.
    let layered = |audit| router().layer((audit, SecurityLayer::default()));
    let bare = serve(router()).await?;
    let both = serve(layered(AuditLayer::new())).await?;
    let silent = serve(layered(AuditLayer::new().request_id_in_response(false))).await?;
    // What axum takes for any layer.
    let idle = serve(router().layer(Identity::new())).await?;
    let rounds = rounds * ROUNDS_OF_ONE;
    let mut report = format!(
        "## Web layers\n\n{rounds} rounds of {CONNECTIONS} connections with {REQUESTS} requests each, client and \
         server on the same cores.\n"
    );
    for client in [Client::Hyper, Client::Text] {
        report += &compare(client, "both layers", [bare, both], rounds).await?;
        let without_id = "both layers, and no id in the answer";
        report += &compare(client, without_id, [bare, silent], rounds).await?;
        report += &compare(client, "a layer that does nothing", [bare, idle], rounds).await?;
    }
    if many {
        report += &memory(both).await?;
    }
    writer.shutdown().await;
    Ok(report)
}

/// The requests of one client, without layers and with these.
async fn compare(
    client: Client,
    layers: &str,
    addresses: [SocketAddr; 2],
    rounds: usize,
) -> Result<String, BoxError> {
    let (mut ratios, mut micros) = (Vec::new(), (Vec::new(), Vec::new()));
    // The first round is for the caches.
    for round in 0..=rounds {
        let mut rates = [0.0; 2];
        let order = if fastrand::bool() { [0, 1] } else { [1, 0] };
        for path in order {
            rates[path] = requests_per_second(client, addresses[path], REQUESTS).await?;
        }
        if round > 0 {
            ratios.push(rates[1] / rates[0]);
            micros.0.push(1e6 / rates[0]);
            micros.1.push(1e6 / rates[1]);
        }
    }
    let (without, with) = (median(&micros.0), median(&micros.1));
    Ok(format!(
        "{}: requests per second with {layers}, as a part of those without: {:.3} \
         ({:.3}–{:.3}, 10th–90th percentile). One request: {without:.2} µs without, {with:.2} µs with them.\n",
        client.name(),
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

async fn requests_per_second(
    client: Client,
    address: SocketAddr,
    each: usize,
) -> Result<f64, BoxError> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(client.connect(address).await?);
    }
    let began = Instant::now();
    let tasks: Vec<_> = (connections.into_iter())
        .map(|connection| tokio::spawn(connection.send(each)))
        .collect();
    for task in tasks {
        task.await??;
    }
    #[allow(clippy::cast_precision_loss)] // there are never that many
    Ok((CONNECTIONS * each) as f64 / began.elapsed().as_secs_f64())
}

/// What the process holds after a tenth of the requests, and after all.
async fn memory(address: SocketAddr) -> Result<String, BoxError> {
    let mut held = [0; 2];
    for (share, held) in [MANY / 10, MANY - MANY / 10].into_iter().zip(&mut held) {
        requests_per_second(Client::Text, address, share / CONNECTIONS).await?;
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
