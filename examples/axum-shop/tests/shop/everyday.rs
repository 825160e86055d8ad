//! A day in the shop, and all its rows in the four audit tables.
//!
//! One file, because a day is one sequence of requests.

use reqwest::StatusCode;
use sea_orm_audit::entity::{audit_log, audit_system_event};
use serde_json::json;

use crate::support::{AGENT, Answer, PASSWORD, TestResult, TestShop};

on_every_database! {
    day_in_the_shop_is_recorded_row_by_row,
}

/// An actor: type, id and name.
type Who = (&'static str, Option<&'static str>, Option<&'static str>);

const ADMIN: Who = ("USER", Some("1"), Some("admin"));
const ANN: Who = ("USER", Some("2"), Some("Ann"));
const ANONYMOUS: Who = ("ANONYMOUS", None, None);

/// The next record, after the checks that apply to all records of a request.
#[track_caller]
fn next<'a>(
    log: &mut impl Iterator<Item = &'a audit_log::Model>,
    answer: &Answer,
    actor: Who,
    action: &str,
    object: Option<(&str, &str)>,
) -> &'a audit_log::Model {
    let record = log.next().expect("a record more");
    let (action, outcome) = match action {
        "LOGIN_FAILED" | "ACCESS_DENIED" => (action, "FAILURE"),
        "EXPORT OPEN" => ("EXPORT", "OPEN"),
        _ => (action, "SUCCESS"),
    };
    assert_eq!(
        (&*record.action, &*record.outcome),
        (action, outcome),
        "{record:#?}"
    );
    let target = record.model.as_deref().zip(record.object_id.as_deref());
    assert_eq!(target, object, "{record:#?}");
    let by = (
        record.actor_type.as_str(),
        record.actor_id.as_deref(),
        record.actor_name.as_deref(),
    );
    assert_eq!(by, actor, "{record:#?}");
    assert_eq!(
        record.ip_address.as_deref(),
        Some("127.0.0.1"),
        "{record:#?}"
    );
    assert_eq!(record.user_agent.as_deref(), Some(AGENT), "{record:#?}");
    assert_eq!(
        record.request_id.as_deref(),
        Some(&*answer.request_id),
        "{record:#?}"
    );
    record
}

