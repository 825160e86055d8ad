use std::error::Error;
use std::fmt::Write as _;

use http::HeaderValue;
use proptest::prelude::*;

use super::ProxyHeader::{Forwarded, XForwardedFor, XRealIp};
use super::*;

type Outcome = Result<(), Box<dyn Error>>;

const PEER: &str = "10.0.0.1";

fn behind(header: ProxyHeader) -> Result<ClientAddress, AddressError> {
    let proxies = TrustedProxies::new(["10.0.0.0/8", "fd00::/8"])?;
    Ok(ClientAddress::behind(proxies, header))
}

fn headers(name: &'static str, lines: &[&[u8]]) -> Result<HeaderMap, Box<dyn Error>> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line)?);
    }
    Ok(headers)
}

fn name(header: &ProxyHeader) -> &'static str {
    match header {
        Forwarded => "forwarded",
        XForwardedFor => "x-forwarded-for",
        _ => "x-real-ip",
    }
}

/// The client of a request from a trusted peer.
fn client(header: ProxyHeader, lines: &[&[u8]]) -> Result<String, Box<dyn Error>> {
    let headers = headers(name(&header), lines)?;
    let address = behind(header)?.of(Some(PEER.parse()?), &headers);
    Ok(address.map(|a| a.to_string()).unwrap_or_default())
}

#[test]
fn by_default_no_header_is_believed() -> Outcome {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_static("1.1.1.1"));
    headers.insert("x-real-ip", HeaderValue::from_static("1.1.1.1"));
    headers.insert("forwarded", HeaderValue::from_static("for=1.1.1.1"));
    for peer in [PEER, "127.0.0.1", "::1", "192.0.2.1"] {
        let peer = Some(peer.parse()?);
        assert_eq!(ClientAddress::default().of(peer, &headers), peer);
    }
    assert_eq!(ClientAddress::default().of(None, &headers), None);
    Ok(())
}

#[test]
fn peer_that_is_not_trusted_is_the_client_itself() -> Outcome {
    let headers = headers("x-forwarded-for", &[b"1.1.1.1, 10.0.0.2"])?;
    let walk = behind(XForwardedFor)?.walk(Some("::ffff:192.0.2.1".parse()?), &headers);
    assert_eq!(walk.address, Some("192.0.2.1".parse()?));
    assert_eq!(walk.hops, 0);
    Ok(())
}

