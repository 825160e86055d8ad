//! Each error: its place, its message, and what it suggests.

use super::{AuditQuery, TestResult};
use crate::query::error::QueryError;

fn error(text: &str) -> QueryError {
    text.parse::<AuditQuery>().expect_err(text)
}

#[test]
fn unknown_word_suggests_the_nearest() {
    for (text, place, suggestion) in [
        ("modle:order", "modle", Some("model")),
        ("x -TENNANT:a", "TENNANT", Some("tenant")),
        ("actor_type:user", "actor_type", Some("actor-type")),
        ("user:7", "user", Some("actor")),
        ("table:order", "table", Some("model")),
        ("frm:a=b", "frm", Some("from")),
        ("banana:1", "banana", None),
        ("http://example.org", "http", None),
        ("outcome:failur", "failur", Some("failure")),
        ("outcome:broken", "broken", None),
        ("source:hook,triger", "triger", Some("trigger")),
        ("actor-type:\"sevice\"", "\"sevice\"", Some("service")),
        ("action:updte", "updte", Some("update")),
        ("action:view,LOGN", "LOGN", Some("login")),
        ("created:todya", "todya", Some("today")),
    ] {
        let error = error(text);
        assert_eq!(&text[error.span()], place, "{text}: {error}");
        assert_eq!(error.suggestion(), suggestion, "{text}: {error}");
    }
}

#[test]
fn message_states_what_to_write() {
    for (text, place, message) in [
        (
            "banana:1",
            "banana",
            "is no key: quote a text that contains a colon; the keys are model, object, action",
        ),
        ("http://x", "http", "quote a text that contains a colon"),
        (":x", ":", "a key is missing before `:`"),
        (
            "model:",
            "model:",
            "`model:` has no value: write `model:VALUE` without a space",
        ),
        ("a model: order", "model:", "`model:` has no value"),
        ("model:,a", "model:", "`model:` has no value"),
        (
            "model:a,",
            ",",
            "a value is missing after `,`: write `model:VALUE,VALUE`",
        ),
        ("model:a, b", ",", "a value is missing after `,`"),
        ("model:a,,b", ",", "a value is missing after `,`"),
        ("from:price", "from:price", "write `from:FIELD=VALUE`"),
        ("to:=5", "to:", "write `to:FIELD=VALUE`"),
        ("to:a,b=5", "to:a", "write `to:FIELD=VALUE`"),
        ("to:price=", "to:price=", "`to:` has no value"),
        ("created:2026,2027", ",", "takes one period: write a range"),
        (
            "outcome:maybe",
            "maybe",
            "write one of success, failure, open",
        ),
        (
            "action:updte",
            "updte",
            "Quote the name of a custom action: `\"updte\"`",
        ),
        ("action:a.b", "a.b", "only A to Z, 0 to 9 and _ are allowed"),
        ("action:custom", "custom", "it is a built-in word"),
        ("action:\"\"", "\"\"", "it must begin with"),
        (
            "ip:300.0.0.1",
            "300.0.0.1",
            "is no address or network: write `192.0.2.7`",
        ),
        ("ip:10.0.0.0/33", "10.0.0.0/33", "is no address or network"),
        ("tx:7", "7", "is no id of a transaction"),
        (
            "created:2026-02-30",
            "30",
            "`2026-02-30`: 2026-02 has 28 days",
        ),
        (
            "created:2026-04..2026-03",
            "2026-04..2026-03",
            "exchange its ends",
        ),
        ("created:\"2026-02-30\"", "\"2026-02-30\"", "28 days"),
        ("a \"b c", "\"", "the quote is not closed"),
        ("reason:\"b\\", "\"", "the quote is not closed"),
        ("model:a\"b\"", "\"", "a quote must begin a value"),
        ("a\"b\"", "\"", "a quote must begin a value"),
        (
            "model:\"a\"b",
            "b",
            "a space or a comma is missing after the closing quote",
        ),
        ("\"a\"b", "b", "a space is missing after the closing quote"),
        (
            "\"model\":a",
            ":",
            "a space is missing after the closing quote",
        ),
        ("\"a\\d\"", "\\d", "`\\d` is no escape"),
        ("\"a\\ü\"", "\\ü", "`\\ü` is no escape"),
        ("\"\\u{d800}\"", "\\u", "`\\u` is no escape"),
        ("\"\\u{+41}\"", "\\u", "`\\u` is no escape"),
        ("-", "-", "`-` must precede a filter or a text"),
        ("a - b", "-", "`-` must precede a filter or a text"),
        ("--a", "-", "`-` must precede a filter or a text"),
        ("(a b)", "(", "there are no parentheses"),
        ("-(a)", "(", "there are no parentheses"),
        ("model:(a)", "(", "a value cannot begin with a parenthesis"),
        ("model:()a", "a", "a value cannot begin with a parenthesis"),
        ("model:a OR model:b", "OR", "`OR` is no operator"),
    ] {
        let error = error(text);
        assert_eq!(&text[error.span()], place, "{text}: {error}");
        assert!(error.to_string().contains(message), "{text}: {error}");
    }
}

#[test]
fn marked_error_is_below_its_place() {
    let text = "tenant:北 created:2026-02-30 model:order";
    assert_eq!(
        error(text).marked(text),
        "tenant:北 created:2026-02-30 model:order\n\
         \u{20}                         ^^ `2026-02-30`: 2026-02 has 28 days"
    );
}

#[test]
fn text_within_the_limits_is_read_and_one_beyond_is_refused() -> TestResult {
    let filters = |count| vec!["a"; count].join(" ");
    assert!(filters(64).parse::<AuditQuery>().is_ok());
    let text = filters(65);
    assert_eq!(error(&text).span(), 128..129);
    assert!(error(&text).to_string().contains("more than 64 filters"));

    let values = |count| format!("model:{}", vec!["a"; count].join(","));
    assert!(values(256).parse::<AuditQuery>().is_ok());
    assert!(
        error(&values(257))
            .to_string()
            .contains("more than 256 values")
    );
    let text = format!("{} b", values(256));
    assert!(error(&text).to_string().contains("more than 256 values"));

    let long = "ü".repeat(2048);
    assert_eq!(long.parse::<AuditQuery>()?.filters().len(), 1);
    let text = format!("x{long}");
    assert!(
        error(&text)
            .to_string()
            .contains("has 4097 bytes, 4096 are allowed")
    );
    assert_eq!(error(&text).span(), 4095..4097);
    Ok(())
}
