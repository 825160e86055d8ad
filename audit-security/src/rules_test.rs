//! Tests of the rules and their builder.
//!
//! One file, because its cases share the default rules.

use std::time::Duration;

use super::{Burst, Finding, MAX_INSPECTED, SecurityEventName, SecurityRules, SecurityRulesError};

type TestResult = Result<(), Box<dyn std::error::Error>>;

fn path(rules: &SecurityRules, path: &str) -> Option<Finding> {
    rules.inspect(path, None, None)
}

fn rule(finding: Option<Finding>) -> Option<String> {
    finding.map(|finding| finding.rule.into_owned())
}

#[test]
fn probing_paths_are_whole_segments() {
    let rules = SecurityRules::default();
    for ordinary in [
        "/administration",
        "/configure",
        "/sqlalchemy-docs",
        "/wp-administration",
        "/environment",
        "/my.env",
        "/docs/wp-admin",
        "/docs/phpmyadmin/install",
        "/docs/../guide",
        "/",
        "",
    ] {
        assert_eq!(path(&rules, ordinary), None, "{ordinary}");
    }
    for (hostile, name) in [
        ("/wp-admin", "/wp-admin"),
        ("/wp-admin/users.php", "/wp-admin"),
        ("/a/b/.env", ".env"),
        ("/.git/config", ".git/config"),
        ("/x/index.php.bak", "*.php.bak"),
        ("/docs/../wp-admin", "/wp-admin"),
        ("/app/WEB-INF/x", "web-inf"),
        ("/files/proc/self/environ", "file-system"),
    ] {
        assert_eq!(
            rule(path(&rules, hostile)).as_deref(),
            Some(name),
            "{hostile}"
        );
    }
}

#[test]
fn schemes_that_run_code_are_found_in_plain_paths() {
    let rules = SecurityRules::default();
    for hostile in ["/php://input", "/show/php://filter", "/a/jndi:ldap://b/c"] {
        assert!(path(&rules, hostile).is_some(), "{hostile}");
    }
    for ordinary in [
        "/users/urn:isbn:0451450523",
        "/v1/models:predict",
        "/a:b/c",
        "/12:30",
    ] {
        assert_eq!(path(&rules, ordinary), None, "{ordinary}");
    }
}

#[test]
fn disguised_paths_are_recognised() {
    let rules = SecurityRules::default();
    for hostile in [
        "/WP-Admin/",
        "//wp-admin",
        "/./wp-admin",
        "/wp-admin;x=1/",
        "/%77p-admin",
        "/%2577p-admin",
        "\\wp-admin",
        "/a/..%2fwp-admin",
        "/%c0%aeenv",
        "/%u002eenv",
        "/.env%00",
        "/.env/",
        "/.e%6Ev;v=2",
    ] {
        assert!(path(&rules, hostile).is_some(), "{hostile}");
    }
}

#[test]
fn climbing_is_a_finding_when_it_leaves_the_root_or_hides() {
    let rules = SecurityRules::default();
    for harmless in [
        "/a/../b",
        "/a/b/../../c",
        "/a/./b",
        "/a/..b/c",
        "/a../b",
        "/...",
    ] {
        assert_eq!(path(&rules, harmless), None, "{harmless}");
    }
    for hostile in [
        "/..",
        "/../a",
        "/a/../../b",
        "/a/%2e%2e/b",
        "/a/..%2fb",
        "/a/b/..\\c",
        "/a/%252e./b",
    ] {
        assert_eq!(
            rule(path(&rules, hostile)).as_deref(),
            Some("path-traversal"),
            "{hostile}"
        );
    }
    for hostile in ["/a/..;/b", "/a;/b", "/a/b;.jsp", "/.../.../etc"] {
        let found = rule(path(&rules, hostile));
        assert_eq!(found.as_deref(), Some("path-parameter"), "{hostile}");
    }
}

