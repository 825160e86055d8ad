//! For any input inspection returns, and its output is short and clean.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{Finding, SecurityRules};

/// Bytes as a client sends them: some raw, some escaped once or twice, mixed with parts of attacks.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<char>().prop_map(String::from),
        any::<u8>().prop_map(|byte| format!("%{byte:02x}")),
        any::<u8>().prop_map(|byte| format!("%25{byte:02X}")),
        any::<u16>().prop_map(|unit| format!("%u{unit:04x}")),
        prop::sample::select(vec![
            "/",
            "..",
            "%",
            "%2",
            "%u",
            "\\",
            ";",
            "&",
            "=",
            "+",
            "'",
            "\"",
            "<script>",
            " or 1=1",
            "union select 1",
            ".env",
            "wp-admin",
            "%c0%ae",
            "%e0%80",
            "%1b[31m",
            "/*",
            "*/",
            "${jndi:",
            "() {",
            "\u{202e}",
            "id",
        ])
        .prop_map(str::to_owned),
    ];
    vec(part, 0..60).prop_map(|parts| parts.concat())
}

/// Paths with segments of rules, or similar ones.
fn near_rules() -> impl Strategy<Value = String> {
    let words = vec![
        "wp-admin",
        "WP-Admin",
        ".env",
        ".git",
        "config",
        "phpmyadmin",
        "cgi-bin",
        "server-status",
        "actuator",
        "env",
        "products",
        "..",
        ".",
        "index.php.bak",
        "vendor",
        "phpunit",
    ];
    let word = prop_oneof![
        4 => prop::sample::select(words).prop_map(str::to_owned),
        1 => "[a-z0-9~:@_-]{0,4}",
    ];
    let end = prop::sample::select(vec!["/", "/", "/", "//", ";v=1/", "\\", "%2f", ".", ""]);
    let parts = vec((word, end), 0..6);
    parts.prop_map(|parts| {
        let parts = parts.into_iter().map(|(word, end)| word + end);
        format!("/{}", parts.collect::<String>())
    })
}

fn check(finding: Option<&Finding>) -> Result<(), TestCaseError> {
    if let Some(finding) = finding {
        prop_assert!(finding.detail.chars().count() <= 200, "{}", finding.detail);
        prop_assert!(
            !finding.detail.chars().any(char::is_control),
            "{:?}",
            finding.detail
        );
        let turns = finding.detail.contains('\u{202e}');
        prop_assert!(!turns);
        prop_assert!(!finding.rule.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_details_stay_clean(
        path in prop_oneof![text(), near_rules()],
        query in prop::option::of(text()),
        agent in prop::option::of(vec(any::<u8>(), 0..300)),
    ) {
        let rules = SecurityRules::default();
        check(rules.inspect(&path, query.as_deref(), agent.as_deref()).as_ref())?;
        check(rules.inspect(&path, None, None).as_ref())?;
        check(rules.inspect("/", query.as_deref(), None).as_ref())?;
    }

    #[test]
    fn agent_of_any_bytes_with_a_scanner_in_it_is_found(
        before in vec(any::<u8>(), 0..50),
        after in vec(any::<u8>(), 0..50),
    ) {
        let agent = [before.as_slice(), b" sqlmap/1 ", after.as_slice()].concat();
        let finding = SecurityRules::default().inspect("/", None, Some(&agent));
        prop_assert!(finding.is_some());
        check(finding.as_ref())?;
    }
}
