//! Where a page begins: [`Cursor`].

use std::fmt;
use std::str::FromStr;

use sea_orm::prelude::DateTimeUtc;
use sha2::{Digest, Sha256};

use crate::error::AuditError;
use crate::query::AuditQuery;
use crate::value::{hex, unhex};

/// Where the next page begins, as opaque text.
///
/// It belongs to the query that it comes from, and may be stored: it stays valid when records are added or removed. It
/// holds the record's number, so it is no secret and no protection: filter by tenant in the query.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::Cursor;
/// let error = "no cursor".parse::<Cursor>().unwrap_err();
/// assert!(error.to_string().contains("start again from the first page"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub(super) direction: Direction,
    /// Only records beyond this number.
    pub(super) beyond: i64,
    /// What relative periods are relative to, so that all pages have the same records.
    pub(super) now: DateTimeUtc,
    query: [u8; DIGEST],
}

/// In which direction a page continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::query) enum Direction {
    Older,
    Newer,
}

/// Changes with the form of the text.
const VERSION: u8 = 1;
const DIGEST: usize = 8;
const LENGTH: usize = 2 + 8 + 8 + DIGEST;
/// No version's text is longer.
const MAX_TEXT: usize = 128;

impl Cursor {
    pub(super) fn new(
        direction: Direction,
        beyond: i64,
        now: DateTimeUtc,
        query: &AuditQuery,
    ) -> Self {
        Self {
            direction,
            beyond,
            now,
            query: digest(query),
        }
    }

    /// Refuses a cursor of another query.
    pub(super) fn check(&self, query: &AuditQuery) -> Result<(), AuditError> {
        if self.query == digest(query) {
            return Ok(());
        }
        Err(AuditError::Cursor {
            why: "it belongs to another query",
        })
    }
}

/// Distinguishes queries; it protects nothing.
fn digest(query: &AuditQuery) -> [u8; DIGEST] {
    let hash = Sha256::digest(query.to_string());
    let mut digest = [0; DIGEST];
    digest
        .iter_mut()
        .zip(hash)
        .for_each(|(to, from)| *to = from);
    digest
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Older => 0,
            Direction::Newer => 1,
        };
        let beyond = self.beyond.to_be_bytes();
        let now = self.now.timestamp_micros().to_be_bytes();
        let bytes = [VERSION, direction].into_iter().chain(beyond).chain(now);
        let bytes: Vec<u8> = bytes.chain(self.query).collect();
        f.write_str(&hex(&bytes))
    }
}

impl FromStr for Cursor {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let refused = |why| AuditError::Cursor { why };
        let broken = || refused("it is not the text of a cursor");
        let bytes = Some(text)
            .filter(|text| text.len() <= MAX_TEXT)
            .and_then(unhex)
            .filter(|bytes| hex(bytes) == text)
            .ok_or_else(broken)?;
        let (&version, rest) = bytes.split_first().ok_or_else(broken)?;
        if version != VERSION {
            return Err(refused("another version of this library wrote it"));
        }
        if bytes.len() != LENGTH {
            return Err(broken());
        }
        let (&direction, rest) = rest.split_first().ok_or_else(broken)?;
        let (beyond, rest) = rest.split_first_chunk().ok_or_else(broken)?;
        let (now, query) = rest.split_first_chunk().ok_or_else(broken)?;
        Ok(Self {
            direction: match direction {
                0 => Direction::Older,
                1 => Direction::Newer,
                _ => return Err(broken()),
            },
            beyond: i64::from_be_bytes(*beyond),
            now: DateTimeUtc::from_timestamp_micros(i64::from_be_bytes(*now)).ok_or_else(broken)?,
            query: query.try_into().map_err(|_| broken())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query() -> AuditQuery {
        AuditQuery::new().actor("7")
    }

    proptest! {
        #[test]
        fn cursor_is_read_back(newer in any::<bool>(), beyond in any::<i64>(), seconds in 0..i64::from(i32::MAX)) {
            let direction = if newer { Direction::Newer } else { Direction::Older };
            let now = DateTimeUtc::from_timestamp(seconds, 123_000).unwrap();
            let cursor = Cursor::new(direction, beyond, now, &query());
            prop_assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }

        #[test]
        fn arbitrary_text_is_refused_or_read_back(text in "[0-9a-f]{0,60}|.{0,60}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }

    #[test]
    fn cursor_of_another_query_is_refused() {
        let cursor = Cursor::new(Direction::Older, 5, DateTimeUtc::UNIX_EPOCH, &query());
        assert!(cursor.check(&query()).is_ok());
        let error = cursor.check(&AuditQuery::new().actor("8")).unwrap_err();
        assert!(error.to_string().contains("another query"), "{error}");
    }

    #[test]
    fn cursor_of_another_version_is_refused() {
        let cursor = Cursor::new(Direction::Older, 5, DateTimeUtc::UNIX_EPOCH, &query());
        let other = format!("02{}", &cursor.to_string()[2..]);
        let error = other.parse::<Cursor>().unwrap_err();
        assert!(error.to_string().contains("version"), "{error}");
    }
}