#[test]
fn only_what_an_application_may_serve_is_probing() {
    let rules = SecurityRules::default();
    let is_probe = |target| path(&rules, target).map(|finding| finding.is_probe);
    for probing in ["/wp-admin", "/.env", "/x.jsp", "/index.php.bak"] {
        assert_eq!(is_probe(probing), Some(true), "{probing}");
    }
    for attack in ["/../x", "/a/%2e%2e/b", "/x%27%20or%201=1--"] {
        assert_eq!(is_probe(attack), Some(false), "{attack}");
    }
    let found = rules.inspect("/", Some("q=<script>alert(1)"), None);
    assert_eq!(found.map(|finding| finding.is_probe), Some(false));
}

#[test]
fn search_text_is_no_attack() {
    let rules = SecurityRules::default();
    let found = |query: &str| rules.inspect("/search", Some(query), None).is_some();
    for asked in [
        "cat+/etc/os-release",
        "ls+|+grep+foo+%26%26+echo",
        "file:///C:/Users+blocked",
        "<script>+tag+or+link",
    ] {
        assert!(!found(&format!("q={asked}")), "{asked}");
    }
    for tried in [
        "<script>alert(1)</script>",
        "1'+or+1=1--",
        "${jndi:ldap://x/a}",
        "1+union+select+null",
    ] {
        assert!(found(&format!("q={tried}")), "{tried}");
        assert!(found(&format!("page=2&q={tried}&sort=a")), "{tried}");
    }
    assert!(found("q=tea&cmd=cat+/etc/passwd"));
}

#[test]
fn allowed_path_raises_nothing_and_shields_nothing_else() -> TestResult {
    let builder = SecurityRules::builder()
        .allow_path("/wp-admin")
        .allow_path("*.php.bak");
    let rules = builder.build()?;
    for allowed in [
        "/wp-admin",
        "/wp-admin/install.php",
        "/WP-ADMIN/",
        "/x.php.bak",
    ] {
        assert_eq!(path(&rules, allowed), None, "{allowed}");
    }
    for hostile in [
        "/wp-admin/.env",
        "/.env",
        "/wp-login.php",
        "/x.php.old",
        "/phpmyadmin",
    ] {
        assert!(path(&rules, hostile).is_some(), "{hostile}");
    }
    assert!(
        rules
            .inspect("/wp-admin", Some("q=<script>alert(1)"), None)
            .is_some()
    );
    Ok(())
}

#[test]
fn rules_of_ones_own_join_the_defaults_or_replace_them() -> TestResult {
    let builder = SecurityRules::builder()
        .probing_path("/internal/console")
        .scanner("Acme Prober")
        .pattern("canary", "honeytoken-[0-9]+");
    for rules in [
        builder.clone().build()?,
        builder.clone().without_defaults().build()?,
    ] {
        assert_eq!(
            rule(path(&rules, "/Internal/Console/x")).as_deref(),
            Some("/internal/console")
        );
        assert_eq!(path(&rules, "/internal"), None);
        assert_eq!(
            rule(rules.inspect("/", None, Some(b"acme-prober/2"))).as_deref(),
            Some("Acme Prober")
        );
        assert_eq!(
            rule(rules.inspect("/", Some("a=1&b=HoneyToken-7"), None)).as_deref(),
            Some("canary")
        );
        assert_eq!(
            rule(path(&rules, "/honeytoken-7")).as_deref(),
            Some("canary")
        );
    }
    let bare = builder.without_defaults().build()?;
    assert_eq!(path(&bare, "/wp-admin"), None);
    assert_eq!(
        bare.inspect("/", Some("q=<script>x"), Some(b"sqlmap/1.7")),
        None
    );
    Ok(())
}

#[test]
fn default_pattern_can_be_left_out() -> TestResult {
    let rules = SecurityRules::builder()
        .without_pattern("xss-tag")
        .build()?;
    assert_eq!(rules.inspect("/", Some("q=%3Cscript%3E"), None), None);
    assert!(
        SecurityRules::default()
            .inspect("/", Some("q=%3Cscript%3E"), None)
            .is_some()
    );
    Ok(())
}

