//! Networks as patterns of the text of addresses.
//!
//! No database of the three can compare a text with a network in the same way. An IPv4 network is at most 128 patterns.
//! An IPv6 network has no pattern, because its zeros may be left out anywhere (RFC 5952): it is tested in the process.

use ipnet::{IpNet, Ipv4Net};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, IntoSimpleExpr};

use super::any;
use crate::entity::audit_log::Column as C;

/// The networks, if SQL cannot decide whether an address is in one of them.
pub(super) fn rest(networks: &[IpNet]) -> Option<&[IpNet]> {
    let is_undecided = |network: &IpNet| matches!(network, IpNet::V6(v6) if v6.prefix_len() < 128);
    networks.iter().any(is_undecided).then_some(networks)
}

/// Whether the address is in one of these networks, which SQL can decide.
pub(super) fn within(networks: &[IpNet]) -> Expr {
    any(networks.iter().map(|network| match network {
        IpNet::V4(v4) => within_v4(*v4),
        IpNet::V6(v6) => C::IpAddress.eq(v6.addr().to_string()),
    }))
}

/// Whether the address may be in one of these networks.
pub(super) fn superset(networks: &[IpNet]) -> Expr {
    let v4 = networks
        .iter()
        .filter(|network| matches!(network, IpNet::V4(_)));
    any(v4
        .map(|network| within(std::slice::from_ref(network)))
        .chain([matches_pattern("%:%".to_owned())]))
}

/// The addresses of a network differ in the octets after its prefix. The octet in which the prefix ends has at most 128
/// values.
fn within_v4(network: Ipv4Net) -> Expr {
    let octets = network.network().octets();
    let whole = usize::from(network.prefix_len() / 8);
    let bits = network.prefix_len() % 8;
    let begin =
        (octets.iter().take(whole)).fold(String::new(), |begin, octet| format!("{begin}{octet}."));
    let Some(partial) = octets.get(whole).copied() else {
        return C::IpAddress.eq(network.addr().to_string());
    };
    if bits == 0 {
        // Without IPv4 addresses that are written in an IPv6 form.
        let outside = matches_pattern("%:%".to_owned()).not();
        let open = ["%"].repeat(4 - whole).join(".");
        return matches_pattern(format!("{begin}{open}")).and(outside);
    }
    let last = partial | (u8::MAX >> bits);
    any((partial..=last).map(|octet| {
        if whole == 3 {
            C::IpAddress.eq(format!("{begin}{octet}"))
        } else {
            matches_pattern(format!("{begin}{octet}.%"))
        }
    }))
}

fn matches_pattern(pattern: String) -> Expr {
    Expr::expr(C::IpAddress.into_simple_expr()).like(pattern)
}
