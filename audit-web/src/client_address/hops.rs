//! The hops of a header, from the right, as bytes.

use std::iter::Rev;

use http::HeaderValue;
use http::header::ValueIter;

/// How many bytes of a header are searched, from the right: more than 64 valid hops need.
const MAX_BYTES: usize = 8 * 1024;

/// Gives the hops of all lines of one header, the last line first (RFC 9110, section 5.3: lines are
/// one list, in order).
///
/// It ends early where a whole hop does not fit within [`MAX_BYTES`]. It reads no byte twice.
pub(super) struct Hops<'a> {
    lines: Rev<ValueIter<'a, HeaderValue>>,
    /// The unread part of the current line.
    rest: Option<&'a [u8]>,
    /// The bytes that may still be searched.
    budget: usize,
    last_comma: fn(&[u8]) -> Option<usize>,
}

impl<'a> Hops<'a> {
    pub(super) fn new(
        lines: ValueIter<'a, HeaderValue>,
        last_comma: fn(&[u8]) -> Option<usize>,
    ) -> Self {
        Self {
            lines: lines.rev(),
            rest: None,
            budget: MAX_BYTES,
            last_comma,
        }
    }
}

impl<'a> Iterator for Hops<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.budget == 0 {
            return None;
        }
        let line = match self.rest.take() {
            Some(rest) => rest,
            None => self.lines.next()?.as_bytes(),
        };
        let (unseen, seen) = line.split_at(line.len().saturating_sub(self.budget));
        let Some(comma) = (self.last_comma)(seen) else {
            // The part that was cut off belongs to the hop, so the hop is incomplete.
            let whole = unseen.is_empty();
            self.spend(if whole { seen.len() } else { self.budget });
            return whole.then_some(seen);
        };
        self.rest = Some(&line[..unseen.len() + comma]);
        let hop = &seen[comma + 1..];
        self.spend(hop.len());
        Some(hop)
    }
}

impl Hops<'_> {
    /// A hop costs one byte more than its length, so empty hops are not free.
    fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes + 1);
    }
}

/// The last comma of a header without quotes.
pub(super) fn last_comma(text: &[u8]) -> Option<usize> {
    text.iter().rposition(|&byte| byte == b',')
}
