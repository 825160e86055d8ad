//! The request id: it identifies a request in every log.
//!
//! It is tower-http's [`RequestId`], in the header and in the request's extensions, so that its layers (`TraceLayer`,
//! `PropagateRequestIdLayer`) and those that make ids (`SetRequestIdLayer`, put outside) work with ours. An incoming
//! id is accepted only if it is harmless; this module never changes one, since a changed id is found in no other log.
//! New ids are UUIDs of version 7 (RFC 9562), which sort by time.

use http::Request;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use tower_http::request_id::RequestId;
use uuid::Uuid;

/// The header in which request ids are usually sent.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest incoming id that is accepted, in characters.
const MAX_CHARS: usize = 128;

/// Whether an incoming request id is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IncomingRequestId {
    /// It is accepted, to join the logs of several services. This is the default, as it is tower-http's.
    ///
    /// It has 1 to 128 characters out of ASCII letters, digits and `._:+/=@-`, and begins with none of `=+-@`. That
    /// includes every UUID, ULID, hexadecimal and base64 id, and excludes markup, formulas and control characters.
    /// Unless a proxy sets the header, clients choose the id, and may use one twice: it helps to find records, and
    /// proves nothing.
    #[default]
    Believed,
    /// It is ignored: every request gets a new id. An id that an outer layer of the application has set is accepted
    /// nevertheless, and tower-http's `SetRequestIdLayer` sets what clients send.
    Ignored,
}

/// The id that came with the request, or that an outer layer set; otherwise a new one. It is then in the header and
/// in the extensions.
pub(crate) fn settle<B>(
    request: &mut Request<B>,
    name: &HeaderName,
    incoming: IncomingRequestId,
) -> HeaderValue {
    let around = request.extensions().get::<RequestId>();
    let around = around.map(|id| id.header_value().clone());
    let sent = || match incoming {
        IncomingRequestId::Believed => only(request.headers(), name),
        IncomingRequestId::Ignored => None,
    };
    let id = around.or_else(sent).filter(is_harmless).unwrap_or_else(own);
    // The header map may be full; the extensions have the id nevertheless.
    drop(request.headers_mut().try_insert(name, id.clone()));
    request.extensions_mut().insert(RequestId::new(id.clone()));
    id
}

/// The id as text.
pub(crate) fn text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}

fn own() -> HeaderValue {
    let mut text = Uuid::encode_buffer();
    let text = Uuid::now_v7().hyphenated().encode_lower(&mut text);
    // All its characters are valid in a header.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unknown"))
}

/// A header that occurs once.
fn only(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => Some(line.clone()),
        _ => None,
    }
}

fn is_harmless(id: &HeaderValue) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:+/=@-".contains(byte);
    let bytes = id.as_bytes();
    (1..=MAX_CHARS).contains(&bytes.len())
        && bytes.iter().all(allowed)
        && !b"=+-@".contains(&bytes[0])
}

#[cfg(test)]
mod tests {
    use http::header::InvalidHeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn request(lines: &[&str]) -> Result<Request<()>, InvalidHeaderValue> {
        let mut request = Request::new(());
        for line in lines {
            let line = HeaderValue::from_str(line)?;
            request.headers_mut().append(X_REQUEST_ID, line);
        }
        Ok(request)
    }

    fn settle(request: &mut Request<()>) -> HeaderValue {
        super::settle(request, &X_REQUEST_ID, IncomingRequestId::Believed)
    }

    fn is_own(id: &HeaderValue) -> bool {
        Uuid::parse_str(text(id)).is_ok_and(|id| id.get_version_num() == 7)
    }

    /// The id is the only one in the headers, and in the extensions.
    fn is_reported(id: &HeaderValue, request: &Request<()>) -> bool {
        let known = request.extensions().get::<RequestId>();
        (request.headers().get_all(X_REQUEST_ID).iter()).eq([id])
            && known.is_some_and(|known| known.header_value() == id)
    }

    #[test]
    fn harmless_id_is_taken_over_as_it_is() -> Result<(), InvalidHeaderValue> {
        for sent in [
            "7b0c2f0e-9d9b-4d4e-8f1a-1c2d3e4f5a6b",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "Root=1-67891233-abcdef012345678912345678",
            "aGVsbG8+/w==",
            "a",
            &"x".repeat(128),
        ] {
            let mut request = request(&[sent])?;
            let id = settle(&mut request);
            assert_eq!(text(&id), sent);
            assert!(is_reported(&id, &request));
        }
        Ok(())
    }

    #[test]
    fn any_other_id_is_replaced_by_an_own_one() -> Result<(), InvalidHeaderValue> {
        let long = "x".repeat(129);
        for lines in [
            &[][..],
            &[""],
            &["a b"],
            &["a,b"],
            &["a;b"],
            &["<script>"],
            &["'; DROP TABLE audit_log --"],
            &["é"],
            &["a\tb"],
            &["=1+2"],
            &["+1"],
            &["-1"],
            &["@a"],
            &[&long],
            &["a", "b"],
        ] {
            let mut request = request(lines)?;
            let id = settle(&mut request);
            assert!(is_own(&id) && is_reported(&id, &request), "{lines:?}");
        }
        Ok(())
    }

    #[test]
    fn id_is_not_believed_where_none_is_to_be() -> Result<(), InvalidHeaderValue> {
        let mut request = request(&["abc"])?;
        let id = super::settle(&mut request, &X_REQUEST_ID, IncomingRequestId::Ignored);
        assert!(is_own(&id) && is_reported(&id, &request));
        Ok(())
    }

    #[test]
    fn the_id_that_a_layer_around_gave_is_taken_over_and_stays() {
        let mut request = Request::new(());
        let given = RequestId::new(HeaderValue::from_static("given"));
        request.extensions_mut().insert(given);
        for incoming in [IncomingRequestId::Believed, IncomingRequestId::Ignored] {
            let id = super::settle(&mut request, &X_REQUEST_ID, incoming);
            assert_eq!(text(&id), "given");
            assert!(is_reported(&id, &request));
        }
    }

    #[test]
    fn where_no_header_fits_any_more_there_is_an_id_all_the_same() {
        let mut request = Request::new(());
        for number in 0.. {
            let name = HeaderName::try_from(format!("x-{number}"));
            let Ok(name) = name else { break };
            let value = HeaderValue::from_static("");
            if request.headers_mut().try_insert(name, value).is_err() {
                break;
            }
        }
        assert!(is_own(&settle(&mut request)));
    }

    proptest! {
        #[test]
        fn every_header_gives_an_id_that_fits(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut request = Request::new(());
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                request.headers_mut().insert(X_REQUEST_ID, value);
            }
            let id = settle(&mut request);
            prop_assert!((1..=128).contains(&text(&id).len()));
            prop_assert!(id.as_bytes().iter().all(u8::is_ascii_graphic));
            prop_assert!(is_reported(&id, &request));
        }
    }
}