#[test]
fn mistake_names_the_rule_and_the_remedy() {
    let builder = SecurityRules::builder;
    let says = |builder: super::SecurityRulesBuilder, parts: &[&str]| {
        let message = builder
            .build()
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        for part in parts {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    };
    for empty in ["", "/", "//", "*."] {
        says(builder().probing_path(empty), &["is empty", "/wp-admin"]);
        says(builder().allow_path(empty), &["is empty"]);
    }
    says(builder().probing_path("/a b"), &["\"/a b\"", "white space"]);
    says(builder().probing_path("/a?b"), &["\"/a?b\"", "character"]);
    says(builder().probing_path("/a/../b"), &["\"..\""]);
    says(builder().probing_path("*.a/b"), &["ending"]);
    says(builder().scanner("--"), &["\"--\"", "letters"]);
    says(
        builder().pattern("mine", "(unclosed"),
        &["\"mine\"", "correct it"],
    );
    says(
        builder().pattern("all", "x*"),
        &["\"all\"", "every request"],
    );
    says(
        builder().without_pattern("sqli"),
        &["\"sqli\"", "sqli-union"],
    );
    says(
        builder().burst(Burst::NotFound, 0, Duration::from_secs(1)),
        &["burst-not-found"],
    );
    says(
        builder().burst(Burst::Refused, 1, Duration::ZERO),
        &["burst-refused"],
    );
}

#[test]
fn bad_pattern_carries_its_source() {
    let error = SecurityRules::builder().pattern("mine", "(").build().err();
    assert!(matches!(error, Some(SecurityRulesError::Pattern { name, .. }) if name == "mine"));
}

#[test]
fn only_the_guilty_parameter_is_quoted() {
    let rules = SecurityRules::default();
    let detail = |query| {
        rules
            .inspect("/", Some(query), None)
            .map(|finding| finding.detail)
    };
    let found = detail("password=hunter2&id=1'+or+1=1&token=abc");
    assert_eq!(
        found.as_deref(),
        Some("query parameter \"id\": \"' or 1=1\"")
    );
    let found = detail("id=5&password=x'+or+'1'='1");
    assert_eq!(
        found.as_deref(),
        Some("query parameter \"password\": \"' or '1'='1\"")
    );
}

#[test]
fn no_value_of_a_parameter_is_in_a_finding() {
    let rules = SecurityRules::default();
    for secret in [
        "hunter2",
        "correct horse battery",
        "s3cr3t/abc",
        "hunter2hunter2",
    ] {
        for query in [
            "pass=SECRET' or 1=1--",
            "p=SECRET%00",
            "sid=SECRET%00",
            "sig=SECRET<script>alert(1)",
            "auth=SECRET;cat /etc/passwd",
            "key=SECRET' union select 1,2",
            "card=SECRET'-- ",
            "refresh=SECRET${jndi:ldap://x/a}",
            "next=/cb?token=SECRET%26x=<script>alert(1)",
            "next=/cb?token=SECRET<svg/onload=alert(1)>",
            "next=/reset/SECRET%00",
            "q={%22password%22:%22SECRET%22,%22x%22:%22<script>alert(1)%22}",
            "x={{%22password%22:%22SECRET%22,config.items}}",
            "x=<a token=SECRET onclick=alert(1)>",
            "file=SECRET/../../../../etc/passwd",
            "file=/home/SECRET/.env",
            "u=SECRET or 1=1",
            "a=1&token=SECRET&id=1 union select null",
            // The text before the first `=` is no name.
            "{%22password%22:%22SECRET%22,%22x%22:%22' or 1=1--%22}",
            "token:SECRET' or 1=1--",
            "SECRET' or 1=1--",
            "%20SECRET%20=' or 1=1--",
            "token:SECRET=<script>alert(1)",
            "SECRET%00=<script>alert(1)",
            "/cb?token/SECRET=1' or 1=1--",
        ] {
            let query = query.replace("SECRET", secret).replace(' ', "+");
            let Some(finding) = rules.inspect("/", Some(&query), None) else {
                continue;
            };
            let detail = finding.detail;
            for word in secret.split([' ', '/']) {
                assert!(!detail.contains(word), "{query}: {detail}");
            }
        }
    }
    let long = format!("{}=' or 1=1", "n".repeat(65));
    for (query, label) in [
        ("pass=hunter2' or 1=1--", "query parameter \"pass\""),
        (
            "user[pass.word-2]=' or 1=1",
            "query parameter \"user[pass.word-2]\"",
        ),
        ("pass word=' or 1=1", "query"),
        ("\u{43f}=' or 1=1", "query"),
        ("=' or 1=1", "query"),
        (&*long, "query"),
    ] {
        let found = rules.inspect("/", Some(&query.replace(' ', "+")), None);
        let detail = found.map(|finding| finding.detail).unwrap_or_default();
        assert_eq!(detail, format!("{label}: \"' or 1=1\""), "{query}");
    }
}

#[test]
fn path_of_a_finding_shows_words_of_its_rule_alone() {
    let rules = SecurityRules::default();
    let detail = |target: &str| {
        let found = path(&rules, target);
        found.map(|finding| finding.detail).unwrap_or_default()
    };
    for secret in [
        "hunter2",
        "s3cr3t-t0ken_x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ2aWMifQ.Vx2nO_tsmR",
        "k7",
        "zq",
        "h%75nter2",
        "%68%75%6e%74%65%72%32",
        "h%2575nter2",
        "correct%20horse",
    ] {
        let hidden = [
            "hunter", "s3cr3t", "t0ken", "eyj", "vx2n", "tsmr", "k7", "zq", "correct", "horse", "%",
        ];
        for target in [
            "/reset/SECRET/.env",
            "/reset/SECRET/.git/config",
            "/cb&token=SECRET/.env",
            "/cb%3Fpassword=SECRET%00",
            "/.env/SECRET",
            "/SECRET/x.jsp",
            "/SECRET.php.bak",
            "/x.jsp;jsessionid=SECRET",
            "/SECRET/../../x",
            "/a/%2e%2e/SECRET",
            "/SECRET'%20or%201=1--",
            "/SECRET/<script>alert(1)",
            "/wp-admin/SECRET",
        ] {
            let target = target.replace("SECRET", secret);
            let detail = detail(&target).to_lowercase();
            assert!(!detail.is_empty(), "{target}");
            for word in hidden {
                assert!(!detail.contains(word), "{target}: {detail}");
            }
        }
    }
    for (target, shown) in [
        ("/wp-admin/setup.php", "/wp-admin/….…"),
        ("/WP-Admin/", "/wp-admin/"),
        ("/reset/hunter2/.git/config", "/…/…/.git/config"),
        ("/files/index.php.bak", "/…/….php.bak"),
        ("/7/x/../../../etc", "/…/…/../../../…"),
        ("/x.jsp;jsessionid=0a1b", "/….jsp"),
        ("/%77p-admin/%3Ftoken=x", "/wp-admin/"),
    ] {
        assert_eq!(detail(target), format!("path \"{shown}\""), "{target}");
    }
}

#[test]
fn other_findings_stay_where_a_probing_path_is_served() -> TestResult {
    let rules = SecurityRules::default();
    let served = |path, agent: &'static str| {
        let found = rules.inspect(path, None, Some(agent.as_bytes()));
        rule(found.and_then(Finding::served))
    };
    assert_eq!(served("/wp-login.php", "curl/8"), None);
    assert_eq!(
        served("/wp-login.php", "sqlmap/1.7").as_deref(),
        Some("sqlmap")
    );
    assert_eq!(
        served("/x.jsp", "${jndi:ldap://x/a}").as_deref(),
        Some("jndi")
    );
    assert_eq!(served("/../x", "curl/8").as_deref(), Some("path-traversal"));
    // An allowed path is no finding from the start, and the application's own pattern is reported first.
    let rules = SecurityRules::builder()
        .allow_path("/legacy")
        .allow_path("*.asp")
        .pattern("canary", "honey")
        .build()?;
    for allowed in ["/legacy/x.jsp", "/y.asp"] {
        assert_eq!(path(&rules, allowed), None, "{allowed}");
    }
    assert_eq!(rule(path(&rules, "/honey.jsp")).as_deref(), Some("canary"));
    Ok(())
}

