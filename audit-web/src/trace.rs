//! The trace id: the id of a request in distributed tracing.
//!
//! It is read from the current OpenTelemetry span, or else from the header `traceparent` (W3C Trace Context, level
//! 1). This module starts no traces, and reads no `tracestate`. A client may send any id: it helps to find records,
//! and proves nothing.

use std::fmt;
use std::num::NonZeroU128;

use http::header::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The length of `traceparent` in version 00; later versions may only add to it.
const LENGTH: usize = 55;

/// The id of a trace, shown as 32 lower-case hexadecimal digits; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// The trace that the request belongs to.
    ///
    /// With feature `opentelemetry` that of the current span, if there is one: it has priority, since it is the one
    /// that is exported. Otherwise the one in the header `traceparent`.
    #[must_use]
    pub fn of_request(headers: &HeaderMap) -> Option<Self> {
        #[cfg(feature = "opentelemetry")]
        if let Some(current) = Self::current() {
            return Some(current);
        }
        Self::from_headers(headers)
    }

    /// The trace in the header `traceparent`; `None` when it is not valid, or occurs twice.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        // Most requests have none.
        let line = headers.get(TRACEPARENT)?;
        let is_one = headers.get_all(TRACEPARENT).iter().nth(1).is_none();
        is_one.then(|| parse(line.as_bytes())).flatten()
    }

    /// The trace of the current OpenTelemetry span.
    ///
    /// Spans of `tracing` count, too: `tracing-opentelemetry` 0.32 and later makes the OpenTelemetry context current
    /// while a span is entered, unless `with_context_activation(false)` was called. Both crates must use the same
    /// release of `opentelemetry`, here 0.33 (`tracing-opentelemetry` 0.34); spans of another release are not visible
    /// here.
    #[cfg(feature = "opentelemetry")]
    #[must_use]
    pub fn current() -> Option<Self> {
        use opentelemetry::Context;
        use opentelemetry::trace::TraceContextExt;

        Context::map_current(|context| {
            let span = context.span();
            let span = span.span_context();
            let trace = NonZeroU128::new(u128::from_be_bytes(span.trace_id().to_bytes()));
            trace.filter(|_| span.is_valid()).map(Self)
        })
    }
}

/// `00-<32 digits: trace>-<16 digits: span>-<2 digits: flags>`, and in later versions perhaps `-` and more.
fn parse(line: &[u8]) -> Option<TraceId> {
    let (known, more) = line.trim_ascii().split_at_checked(LENGTH)?;
    let mut parts = known.split(|&byte| byte == b'-');
    let mut digits = |count| parts.next().and_then(|part| hex(part, count));
    let (version, trace, span, _flags) = (digits(2)?, digits(32)?, digits(16)?, digits(2)?);
    let ends = match version {
        0x00 => more.is_empty(),
        0xff => false,
        _ => more.is_empty() || more.starts_with(b"-"),
    };
    NonZeroU128::new(trace)
        .filter(|_| ends && span != 0)
        .map(TraceId)
}

/// Parses this many lower-case hexadecimal digits, not more than 32.
fn hex(digits: &[u8], count: usize) -> Option<u128> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != count || !digits.iter().all(digit) {
        return None;
    }
    u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::InvalidHeaderValue;
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(lines: &[&str]) -> Result<HeaderMap, InvalidHeaderValue> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("traceparent", HeaderValue::from_str(line)?);
        }
        Ok(headers)
    }

    fn read(lines: &[&str]) -> Result<Option<String>, InvalidHeaderValue> {
        Ok(TraceId::from_headers(&headers(lines)?).map(|id| id.to_string()))
    }

    #[test]
    fn valid_header_gives_its_trace() -> Result<(), InvalidHeaderValue> {
        for line in [
            PARENT,
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\t",
            // later versions: the known part is read, more may follow after a dash
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        ] {
            assert_eq!(read(&[line])?.as_deref(), Some(TRACE), "{line}");
        }
        Ok(())
    }

    #[test]
    fn leading_zeros_are_part_of_the_id() -> Result<(), InvalidHeaderValue> {
        let line = "00-00000000000000000000000000000001-00f067aa0ba902b7-01";
        let trace = read(&[line])?;
        assert_eq!(trace.as_deref(), Some("00000000000000000000000000000001"));
        Ok(())
    }

    #[test]
    fn invalid_header_gives_none() -> Result<(), InvalidHeaderValue> {
        for line in [
            "",
            "00",
            // upper case, other characters, a sign that Rust's own parser would accept
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0+-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0X",
            // all zero
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            // the version that is forbidden, and lengths
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b77-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736--0f067aa0ba902b7-01",
        ] {
            assert_eq!(read(&[line])?, None, "{line}");
        }
        assert_eq!(read(&[])?, None);
        assert_eq!(read(&[PARENT, PARENT])?, None, "given twice");
        Ok(())
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(parse(&bytes).is_none_or(|id| id.to_string().len() == 32));
        }

        #[test]
        fn every_valid_header_gives_back_its_id(trace in 1_u128.., span in 1_u64.., flags in 0_u8..) {
            let line = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
            prop_assert_eq!(parse(line.as_bytes()), NonZeroU128::new(trace).map(TraceId));
        }
    }

    #[cfg(feature = "opentelemetry")]
    mod opentelemetry {
        use ::opentelemetry::Context;
        use ::opentelemetry::trace::{
            SpanContext, SpanId, TraceContextExt, TraceFlags, TraceState,
        };
        use tracing::subscriber::with_default;
        use tracing_opentelemetry::OpenTelemetrySpanExt;
        use tracing_subscriber::layer::SubscriberExt;

        use super::*;

        fn span_of(trace: u128) -> Context {
            Context::new().with_remote_span_context(SpanContext::new(
                trace.into(),
                SpanId::from(7),
                TraceFlags::SAMPLED,
                true,
                TraceState::default(),
            ))
        }

        #[test]
        fn the_current_span_wins_over_the_header() -> Result<(), InvalidHeaderValue> {
            let headers = headers(&[PARENT])?;
            let from_header = TraceId::from_headers(&headers);
            assert_eq!(TraceId::of_request(&headers), from_header);
            let guard = span_of(42).attach();
            assert_eq!(
                TraceId::of_request(&headers),
                NonZeroU128::new(42).map(TraceId)
            );
            drop(guard);
            assert_eq!(TraceId::of_request(&headers), from_header);
            Ok(())
        }

        #[test]
        fn span_that_is_not_valid_does_not_win() -> Result<(), InvalidHeaderValue> {
            let _guard = span_of(0).attach();
            assert_eq!(TraceId::current(), None);
            assert!(TraceId::of_request(&headers(&[PARENT])?).is_some());
            Ok(())
        }

        #[test]
        fn span_of_tracing_counts_while_it_is_entered() {
            let subscriber = tracing_subscriber::registry().with(tracing_opentelemetry::layer());
            with_default(subscriber, || {
                let span = tracing::info_span!("request");
                assert!(span.set_parent(span_of(42)).is_ok());
                assert_eq!(TraceId::current(), None);
                assert_eq!(
                    span.in_scope(TraceId::current),
                    NonZeroU128::new(42).map(TraceId)
                );
                assert_eq!(TraceId::current(), None);
            });
        }
    }
}
