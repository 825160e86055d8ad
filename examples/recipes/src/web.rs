use axum::Router;
use axum::routing::get;
use sea_orm_audit::event::EventWriter;
use sea_orm_audit::web::security::SecurityMonitor;
use sea_orm_audit::web::{Audit, AuditLayer, ClientAddress, ProxyHeader, TrustedProxies};
use sea_orm_audit::{Actor, AuditedConnection};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub fn app(db: &AuditedConnection) -> Result<Router> {
    EventWriter::start(db.clone()).install();
    let proxies = TrustedProxies::new(["10.0.0.0/8"])?; // only these may report a client's address
    let audit = AuditLayer::new()
        .client_address(ClientAddress::behind(proxies, ProxyHeader::XForwardedFor))
        .security(SecurityMonitor::default());
    Ok(Router::new().route("/", get(handler)).layer(audit)) // the last layer is the outermost
}

async fn handler(audit: Audit) {
    audit.set_actor(Actor::user(7).named("Ann")); // as soon as the user is known
}