/// Examples from issues.
#[test]
fn examples_are_found_and_false_alarms_are_gone() {
    let rules = SecurityRules::default();
    let found = |target: &str| {
        let (path, query) = target.split_once('?').unzip();
        let found = rules.inspect(path.unwrap_or(target), query, None);
        rule(found)
    };
    for hostile in [
        "/SetupWizard.aspx/",
        "/app/rest/users/id:1/tokens/RPC2",
        "/webtools/control/forgotPassword;/ProgramExport",
        "/@fs/etc/passwd?raw??",
        "/?class.module.classLoader.resources.context",
        "/dana-ws/saml20.ws",
        "/.../.../etc/passwd",
        "/.well-known/fm.php",
        "/latest/meta-data/iam",
        "/api/v1/namespaces/kube-system/secrets",
        "/?__proto__[admin]=1",
        "/?d=rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcA",
        "/?x=require('child_process')",
        "/?id=1e0UNION/*!50000SELECT*/1,2",
        "/?id=1%EF%BC%87+or+%EF%BC%871%EF%BC%87=%EF%BC%871",
        "/?url=http://127.0.0.1:6379/",
    ] {
        assert!(found(hostile).is_some(), "{hostile}");
    }
    for ordinary in [
        "/env.js",
        "/package.json",
        "/search?q=import+../../utils",
        "/search?q=Western+Union+select+all+from+list",
        "/search?q=union+select+committee+members+from+all+districts",
        "/issues?jql=text+~+%22select+*+from%22",
        "/graphql?query={__schema{types{name}}}",
    ] {
        assert_eq!(found(ordinary), None, "{ordinary}");
    }
}