#[test]
fn the_first_address_from_the_right_that_is_no_proxy_is_the_client() -> Outcome {
    for (lines, expected) in [
        (&[][..], PEER),
        (&[&b"192.0.2.1"[..]], "192.0.2.1"),
        (&[b"1.1.1.1, 192.0.2.1"], "192.0.2.1"),
        (&[b"1.1.1.1, 192.0.2.1, 10.0.0.2,10.0.0.3"], "192.0.2.1"),
        (&[b"192.0.2.1:4711, [fd00::1]:80"], "192.0.2.1"),
        (&[b"2001:db8::1, ::ffff:10.9.9.9"], "2001:db8::1"),
        (&[b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        // lines are one list, in order
        (
            &[b"1.1.1.1", b"192.0.2.1, 10.0.0.3", b"10.0.0.2"],
            "192.0.2.1",
        ),
    ] {
        assert_eq!(client(XForwardedFor, lines)?, expected, "{lines:?}");
    }
    Ok(())
}

#[test]
fn hop_that_cannot_be_read_ends_at_the_last_address_reached() -> Outcome {
    for garbage in [
        &b"unknown"[..],
        b"_hidden",
        b"",
        b" ",
        b"localhost",
        b"10.0.0",
        b"10.0.0.2 10.0.0.3",
        b"\xff\xfe\x80",
        b"\"10.0.0.2\"",
        b"<script>",
    ] {
        let line = [b"1.1.1.1, ", garbage].concat();
        assert_eq!(client(XForwardedFor, &[&line])?, PEER, "{garbage:?}");
        let line = [b"1.1.1.1, ", garbage, b", 10.0.0.7"].concat();
        assert_eq!(client(XForwardedFor, &[&line])?, "10.0.0.7", "{garbage:?}");
        assert_eq!(client(XForwardedFor, &[b"1.1.1.1", garbage])?, PEER);
        assert_eq!(client(XRealIp, &[garbage])?, PEER);
        assert_eq!(client(Forwarded, &[b"for=1.1.1.1", garbage])?, PEER);
    }
    Ok(())
}

#[test]
fn the_lists_of_the_standard_are_read() -> Outcome {
    for (lines, expected) in [
        (
            &[&b"for=192.0.2.43, for=198.51.100.17"[..]][..],
            "198.51.100.17",
        ),
        (
            &[b"for=192.0.2.43, for=\"[2001:db8:cafe::17]\""],
            "2001:db8:cafe::17",
        ),
        (
            &[b"for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown"],
            PEER,
        ),
        (&[b"for=_hidden, for=_SEVKISEK"], PEER),
        (
            &[
                b"for=192.0.2.43",
                b"for=\"[2001:db8:cafe::17]\", for=unknown",
            ],
            PEER,
        ),
        (
            &[b"proto=http;For=\"[2001:db8:cafe::17]:4711\", for=10.0.0.2;by=10.0.0.3"],
            "2001:db8:cafe::17",
        ),
    ] {
        assert_eq!(client(Forwarded, lines)?, expected, "{lines:?}");
    }
    Ok(())
}

#[test]
fn open_quote_does_not_hide_the_hop_that_the_proxy_wrote() -> Outcome {
    for forged in [
        &br#"for=1.1.1.1;by=""#[..],
        br#"for=1.1.1.1;by="\"#,
        br#"for="1.1.1.1"#,
        b"\"",
    ] {
        let line = [forged, b", for=192.0.2.1;proto=https, for=10.0.0.2"].concat();
        assert_eq!(client(Forwarded, &[&line])?, "192.0.2.1");
        assert_eq!(client(Forwarded, &[forged, b"for=192.0.2.1"])?, "192.0.2.1");
    }
    Ok(())
}

#[test]
fn only_the_header_that_was_named_is_believed() -> Outcome {
    let mut headers = HeaderMap::new();
    headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
    headers.insert("forwarded", HeaderValue::from_static("for=192.0.2.2"));
    headers.insert("x-real-ip", HeaderValue::from_static("192.0.2.3"));
    headers.insert("cf-connecting-ip", HeaderValue::from_static("192.0.2.4"));
    let own = ProxyHeader::Single(HeaderName::from_static("cf-connecting-ip"));
    for (header, expected) in [
        (XForwardedFor, "192.0.2.1"),
        (Forwarded, "192.0.2.2"),
        (XRealIp, "192.0.2.3"),
        (own, "192.0.2.4"),
    ] {
        let client = behind(header)?.of(Some(PEER.parse()?), &headers);
        assert_eq!(client, Some(expected.parse()?));
    }
    Ok(())
}

#[test]
fn header_of_one_address_must_have_one() -> Outcome {
    assert_eq!(client(XRealIp, &[b"192.0.2.1:80"])?, "192.0.2.1");
    assert_eq!(client(XRealIp, &[b"1.1.1.1, 192.0.2.1"])?, PEER);
    assert_eq!(client(XRealIp, &[b"1.1.1.1", b"192.0.2.1"])?, PEER);
    Ok(())
}

#[test]
fn peer_without_an_address_is_believed_only_if_that_was_said() -> Outcome {
    let headers = headers("x-forwarded-for", &[b"1.1.1.1, 192.0.2.1, 10.0.0.2"])?;
    let client = behind(XForwardedFor)?;
    assert_eq!(client.of(None, &headers), None);
    let client = client.trust_unknown_peer(true);
    assert_eq!(client.of(None, &headers), Some("192.0.2.1".parse()?));
    assert_eq!(client.of(None, &HeaderMap::new()), None);
    // With an address the hop is not unknown.
    let peer = Some("192.0.2.9".parse()?);
    assert_eq!(client.of(peer, &headers), peer);
    Ok(())
}

#[test]
fn forged_hops_are_not_even_looked_at() -> Outcome {
    let mut line = String::new();
    for n in 0..200 {
        write!(line, "10.1.1.{n}, ")?;
    }
    line.push_str("192.0.2.1, 10.0.0.2");
    let headers = headers("x-forwarded-for", &[line.as_bytes()])?;
    let walk = behind(XForwardedFor)?.walk(Some(PEER.parse()?), &headers);
    assert_eq!(walk.address, Some("192.0.2.1".parse()?));
    assert_eq!(walk.hops, 2);
    Ok(())
}

#[test]
fn no_more_than_64_hops_are_looked_at() -> Outcome {
    let many = "10.1.1.1,".repeat(200) + "10.0.0.2";
    let lines = vec![&b"10.1.1.1"[..]; 200];
    for lines in [&[many.as_bytes()][..], &lines] {
        let headers = headers("x-forwarded-for", lines)?;
        let walk = behind(XForwardedFor)?.walk(Some(PEER.parse()?), &headers);
        assert_eq!(walk.address, Some("10.1.1.1".parse()?));
        assert_eq!(walk.hops, 64);
    }
    Ok(())
}

#[test]
fn huge_header_is_searched_from_the_right_and_not_to_its_end() -> Outcome {
    let huge = vec![b'x'; 10_240];
    assert_eq!(client(XForwardedFor, &[&huge])?, PEER);
    assert_eq!(client(Forwarded, &[&huge])?, PEER);
    let line = [&huge, &b", 192.0.2.1, 10.0.0.2"[..]].concat();
    assert_eq!(client(XForwardedFor, &[&line])?, "192.0.2.1");
    let line = [&huge, &b"\", for=192.0.2.1, for=10.0.0.2"[..]].concat();
    assert_eq!(client(Forwarded, &[&line])?, "192.0.2.1");
    // Half a hop does not count: the limit falls between `9` and `1.1.1.1`.
    let line = [&b"91.1.1.1"[..], &[b' '; 8 * 1024 - 7]].concat();
    assert_eq!(client(XForwardedFor, &[b"1.1.1.1", &line])?, PEER);
    // White space cannot push a header over the limit and leave a shorter one.
    let line = [&b"192.0.2.1"[..], &[b' '; 9000], b", 10.0.0.2"].concat();
    assert_eq!(client(XForwardedFor, &[b"1.1.1.1", &line])?, "10.0.0.2");
    Ok(())
}

fn any_header() -> impl Strategy<Value = ProxyHeader> {
    prop_oneof![Just(XForwardedFor), Just(Forwarded), Just(XRealIp)]
}

/// Text that resembles the input of the parsers.
fn near_misses() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 16] = [
        b"for=",
        b"by=",
        b"1.1.1.1",
        b"10.0.0.9",
        b"::1",
        b"[",
        b"]",
        b":80",
        b"%e",
        b"\"",
        b"\\",
        b",",
        b";",
        b" ",
        b"\xff",
        b"unknown",
    ];
    let pieces = prop::sample::select(&PIECES[..]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

/// The forms in which a proxy writes an address.
fn written(header: &ProxyHeader, address: IpAddr, style: u8) -> String {
    let quoted = style & 1 == 1 || address.is_ipv6();
    let port = if style & 2 == 2 { ":4711" } else { "" };
    let node = match address {
        IpAddr::V6(v6) if header == &Forwarded || !port.is_empty() => format!("[{v6}]{port}"),
        other => format!("{other}{port}"),
    };
    if header != &Forwarded {
        return node;
    }
    let quote = if quoted || !port.is_empty() { "\"" } else { "" };
    let more = if style & 4 == 4 {
        r#";host="a,\"b;for=2.2.2.2""#
    } else {
        ""
    };
    let begin = if style & 8 == 8 { "proto=https;" } else { "" };
    format!("{begin}For={quote}{node}{quote}{more}")
}

fn public_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 2]>().prop_map(|[c, d]| IpAddr::from([192, 0, c, d])),
        any::<u16>().prop_map(|n| IpAddr::from([0x2001, 0xdb8, n, 0, 0, 0, 0, 1])),
    ]
}