#[allow(clippy::too_many_lines)] // it is a long day
async fn day_in_the_shop_is_recorded_row_by_row(shop: &TestShop) -> TestResult {
    let (ann, admin) = (shop.client()?, shop.client()?);
    let credentials = |name: &str, password: &str| json!({ "name": name, "password": password });

    let signed_up = ann.post("/signup", &credentials("Ann", PASSWORD)).await?;
    signed_up.expect(StatusCode::CREATED);
    let wrong = ann
        .post("/login", &credentials("Ann", "hunter2hunter2"))
        .await?;
    wrong.expect(StatusCode::UNAUTHORIZED);
    let unknown = ann
        .post("/login", &credentials("hunter3hunter3", "x"))
        .await?;
    unknown.expect(StatusCode::UNAUTHORIZED);
    // The response does not reveal whether a name is known.
    assert_eq!(wrong.body, unknown.body);
    let admin_in = admin
        .post("/login", &credentials("admin", PASSWORD))
        .await?;
    admin_in.expect(StatusCode::OK);
    let ann_in = ann.post("/login", &credentials("Ann", PASSWORD)).await?;
    ann_in.expect(StatusCode::OK);

    let edit = json!({ "price": "3.50", "reason": "the harvest was bad" });
    let edited = admin.patch("/products/1", &edit).await?;
    edited.expect(StatusCode::OK);
    // The same value: nothing changes.
    let same = admin
        .patch("/products/1", &json!({ "price": "3.5" }))
        .await?;
    same.expect(StatusCode::OK);
    let order = json!({ "lines": [
        { "product_id": 2, "quantity": 1 },
        { "product_id": 1, "quantity": 2 },
    ] });
    let ordered = ann.post("/orders", &order).await?;
    ordered.expect(StatusCode::CREATED);
    // Only some databases keep trailing zeros.
    let total = ordered.json()?["total"]
        .as_str()
        .map(|total| total.trim_end_matches('0').to_owned());
    assert_eq!(total.as_deref(), Some("15.5"), "{}", ordered.body);
    // Too much: the transaction restores the stock, and no client saw the change.
    let too_much = json!({ "lines": [
        { "product_id": 1, "quantity": 1 },
        { "product_id": 3, "quantity": 21 },
    ] });
    let refused = ann.post("/orders", &too_much).await?;
    refused.expect(StatusCode::CONFLICT);

    let order_seen = ann.get("/orders/1").await?;
    order_seen.expect(StatusCode::OK);
    let product_seen = ann.get("/products/1").await?;
    product_seen.expect(StatusCode::OK);
    assert_eq!(product_seen.json()?["stock"], 98);
    let denied = ann.get("/export/orders.csv").await?;
    denied.expect(StatusCode::FORBIDDEN);
    let exported = admin.get("/export/orders.csv").await?;
    exported.expect(StatusCode::OK);
    assert_eq!(exported.body.lines().count(), 3, "{}", exported.body);
    let history = admin.get("/audit/product/1").await?;
    history.expect(StatusCode::OK);
    let history = history.json()?;
    let actions: Vec<_> = (history.as_array().ok_or("no list")?.iter())
        .map(|record| record["action"].clone())
        .collect();
    assert_eq!(actions, ["VIEW", "UPDATE", "UPDATE"]);
    assert_eq!(
        history[2]["changes"],
        json!({ "price": { "old": "3.2", "new": "3.5" } })
    );

    let out = ann.post("/logout", &json!({})).await?;
    out.expect(StatusCode::NO_CONTENT);
    let no_more = ann.get("/orders/1").await?;
    no_more.expect(StatusCode::UNAUTHORIZED);

    let probe = ann.get("/wp-admin").await?;
    probe.expect(StatusCode::NOT_FOUND);
    let other_probe = ann.get("/.env").await?;
    other_probe.expect(StatusCode::NOT_FOUND);
    let slow = admin.get("/demo/slow").await?;
    slow.expect(StatusCode::OK);
    let panicked = admin.get("/demo/panic").await?;
    panicked.expect(StatusCode::INTERNAL_SERVER_ERROR);
    let failed = admin.get("/demo/error").await?;
    failed.expect(StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!failed.body.contains("secret"), "{}", failed.body);

    let log = shop.log().await?;
    let mut rest = log.iter();

    let first = rest.next().ok_or("no record")?;
    assert_eq!(
        (&*first.action, first.model.as_deref()),
        ("CREATE", Some("user"))
    );
    assert_eq!((&*first.actor_type, &first.actor_id), ("SYSTEM", &None));
    assert_eq!((&first.ip_address, &first.request_id), (&None, &None));
    assert_eq!(first.reason.as_deref(), Some("the first administrator"));

    let user = next(
        &mut rest,
        &signed_up,
        ANONYMOUS,
        "CREATE",
        Some(("user", "2")),
    );
    assert_eq!(user.object_repr.as_deref(), Some("Ann (#2)"));
    assert_eq!(
        user.changes,
        Some(json!({
            "id": { "new": 2 },
            "name": { "new": "Ann" },
            "name_key": { "new": "ann" },
            "password_hash": { "redacted": true },
            "role": { "new": "customer" },
        }))
    );
    assert_eq!(user.session_key, None);

    let mut attempts = shop.attempts().await?;
    assert_eq!(attempts.len(), 5, "{attempts:#?}");
    let left = attempts.remove(4);
    let hashed = attempts[1].username.clone().ok_or("no name")?;
    assert!(hashed.starts_with("hmac-sha256:test:"), "{hashed}");
    for (attempt, (answer, actor, name, status)) in attempts.iter().zip([
        (&wrong, ANN, "Ann", "FAILED"),
        (&unknown, ANONYMOUS, &*hashed, "FAILED"),
        (&admin_in, ADMIN, "admin", "SUCCESS"),
        (&ann_in, ANN, "Ann", "SUCCESS"),
    ]) {
        let (action, by) = match status {
            "SUCCESS" => ("LOGIN", actor),
            // A client that knows a name need not be its user.
            _ => ("LOGIN_FAILED", ANONYMOUS),
        };
        let record = next(&mut rest, answer, by, action, None);
        assert_eq!(attempt.log_id, Some(record.id));
        assert_eq!(attempt.username.as_deref(), Some(name));
        assert_eq!(attempt.status, status);
        let reason = (status == "FAILED").then_some("the credentials were refused");
        assert_eq!(attempt.failure_reason.as_deref(), reason);
        let account = (
            attempt.actor_type.as_str(),
            attempt.actor_id.as_deref(),
            attempt.actor_name.as_deref(),
        );
        assert_eq!(account, actor);
        assert_eq!(attempt.ip_address.as_deref(), Some("127.0.0.1"));
        assert_eq!(attempt.user_agent.as_deref(), Some(AGENT));
        assert_eq!(attempt.request_id.as_deref(), Some(&*answer.request_id));
        assert_eq!(
            record.metadata.as_ref().map(|more| &more["username"]),
            Some(&json!(name))
        );
    }

    let update = next(&mut rest, &edited, ADMIN, "UPDATE", Some(("product", "1")));
    assert_eq!(
        update.changes,
        Some(json!({ "price": { "old": "3.2", "new": "3.5" } }))
    );
    assert_eq!(update.reason.as_deref(), Some("the harvest was bad"));
    let admins_session = update.session_key.clone().ok_or("no session key")?;

    let tea = next(&mut rest, &ordered, ANN, "UPDATE", Some(("product", "1")));
    assert_eq!(
        tea.changes,
        Some(json!({ "stock": { "old": 100, "new": 98 } }))
    );
    let coffee = next(&mut rest, &ordered, ANN, "UPDATE", Some(("product", "2")));
    assert_eq!(
        coffee.changes,
        Some(json!({ "stock": { "old": 100, "new": 99 } }))
    );
    let order = next(
        &mut rest,
        &ordered,
        ANN,
        "CREATE",
        Some(("customer_order", "1")),
    );
    let line = next(
        &mut rest,
        &ordered,
        ANN,
        "CREATE",
        Some(("order_line", "1")),
    );
    assert_eq!(
        line.changes,
        Some(json!({
            "id": { "new": 1 },
            "order_id": { "new": 1 },
            "product_id": { "new": 1 },
            "quantity": { "new": 2 },
            "price": { "new": "3.5" },
        }))
    );
    let other_line = next(
        &mut rest,
        &ordered,
        ANN,
        "CREATE",
        Some(("order_line", "2")),
    );
    assert!(tea.transaction_id.is_some());
    for record in [coffee, order, line, other_line] {
        assert_eq!(record.transaction_id, tea.transaction_id);
    }
    let anns_session = tea.session_key.clone().ok_or("no session key")?;

    next(
        &mut rest,
        &order_seen,
        ANN,
        "VIEW",
        Some(("customer_order", "1")),
    );
    let view = next(
        &mut rest,
        &product_seen,
        ANN,
        "VIEW",
        Some(("product", "1")),
    );
    assert_eq!(view.object_repr.as_deref(), Some("Tea (#1)"));
    let refusal = next(&mut rest, &denied, ANN, "ACCESS_DENIED", None);
    assert_eq!(
        refusal.reason.as_deref(),
        Some("only administrators may do that")
    );
    assert_eq!(
        refusal.metadata,
        Some(json!({ "method": "GET", "path": "/export/orders.csv" }))
    );

    next(&mut rest, &exported, ADMIN, "EXPORT OPEN", None);
    let export_log = next(&mut rest, &exported, ADMIN, "EXPORT", None);
    let exports = shop.exports().await?;
    let [export] = &exports[..] else {
        return Err(format!("{exports:#?}").into());
    };
    assert_eq!(export.log_id, Some(export_log.id));
    assert_eq!(
        (&*export.export_type, export.file_format.as_deref()),
        ("orders", Some("CSV"))
    );
    assert_eq!(export.record_count, Some(2));
    assert_eq!(export.file_size, Some(i64::try_from(exported.body.len())?));
    assert_eq!(
        (&*export.actor_type, export.actor_id.as_deref()),
        ("USER", Some("1"))
    );
    assert_eq!(export.actor_name.as_deref(), Some("admin"));
    assert_eq!(export.ip_address.as_deref(), Some("127.0.0.1"));
    assert_eq!(export.request_id.as_deref(), Some(&*exported.request_id));
    assert_eq!(
        export_log.metadata.as_ref().map(|more| &more["completed"]),
        Some(&json!(true))
    );

    let logout = next(&mut rest, &out, ANN, "LOGOUT", None);
    assert_eq!((left.log_id, &*left.status), (Some(logout.id), "LOGOUT"));
    assert_eq!(
        (&*left.actor_type, left.actor_id.as_deref()),
        (ANN.0, ANN.1)
    );
    assert_eq!(left.request_id.as_deref(), Some(&*out.request_id));
    assert_eq!(rest.next(), None);

    // One digest per session, and never the key itself.
    assert_eq!(logout.session_key.as_ref(), Some(&anns_session));
    assert_eq!(view.session_key.as_ref(), Some(&anns_session));
    assert_eq!(export_log.session_key.as_ref(), Some(&admins_session));
    assert_ne!(anns_session, admins_session);
    let dump = shop.dump().await?;
    for secret in [
        ann_in.cookie()?.as_str(),
        admin_in.cookie()?.as_str(),
        PASSWORD,
        "hunter2",
        "hunter3",
        "$argon2",
    ] {
        assert!(!dump.contains(secret), "{secret} is in the log");
    }

    let mut events = shop.events().await?;
    // No writer was installed when the shop's migrations ran: they record their events themselves.
    let migrations: Vec<_> = (events.drain(..2))
        .filter_map(|event| event.metadata)
        .collect();
    let left = |name: &str, writes: u64| json!({ "reason": name, "suppressed": writes });
    assert_eq!(
        migrations,
        [
            left("m20261101_000001_create_tables up", 0),
            left("m20261101_000002_fill_shelves up", 3),
        ]
    );
    check_events(
        &events,
        &[
            ("SECURITY", &probe, ANONYMOUS),
            ("SECURITY", &other_probe, ANONYMOUS),
            ("PERFORMANCE", &slow, ADMIN),
            ("ERROR", &panicked, ADMIN),
            ("ERROR", &failed, ADMIN),
        ],
    );
    let paths = [&events[0], &events[1]].map(|event| event.description.clone());
    assert!(
        paths[0]
            .as_ref()
            .is_some_and(|text| text.contains("/wp-admin")),
        "{paths:?}"
    );
    assert!(
        paths[1].as_ref().is_some_and(|text| text.contains("/.env")),
        "{paths:?}"
    );
    for event in &events[..2] {
        assert_eq!(event.title, "malicious_direct_reference");
    }
    assert_eq!(events[2].title, "a request was slow");
    assert_eq!(events[2].function_name.as_deref(), Some("/demo/slow"));
    let more = events[2].metadata.as_ref().ok_or("no metadata")?;
    assert!(more["milliseconds"].as_u64() >= Some(3000), "{more}");
    assert_eq!(events[3].title, "a handler panicked");
    assert_eq!(events[3].error_code.as_deref(), Some("PANIC"));
    assert_eq!(
        events[3].description.as_deref(),
        Some("this handler always panics")
    );
    let module = events[3].module.clone().unwrap_or_default();
    assert!(module.ends_with("src/routes/demo.rs"), "{module}");
    let source = include_str!("../../src/routes/demo.rs");
    let line = source.lines().position(|line| line.contains("panic!("));
    let line = line.map(|line| i64::try_from(line + 1)).transpose()?;
    assert_eq!(events[3].line_number, line);
    let trace = events[3].stack_trace.clone().unwrap_or_default();
    assert!(trace.contains("demo"), "{trace}");
    assert_eq!(
        events[4].title,
        "a request was answered with a server error"
    );
    assert_eq!(events[4].error_code.as_deref(), Some("500"));
    Ok(())
}

fn check_events(events: &[audit_system_event::Model], expected: &[(&str, &Answer, Who)]) {
    assert_eq!(events.len(), expected.len(), "{events:#?}");
    for (event, (kind, answer, actor)) in events.iter().zip(expected) {
        assert_eq!(event.event_type, *kind, "{event:#?}");
        assert_eq!(event.occurrences, 1, "{event:#?}");
        assert_eq!(
            event.request_id.as_deref(),
            Some(&*answer.request_id),
            "{event:#?}"
        );
        assert_eq!(event.ip_address.as_deref(), Some("127.0.0.1"), "{event:#?}");
        let by = (
            event.actor_type.as_str(),
            event.actor_id.as_deref(),
            event.actor_name.as_deref(),
        );
        assert_eq!(by, *actor, "{event:#?}");
        assert!(!event.resolved, "{event:#?}");
    }
}