#[test]
fn introspection_is_asked_for_where_it_is_wanted() -> TestResult {
    let query = Some("query={__schema{types{name}}}");
    assert_eq!(
        SecurityRules::default().inspect("/graphql", query, None),
        None
    );
    let rules = SecurityRules::builder().with_pattern("graphql-introspection");
    let found = rules.build()?.inspect("/graphql", query, None);
    assert_eq!(rule(found).as_deref(), Some("graphql-introspection"));
    Ok(())
}

#[test]
fn attack_precedes_scanner() {
    let rules = SecurityRules::default();
    let agent = Some(b"sqlmap/1.7".as_slice());
    let event = |path, query| {
        rules
            .inspect(path, query, agent)
            .map(|finding| finding.event)
    };
    assert_eq!(
        event("/.env", Some("id=1+or+1=1")),
        Some(SecurityEventName::MaliciousExtraneous)
    );
    assert_eq!(
        event("/.env", None),
        Some(SecurityEventName::MaliciousDirectReference)
    );
    assert_eq!(
        event("/", None),
        Some(SecurityEventName::MaliciousAttackTool)
    );
}

#[test]
fn target_too_long_to_inspect_is_a_finding() {
    let rules = SecurityRules::default();
    let long = format!("/{}", "a".repeat(MAX_INSPECTED));
    let event = |finding: Option<Finding>| finding.map(|finding| finding.event);
    assert_eq!(
        event(path(&rules, &long)),
        Some(SecurityEventName::InputValidationFail)
    );
    assert_eq!(
        event(rules.inspect("/", Some(&long), None)),
        Some(SecurityEventName::InputValidationFail)
    );
    assert_eq!(path(&rules, &long[..MAX_INSPECTED]), None);
    assert_eq!(rules.inspect("/", None, Some(long.as_bytes())), None);
}
