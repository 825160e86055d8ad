//! What the methods of [`AuditQuery`](super::AuditQuery) take: one value, or several.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use uuid::Uuid;

use crate::action::{Action, Outcome, Source};
use crate::actor::ActorType;

/// One value of a filter.
///
/// Texts and ids are any type with a text form (`impl ToString`). An application may implement it for its own types, such
/// as an enum of its actions.
pub trait FilterValue<T> {
    /// The value that is searched for.
    fn into_filter_value(self) -> T;
}

impl<V: ToString> FilterValue<String> for V {
    fn into_filter_value(self) -> String {
        self.to_string()
    }
}

macro_rules! filter_values {
    ($($type:ty),+) => {$(
        impl FilterValue<$type> for $type {
            fn into_filter_value(self) -> $type {
                self
            }
        }

        impl FilterValue<$type> for &$type {
            fn into_filter_value(self) -> $type {
                self.clone()
            }
        }
    )+};
}

filter_values!(Action, Outcome, Source, ActorType, Uuid);

macro_rules! networks {
    ($($type:ty),+) => {$(
        impl FilterValue<IpNet> for $type {
            fn into_filter_value(self) -> IpNet {
                self.into()
            }
        }

        impl FilterValue<IpNet> for &$type {
            fn into_filter_value(self) -> IpNet {
                (*self).into()
            }
        }
    )+};
}

networks!(IpNet, Ipv4Net, Ipv6Net, IpAddr);

/// The network in the form in which the log stores addresses: IPv4 within IPv6 as IPv4, and without the bits of a host.
pub(super) fn canonical(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let network = match network {
        IpNet::V6(v6) => (v6.prefix_len().checked_sub(MAPPED))
            .and_then(|prefix| Ipv4Net::new(v6.addr().to_ipv4_mapped()?, prefix).ok())
            .map_or(IpNet::V6(v6), IpNet::V4),
        v4 @ IpNet::V4(_) => v4,
    };
    network.trunc()
}

/// Distinguishes the two implementations of [`OneOrMore`]: for a value.
#[derive(Debug)]
pub enum One {}

/// Distinguishes the two implementations of [`OneOrMore`]: for an iterator.
#[derive(Debug)]
pub enum Many {}

/// One value of a filter, or several: an array, a slice, a `Vec`, or any other iterator.
///
/// A record matches if it has one of the values. Without any value no record matches.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a value nor an iterator of values for this filter",
    note = "the filter takes values of `{T}`"
)]
pub trait OneOrMore<T, Marker> {
    /// The values, of which a record must have one.
    fn into_values(self) -> Vec<T>;
}

impl<T, V: FilterValue<T>> OneOrMore<T, One> for V {
    fn into_values(self) -> Vec<T> {
        vec![self.into_filter_value()]
    }
}

impl<T, I: IntoIterator<Item: FilterValue<T>>> OneOrMore<T, Many> for I {
    fn into_values(self) -> Vec<T> {
        self.into_iter()
            .map(FilterValue::into_filter_value)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_address_is_its_ipv4_address() -> Result<(), ipnet::AddrParseError> {
        for (given, expected) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("::ffff:10.1.2.3/128", "10.1.2.3/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3/95", "::fffe:0:0/95"),
            ("2001:db8::1/32", "2001:db8::/32"),
        ] {
            let network: IpNet = given.parse()?;
            assert_eq!(canonical(network).to_string(), expected, "{given}");
        }
        Ok(())
    }
}
