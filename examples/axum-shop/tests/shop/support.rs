//! A separate shop for every test, and its clients.

use std::net::SocketAddr;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum_shop::auth::Credentials;
use axum_shop::{Options, PATIENCE, app, connect, serve};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use reqwest::{Client, Method, StatusCode};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, EntityTrait, QueryOrder};
use sea_orm_audit::AuditConfig;
use sea_orm_audit::config::HashKey;
use sea_orm_audit::entity::{
    audit_data_export, audit_log, audit_login_attempt, audit_system_event,
};
use sea_orm_audit::event::EventWriter;
use sea_orm_audit::web::{ClientAddress, ProxyHeader, TrustedProxies};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) type TestResult<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const AGENT: &str = "shop-test/1";

/// A test that takes longer hangs.
pub(crate) const LIMIT: Duration = Duration::from_mins(3);

/// Makes a test of each function on every database.
macro_rules! on_every_database {
    ($($name:ident),* $(,)?) => {
        mod sqlite { $crate::support::tests_on!(Sqlite: $($name),*); }
        mod postgres { $crate::support::tests_on!(Postgres: $($name),*); }
        mod mariadb { $crate::support::tests_on!(MariaDb: $($name),*); }
    };
}

/// Makes a test of each function on one database.
macro_rules! tests_on {
    ($database:ident: $($name:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> $crate::support::TestResult {
                use $crate::support::{LIMIT, Server, TestShop};
                let Some(shop) = TestShop::open(Server::$database).await? else {
                    return Ok(());
                };
                tokio::time::timeout(LIMIT, super::$name(&shop)).await??;
                tokio::time::timeout(LIMIT, shop.close()).await?
            }
        )*
    };
}
pub(crate) use tests_on;

#[derive(Clone, Copy)]
pub(crate) enum Server {
    Sqlite,
    Postgres,
    MariaDb,
}

/// An open shop, on a fresh database.
pub(crate) struct TestShop {
    pub(crate) db: DatabaseConnection,
    pub(crate) address: SocketAddr,
    events: EventWriter,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    name: String,
    /// A connection to drop the database with; `None` for a file.
    server: Option<DatabaseConnection>,
}

/// The configuration of the process: there is only one, and its key never changes.
fn configure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The server's log, to debug with `RUST_LOG=debug`.
        if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_default_env() {
            tracing_subscriber::fmt().with_env_filter(filter).init();
        }
        let key = HashKey::from_bytes("test", b"0123456789abcdef").expect("a key");
        let config = AuditConfig::builder().hash_key(key).build();
        let installed = config.and_then(AuditConfig::install);
        installed.expect("a configuration");
    });
}

fn unique_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("axum_shop_test_{}_{number}", std::process::id())
}

/// The URL of a server, or the reason to skip the test.
fn server_url(variable: &str) -> Option<String> {
    let url = std::env::var(variable).ok();
    if url.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{variable} is not set, so this test cannot run"
        );
        eprintln!("NOT RUN: {variable} is not set; start servers with scripts/with-databases");
    }
    url
}

impl TestShop {
    pub(crate) async fn open(server: Server) -> TestResult<Option<Self>> {
        let name = unique_name();
        let (url, server) = match server {
            Server::Sqlite => {
                let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
                std::fs::create_dir_all(folder)?;
                let path = folder.join(format!("{name}.sqlite"));
                let url = format!("sqlite://{}?mode=rwc", path.display());
                return Self::on(&url, path.display().to_string(), None)
                    .await
                    .map(Some);
            }
            Server::Postgres => (server_url("TEST_POSTGRES_URL"), ""),
            // The default of many old servers, in which few names can be stored.
            Server::MariaDb => (server_url("TEST_MYSQL_URL"), " CHARACTER SET latin1"),
        };
        let (Some(url), options) = (url, server) else {
            return Ok(None);
        };
        let server = Database::connect(&url).await?;
        server
            .execute_unprepared(&format!("CREATE DATABASE {name}{options}"))
            .await?;
        let (base, _) = url.rsplit_once('/').ok_or("the URL names no database")?;
        let url = format!("{base}/{name}");
        Self::on(&url, name, Some(server)).await.map(Some)
    }

