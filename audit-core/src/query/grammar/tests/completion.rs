//! Completion: `|` is the cursor in these texts.

use super::AuditQuery;

/// The text that is replaced, and the candidates.
fn complete(text: &str) -> (String, Vec<String>) {
    let cursor = text.find('|').unwrap();
    let text = text.replace('|', "");
    let completion = AuditQuery::complete(&text, cursor);
    (text[completion.range].to_owned(), completion.candidates)
}

#[test]
fn key_is_completed_with_its_colon() {
    for (text, replaced, candidates) in [
        ("mo|", "mo", &["model:", "module:"][..]),
        ("model:a -MOD|", "MOD", &["model:", "module:"]),
        ("mod|el:order x", "model:", &["model:", "module:"]),
        ("a ten|ant b", "tenant", &["tenant:"]),
        ("tra|\"x\"", "tra", &["trace:", "transaction:"]),
        ("ann|", "ann", &[]),
        ("\"a b\" from|", "from", &["from:"]),
    ] {
        let (found, words) = complete(text);
        assert_eq!(
            (found.as_str(), words.as_slice()),
            (
                replaced,
                candidates
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>()
                    .as_slice()
            ),
            "{text}"
        );
    }
    assert_eq!(complete("|").1.len(), 19);
    assert_eq!(complete("model:a |").1.len(), 19);
}

#[test]
fn word_of_a_closed_list_is_completed() {
    for (text, replaced, candidates) in [
        ("outcome:|", "", &["success", "failure", "open"][..]),
        ("outcome:F|", "F", &["failure"]),
        ("-source:hook,tr|igger,bulk", "trigger", &["trigger"]),
        ("action:log|", "log", &["login", "logout", "login_failed"]),
        ("actor-type:s|", "s", &["service", "system"]),
        ("created:t|", "t", &["today", "this-week", "this-month"]),
        (
            "created:|",
            "",
            &[
                "today",
                "yesterday",
                "this-week",
                "this-month",
                "30m",
                "24h",
                "7d",
            ],
        ),
        ("model:|", "", &[]),
        ("outcom:|", "", &[]),
        ("action:\"up|", "", &[]),
        ("action:\"X,\",up|", "up", &["update"]),
        ("\"outcome:f|", "", &[]),
        ("\"a\\\" outcome:f|", "", &[]),
    ] {
        let (found, words) = complete(text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(
            (found.as_str(), words.as_slice()),
            (replaced, candidates),
            "{text}"
        );
    }
}

#[test]
fn cursor_beyond_the_text_is_its_end() {
    assert_eq!(
        AuditQuery::complete("mo", 99),
        AuditQuery::complete("mo", 2)
    );
    assert_eq!(AuditQuery::complete("日", 2), AuditQuery::complete("日", 0));
}
