//! The request id: the one word under which a request is found in every log it passed.
//!
//! An incoming one is taken over only if it is harmless as it stands; this module refuses to repair one,
//! since a repaired id is found nowhere else. Own ids are UUIDs of version 7, which sort by time.

mod sequence;

use std::fmt;
use std::hash::{Hash, Hasher};

use coarsetime::Instant;
use http::header::{Entry, HeaderMap, HeaderName, HeaderValue};

/// The header in which request ids are usually sent.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest incoming id that is taken over, in characters.
const MAX_CHARS: usize = 128;

/// Whether a request id that comes with the request is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IncomingRequestId {
    /// It is, so that the logs of several services can be joined. This is the default, as it is tower-http's.
    ///
    /// Where no proxy sets the header, clients choose the id, and may use one twice: it finds records, and
    /// proves nothing.
    #[default]
    Believed,
    /// It is not: every request gets an id of its own.
    Ignored,
}

/// Stands for an id until there is one. No id of ours is it, since all its characters may be in a header.
const NEVER: HeaderValue = HeaderValue::from_static("");

/// A request's id: 1 to 128 characters, letters, digits and `._:+/=@-`.
///
/// It names, and proves nothing: who has one can guess the next ones of the same few milliseconds.
#[derive(Clone)]
pub struct RequestId(Id);

#[derive(Clone)]
enum Id {
    /// Copied into request and answer: references that are counted take longer than so few bytes.
    Own(sequence::Text),
    Given(HeaderValue),
}

impl RequestId {
    /// The id that came with the request, or else a new one, which is put into the headers.
    ///
    /// It is taken over when it is to be believed, the header is there once, and it has 1 to 128 characters out of
    /// ASCII letters, digits and `._:+/=@-`: that is every UUID, ULID, hexadecimal and base64 id, and nothing that
    /// a log or a page reads as more than a word.
    #[must_use]
    pub fn settle(headers: &mut HeaderMap, name: HeaderName, incoming: IncomingRequestId) -> Self {
        Self::settle_at(Instant::now_without_cache_update(), headers, name, incoming)
    }

    /// No id: what is there before there is one.
    pub(crate) const fn none() -> Self {
        Self(Id::Given(NEVER))
    }

    #[inline]
    pub(crate) fn settle_at(
        now: Instant,
        headers: &mut HeaderMap,
        name: HeaderName,
        incoming: IncomingRequestId,
    ) -> Self {
        match headers.try_entry(name) {
            Ok(Entry::Occupied(mut entry)) => {
                let mut lines = entry.iter();
                let given = match (lines.next(), lines.next()) {
                    (Some(line), None) if incoming == IncomingRequestId::Believed => accepted(line),
                    _ => None,
                };
                given.unwrap_or_else(|| {
                    let own = Self::generate(now);
                    entry.insert((&own).into());
                    own
                })
            }
            Ok(Entry::Vacant(entry)) => {
                let own = Self::generate(now);
                // There may be more headers than a map can have; then there is an id all the same.
                drop(entry.try_insert((&own).into()));
                own
            }
            // A map that is full refuses to look.
            Err(_) => Self::generate(now),
        }
    }

    /// A new id: a UUID of version 7.
    fn generate(now: Instant) -> Self {
        Self(Id::Own(sequence::next(now)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Id::Own(text) => std::str::from_utf8(text).unwrap_or_default(),
            Id::Given(line) => line.to_str().unwrap_or_default(),
        }
    }
}

fn accepted(line: &HeaderValue) -> Option<RequestId> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:+/=@-".contains(byte);
    let bytes = line.as_bytes();
    let fits = (1..=MAX_CHARS).contains(&bytes.len()) && bytes.iter().all(allowed);
    fits.then(|| RequestId(Id::Given(line.clone())))
}

impl PartialEq for RequestId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RequestId {}

impl Hash for RequestId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestId").field(&self.as_str()).finish()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&RequestId> for HeaderValue {
    fn from(id: &RequestId) -> Self {
        match &id.0 {
            Id::Own(text) => Self::from_bytes(text).unwrap_or(NEVER),
            Id::Given(line) => line.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use http::header::InvalidHeaderValue;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn headers(lines: &[&str]) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_REQUEST_ID, HeaderValue::from_str(line)?);
        }
        Ok(headers)
    }

    fn settle(headers: &mut HeaderMap) -> RequestId {
        RequestId::settle(headers, X_REQUEST_ID, IncomingRequestId::Believed)
    }

    /// The id is its own, and the only one in the headers.
    fn is_own(id: &RequestId, headers: &HeaderMap) -> bool {
        Uuid::parse_str(id.as_str()).is_ok_and(|id| id.get_version_num() == 7)
            && (headers.get_all(X_REQUEST_ID).iter()).eq([&HeaderValue::from(id)])
    }

    #[test]
    fn a_harmless_id_is_taken_over_as_it_is() -> Result<(), InvalidHeaderValue> {
        for text in [
            "7b0c2f0e-9d9b-4d4e-8f1a-1c2d3e4f5a6b",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "Root=1-67891233-abcdef012345678912345678",
            "aGVsbG8+/w==",
            "a",
            &"x".repeat(128),
        ] {
            let mut headers = headers(&[text])?;
            let before = headers.clone();
            let id = settle(&mut headers);
            assert_eq!(id.to_string(), text);
            assert_eq!(headers, before);
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
            &[&long],
            &["a", "b"],
        ] {
            let mut headers = headers(lines)?;
            let id = settle(&mut headers);
            assert!(is_own(&id, &headers), "{lines:?}");
        }
        Ok(())
    }

    #[test]
    fn an_id_is_the_same_whether_it_was_made_or_taken_over() {
        let mut headers = HeaderMap::new();
        let (made, taken) = (settle(&mut headers), settle(&mut headers));
        assert_eq!(made, taken);
        assert_eq!(HashSet::from([made.clone(), taken]).len(), 1);
        assert_ne!(made, settle(&mut HeaderMap::new()));
        assert_eq!(
            format!("{made:?}"),
            format!("RequestId({:?})", made.as_str())
        );
    }

    #[test]
    fn an_id_is_not_believed_where_none_is_to_be() -> Result<(), InvalidHeaderValue> {
        let mut headers = headers(&["abc"])?;
        let id = RequestId::settle(&mut headers, X_REQUEST_ID, IncomingRequestId::Ignored);
        assert!(is_own(&id, &headers));
        Ok(())
    }

    #[test]
    fn where_no_header_fits_any_more_there_is_an_id_all_the_same() {
        let mut headers = HeaderMap::new();
        for number in 0.. {
            let name = HeaderName::try_from(format!("x-{number}"));
            let Ok(name) = name else { break };
            if headers.try_insert(name, NEVER).is_err() {
                break;
            }
        }
        let id = settle(&mut headers);
        assert!(Uuid::parse_str(id.as_str()).is_ok());
    }

    proptest! {
        #[test]
        fn every_header_gives_an_id_that_fits(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                headers.insert(X_REQUEST_ID, value);
            }
            let id = settle(&mut headers);
            prop_assert!((1..=128).contains(&id.as_str().len()));
            prop_assert!(id.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(headers.get(X_REQUEST_ID), Some(&HeaderValue::from(&id)));
        }
    }
}