fn proxy_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 2]>().prop_map(|[c, d]| IpAddr::from([10, 0, c, d])),
        any::<u16>().prop_map(|n| IpAddr::from([0xfd00, n, 0, 0, 0, 0, 0, 1])),
    ]
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(
        header in any_header(),
        lines in prop::collection::vec(
            prop_oneof![prop::collection::vec(any::<u8>(), 0..60), near_misses()], 0..4),
        peer in any::<IpAddr>(),
        with_peer in any::<bool>(),
    ) {
        let mut headers = HeaderMap::new();
        for line in lines {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                headers.append(name(&header), value);
            }
        }
        let everyone = TrustedProxies::new(["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]);
        let client = ClientAddress::behind(everyone.unwrap(), header).trust_unknown_peer(true);
        let walk = client.walk(with_peer.then_some(peer), &headers);
        prop_assert!(walk.hops <= MAX_HOPS);
        prop_assert!(walk.address.is_none_or(|address| address == address.to_canonical()));
    }

    /// The client's own header, then what each proxy appended: the address of its peer, the client first. The answer is
    /// the client, whatever it sent.
    #[test]
    fn the_answer_is_never_an_address_that_the_client_wrote(
        header in prop_oneof![Just(XForwardedFor), Just(Forwarded)],
        forged in prop::collection::vec(
            prop_oneof![near_misses(), prop::collection::vec(any::<u8>(), 0..40)], 0..4),
        client in public_address(),
        proxies in prop::collection::vec((proxy_address(), any::<u8>(), any::<bool>()), 0..6),
        first in (any::<u8>(), any::<bool>()),
        peer in proxy_address(),
    ) {
        let mut lines: Vec<Vec<u8>> = forged
            .into_iter()
            .filter(|line| HeaderValue::from_bytes(line).is_ok())
            .collect();
        let hops = std::iter::once((client, first.0, first.1)).chain(proxies);
        for (address, style, new_line) in hops {
            let hop = written(&header, address, style);
            match lines.last_mut() {
                Some(line) if !new_line => line.extend([", ", &hop].concat().into_bytes()),
                _ => lines.push(hop.into_bytes()),
            }
        }
        let mut headers = HeaderMap::new();
        for line in &lines {
            headers.append(name(&header), HeaderValue::from_bytes(line).unwrap());
        }
        prop_assert_eq!(behind(header).unwrap().of(Some(peer), &headers), Some(client));
    }

    /// The same with a proxy that hides its peer: the answer is that proxy.
    #[test]
    fn behind_a_proxy_that_hides_its_caller_the_proxy_is_the_answer(
        header in prop_oneof![Just(XForwardedFor), Just(Forwarded)],
        forged in near_misses(),
        proxy in proxy_address(),
        style in any::<u8>(),
        peer in proxy_address(),
    ) {
        let hidden = if header == Forwarded { "for=_x7" } else { "unknown" };
        let shown = written(&header, proxy, style);
        let line = [&forged, format!(", {hidden}, {shown}").as_bytes()].concat();
        let mut headers = HeaderMap::new();
        headers.append(name(&header), HeaderValue::from_bytes(&line).unwrap());
        prop_assert_eq!(behind(header).unwrap().of(Some(peer), &headers), Some(proxy));
    }
}
