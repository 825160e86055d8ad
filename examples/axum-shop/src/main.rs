//! `cargo run -p axum-shop`: see `README.md`.

mod settings;

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use axum_shop::{Options, PATIENCE, app, connect, jobs, serve};
use sea_orm::DatabaseConnection;
use sea_orm_audit::config::HashKey;
use sea_orm_audit::event::{EventWriter, finish_recording};
use sea_orm_audit::web::{
    AuditTracingLayer, ClientAddress, ProxyHeader, TrustedProxies, record_panics,
};
use sea_orm_audit::{AuditConfig, AuditedConnection};
use settings::{admin, is_on, variable_or};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

#[tokio::main]
async fn main() -> ExitCode {
    let errors = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target("axum_login::session", LevelFilter::OFF);
    let filter = variable_or("RUST_LOG", "info");
    tracing_subscriber::registry()
        .with(EnvFilter::new(filter.as_deref().unwrap_or("info")))
        .with(tracing_subscriber::fmt::layer())
        // The application's logged errors become system events, too. But axum-login logs every login that fails with
        // an error, a blocked one included, which is recorded already.
        .with(AuditTracingLayer::new().with_filter(errors))
        .init();
    let ended = match filter {
        Ok(_) => run().await,
        Err(error) => Err(error.into()),
    };
    ended.unwrap_or_else(|error| {
        tracing::error!("the shop failed: {}", with_causes(&*error));
        ExitCode::FAILURE
    })
}

type BoxError = Box<dyn Error + Send + Sync>;

/// An error and its causes, as text.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

async fn run() -> Result<ExitCode, BoxError> {
    let url = variable_or("DATABASE_URL", "sqlite:shop.sqlite?mode=rwc")?;
    let db = connect(&url).await?;
    let events = EventWriter::start(db.clone());
    events.install();
    record_panics();

    let code = match open(&db, &events).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the shop does not open: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    };

    // Also if it did not start. Queued writes complete before the database is closed: the records of requests that
    // were cut off, and then the events.
    let flush = async {
        finish_recording().await;
        events.shutdown().await;
        db.close().await
    };
    // The database may be unavailable: the wait is bounded.
    if let Ok(closed) = timeout(PATIENCE, flush).await {
        closed?;
    } else {
        tracing::error!("some records could not be written in time");
    }
    Ok(code)
}

/// Starts the shop, and serves until it is stopped.
async fn open(db: &DatabaseConnection, events: &EventWriter) -> Result<(), BoxError> {
    // Session keys and unknown names are stored as keyed hashes.
    let config = AuditConfig::builder();
    let config = if std::env::var_os("AUDIT_HASH_KEY").is_some() {
        config.hash_key(HashKey::from_env("1", "AUDIT_HASH_KEY")?)
    } else {
        tracing::warn!("AUDIT_HASH_KEY is not set: hashes of unknown names end with the process");
        config
    };
    config.build()?.install()?;

    let proxies: TrustedProxies = variable_or("TRUSTED_PROXIES", "")?
        .parse()
        .map_err(|error| format!("TRUSTED_PROXIES: {error}"))?;
    let options = Options {
        client_address: ClientAddress::behind(proxies, ProxyHeader::XForwardedFor),
        admin: admin()?,
        demo: is_on("DEMO")?,
        ..Options::default()
    };
    let router = app(db.clone(), events.clone(), options).await?;

    let address: SocketAddr = variable_or("ADDRESS", "127.0.0.1:3000")?
        .parse()
        .map_err(|error| format!("ADDRESS: {error}"))?;
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "the shop is open");
    let restocking = tokio::spawn(jobs::restock_every_hour(AuditedConnection::new(db.clone())));
    serve(listener, router, interrupted(), PATIENCE).await;
    restocking.abort();
    Ok(())
}

/// Waits for Ctrl-C, or for the signal that stops services.
async fn interrupted() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "cannot wait for Ctrl-C");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "cannot wait for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