    async fn on(url: &str, name: String, server: Option<DatabaseConnection>) -> TestResult<Self> {
        configure();
        let db = connect(url).await?;
        let events = EventWriter::start(db.clone());
        let proxies = TrustedProxies::new(["127.0.0.1"])?;
        let options = Options {
            client_address: ClientAddress::behind(proxies, ProxyHeader::XForwardedFor),
            // Only the slow handler takes this long, also on a busy machine.
            slow_after: Duration::from_secs(3),
            admin: Some(Credentials {
                name: "admin".to_owned(),
                password: PASSWORD.to_owned(),
            }),
            demo: true,
            ..Options::default()
        };
        let app = app(db.clone(), events.clone(), options).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve(listener, app, stopped, PATIENCE));
        Ok(Self {
            db,
            address,
            events,
            stop,
            serving,
            name,
            server,
        })
    }

    /// A client without a session, with separate cookies.
    pub(crate) fn client(&self) -> TestResult<ShopClient> {
        let client = Client::builder()
            .cookie_store(true)
            .user_agent(AGENT)
            .no_proxy()
            .build()?;
        Ok(ShopClient {
            client,
            base: format!("http://{}", self.address),
        })
    }

    /// A client who is signed in; the user is created unless it is `admin`.
    pub(crate) async fn signed_in(&self, name: &str) -> TestResult<ShopClient> {
        let client = self.client()?;
        let credentials = json!({ "name": name, "password": PASSWORD });
        if name != "admin" {
            let answer = client.post("/signup", &credentials).await?;
            answer.expect(StatusCode::CREATED);
        }
        client
            .post("/login", &credentials)
            .await?
            .expect(StatusCode::OK);
        Ok(client)
    }

    /// All records, the oldest first.
    pub(crate) async fn log(&self) -> TestResult<Vec<audit_log::Model>> {
        let query = audit_log::Entity::find().order_by_asc(audit_log::Column::Id);
        Ok(query.all(&self.db).await?)
    }

    /// The records of one request.
    pub(crate) async fn log_of(&self, answer: &Answer) -> TestResult<Vec<audit_log::Model>> {
        let mut log = self.log().await?;
        log.retain(|record| record.request_id.as_deref() == Some(answer.request_id.as_str()));
        Ok(log)
    }

    /// The only record of one request.
    pub(crate) async fn record_of(&self, answer: &Answer) -> TestResult<audit_log::Model> {
        let mut log = self.log_of(answer).await?;
        assert_eq!(log.len(), 1, "{log:#?}");
        Ok(log.remove(0))
    }

    pub(crate) async fn attempts(&self) -> TestResult<Vec<audit_login_attempt::Model>> {
        let query =
            audit_login_attempt::Entity::find().order_by_asc(audit_login_attempt::Column::Id);
        Ok(query.all(&self.db).await?)
    }

    pub(crate) async fn exports(&self) -> TestResult<Vec<audit_data_export::Model>> {
        let query = audit_data_export::Entity::find().order_by_asc(audit_data_export::Column::Id);
        Ok(query.all(&self.db).await?)
    }

    /// All system events, those that wait to be written included.
    pub(crate) async fn events(&self) -> TestResult<Vec<audit_system_event::Model>> {
        self.events.flush().await;
        let query = audit_system_event::Entity::find().order_by_asc(audit_system_event::Column::Id);
        Ok(query.all(&self.db).await?)
    }

    /// The whole content of the audit tables, as text.
    pub(crate) async fn dump(&self) -> TestResult<String> {
        Ok(format!(
            "{:?}{:?}{:?}{:?}",
            self.log().await?,
            self.attempts().await?,
            self.exports().await?,
            self.events().await?
        ))
    }

    pub(crate) async fn close(self) -> TestResult {
        // Fails when the server has stopped by itself, which the next line reports.
        let _ = self.stop.send(());
        self.serving.await?;
        self.events.shutdown().await;
        self.db.close().await?;
        if let Some(server) = self.server {
            let drop = format!("DROP DATABASE {}", self.name);
            server.execute_unprepared(&drop).await?;
            server.close().await?;
        } else {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{suffix}", self.name));
            }
        }
        Ok(())
    }
}

/// A user's browser.
#[derive(Clone)]
pub(crate) struct ShopClient {
    client: Client,
    base: String,
}

/// The response of the shop.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) request_id: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(&self, status: StatusCode) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    pub(crate) fn json(&self) -> TestResult<Value> {
        Ok(serde_json::from_str(&self.body)?)
    }

    /// The value of the session's cookie.
    pub(crate) fn cookie(&self) -> TestResult<String> {
        let line = self.headers.get(SET_COOKIE).ok_or("no cookie")?.to_str()?;
        let value = line
            .strip_prefix("id=")
            .and_then(|rest| rest.split(';').next());
        Ok(value.ok_or("another cookie")?.to_owned())
    }
}

impl ShopClient {
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, &str)],
    ) -> TestResult<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            request = request.header(name, HeaderValue::from_str(value)?);
        }
        let response = request.send().await?;
        let headers = response.headers().clone();
        let request_id = headers.get("x-request-id").ok_or("no request id")?;
        Ok(Answer {
            status: response.status(),
            request_id: request_id.to_str()?.to_owned(),
            headers,
            body: response.text().await?,
        })
    }

    pub(crate) async fn get(&self, path: &str) -> TestResult<Answer> {
        self.send(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> TestResult<Answer> {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> TestResult<Answer> {
        self.send(Method::PATCH, path, Some(body), &[]).await
    }

    /// Tries to sign in, from an address in the trusted proxy's header.
    pub(crate) async fn log_in_from(
        &self,
        address: &str,
        name: &str,
        password: &str,
    ) -> TestResult<Answer> {
        let credentials = json!({ "name": name, "password": password });
        let from = [("x-forwarded-for", address)];
        self.send(Method::POST, "/login", Some(&credentials), &from)
            .await
    }
}
