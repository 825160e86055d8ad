//! Texts, the queries that they are, and their errors.

mod completion;
mod errors;
mod guide;
mod properties;

use ipnet::IpNet;
use uuid::Uuid;

use crate::action::{Action, Outcome, Source};
use crate::actor::ActorType;
use crate::query::search::AuditQuery;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const ID: &str = "01234567-89ab-7def-8123-456789abcdef";

#[test]
fn each_key_is_its_method_and_back() -> TestResult {
    let new = AuditQuery::new;
    let network = |text: &str| text.parse::<IpNet>();
    for (text, query) in [
        ("model:order", new().model("order")),
        ("model:order,post", new().model(["order", "post"])),
        ("object:7", new().object(7)),
        ("object:\"[1,\\\"a\\\"]\"", new().object("[1,\"a\"]")),
        ("action:update", new().action(Action::Update)),
        (
            "action:login_failed,approve",
            new().action([Action::LoginFailed, Action::custom("APPROVE")?]),
        ),
        ("outcome:failure", new().outcome(Outcome::Failure)),
        ("actor:7", new().actor("7")),
        ("actor-type:user", new().actor_type(ActorType::User)),
        ("impersonator:1", new().impersonator(1)),
        ("ip:10.0.0.0/8", new().address(network("10.1.2.3/8")?)),
        (
            "ip:192.0.2.7,2001:db8::1",
            new().address([network("192.0.2.7/32")?, network("2001:db8::1/128")?]),
        ),
        ("tenant:north", new().tenant("north")),
        ("request:r-1", new().request("r-1")),
        ("trace:4bf92f", new().trace("4bf92f")),
        (
            "transaction:01234567-89ab-7def-8123-456789abcdef",
            new().transaction(ID.parse::<Uuid>()?),
        ),
        ("reason:\"price, wrong\"", new().reason("price, wrong")),
        ("source:trigger", new().source(Source::Trigger)),
        ("module:import", new().module(String::from("import"))),
        (
            "created:2026-03..2026-04",
            new().created("2026-03..2026-04".parse()?),
        ),
        (
            "created:>=2026-03-05T10:30:15.5Z created:<2026-03-06T00:00:00Z",
            new()
                .since("2026-03-05T10:30:15.5Z".parse()?)
                .until("2026-03-06T00:00:00Z".parse()?),
        ),
        ("field:price", new().field("price")),
        ("from:price=5", new().from("price", 5)),
        ("to:price=-6,7.50", new().to("price", ["-6", "7.50"])),
        ("to:\"unit price\"=\"a=b\"", new().to("unit price", "a=b")),
        ("Ann", new().text("Ann")),
        ("\"Ann Lee\"", new().text("Ann Lee")),
        ("-source:trigger", new().not(new().source(Source::Trigger))),
        ("-Ann", new().not(new().text("Ann"))),
        (
            "model:a -model:b c",
            new().and(new().model("a")).not(new().model("b")).text("c"),
        ),
        ("", new()),
    ] {
        assert_eq!(query.to_string(), text);
        assert_eq!(text.parse::<AuditQuery>()?, query, "{text}");
    }
    Ok(())
}

#[test]
fn other_ways_of_writing_are_the_same_query() -> TestResult {
    for (text, printed) in [
        ("  model:order\t\u{3000}post\n", "model:order post"),
        ("MODEL:order Actor-Type:USER", "model:order actor-type:user"),
        ("action:Login-Failed", "action:login_failed"),
        ("action:\"update\"", "action:update"),
        ("action:\"UPDTE\"", "action:\"UPDTE\""),
        ("action:\"updte\"", "action:\"UPDTE\""),
        ("action:approve_2", "action:approve_2"),
        (
            "tx:0123456789AB7DEF8123456789ABCDEF",
            &format!("transaction:{ID}"),
        ),
        ("ip:::ffff:10.1.2.3", "ip:10.1.2.3"),
        ("ip:10.1.2.3/32", "ip:10.1.2.3"),
        ("created:\"today\"", "created:today"),
        ("created:2026-03-05t10:30z", "created:2026-03-05T10:30Z"),
        ("actor:CORP\\ann", "actor:\"CORP\\\\ann\""),
        ("to:url=a=b", "to:url=\"a=b\""),
        ("to:a:b=()", "to:\"a:b\"=()"),
        ("model:\"\"", "model:\"\""),
        ("\"model:order\"", "\"model:order\""),
        ("model:()", "model:()"),
        ("a,b", "\"a,b\""),
        ("or and not", "or and not"),
        ("\"OR\"", "\"OR\""),
        (
            "reason:\"\\u{1b}\\n\\t\\r\\\\\"",
            "reason:\"\\u{1b}\\n\\t\\r\\\\\"",
        ),
        ("reason:\"a\nb\"", "reason:\"a\\nb\""),
        ("e\u{301}", "\"e\u{301}\""),
    ] {
        let query: AuditQuery = text.parse().map_err(|error| format!("{text}: {error}"))?;
        assert_eq!(query.to_string(), printed, "{text}");
        assert_eq!(printed.parse::<AuditQuery>()?, query, "{text}");
    }
    Ok(())
}

#[test]
fn several_values_come_in_any_container() -> TestResult {
    let expected: AuditQuery = "object:7,8".parse()?;
    let ids = vec![7, 8];
    assert_eq!(AuditQuery::new().object([7, 8]), expected);
    assert_eq!(AuditQuery::new().object(&ids), expected);
    assert_eq!(AuditQuery::new().object(&ids[..]), expected);
    assert_eq!(AuditQuery::new().object(ids), expected);
    assert_eq!(AuditQuery::new().object(7..9), expected);
    let actions = [Action::Create, Action::Delete];
    let expected: AuditQuery = "action:create,delete".parse()?;
    assert_eq!(AuditQuery::new().action(&actions), expected);
    assert_eq!(AuditQuery::new().action(actions), expected);
    let address: std::net::IpAddr = "::ffff:192.0.2.7".parse()?;
    assert_eq!(AuditQuery::new().address(address), "ip:192.0.2.7".parse()?);
    Ok(())
}

#[test]
fn no_values_are_none_and_not_all() {
    let none: [&str; 0] = [];
    let query = AuditQuery::new().tenant(none).from("price", None::<i32>);
    assert_eq!(query.to_string(), "tenant:() from:price=()");
}

#[test]
fn opposite_of_an_opposite_is_the_filter() {
    let not = AuditQuery::new().not(AuditQuery::new().model("a"));
    assert_eq!(AuditQuery::new().not(not), AuditQuery::new().model("a"));
}
