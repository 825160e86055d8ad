//! Writes small databases for the tests: `MaxMind` DB file format 2.0, records of 24 bits.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// A value of a record.
pub(super) enum Data<'a> {
    Text(&'a str),
    U16(u16),
    U32(u32),
    U64(u64),
    List(Vec<Data<'a>>),
    Map(Vec<(&'a str, Data<'a>)>),
}

impl Data<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                header(out, 2, text.len());
                out.extend(text.as_bytes());
            }
            Self::U16(number) => number_of(out, 5, &number.to_be_bytes()),
            Self::U32(number) => number_of(out, 6, &number.to_be_bytes()),
            Self::U64(number) => number_of(out, 9, &number.to_be_bytes()),
            Self::List(items) => {
                header(out, 11, items.len());
                for item in items {
                    item.write(out);
                }
            }
            Self::Map(entries) => {
                header(out, 7, entries.len());
                for (key, value) in entries {
                    Data::Text(key).write(out);
                    value.write(out);
                }
            }
        }
    }
}

fn number_of(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    header(out, kind, bytes.len());
    out.extend(bytes);
}

/// Type and size: three and five bits, the type in a second byte from 8 on, the size in one from 29 on.
fn header(out: &mut Vec<u8>, kind: u8, size: usize) {
    let (bits, more) = match u8::try_from(size) {
        Ok(size @ 0..29) => (size, None),
        Ok(size) => (29, Some(size - 29)),
        Err(error) => panic!("the tests have no value of {size} bytes: {error}"),
    };
    if kind < 8 {
        out.push((kind << 5) | bits);
    } else {
        out.extend([bits, kind - 7]);
    }
    out.extend(more);
}

/// The bytes of a database. An IPv6 one has the IPv4 networks at `::/96`.
pub(super) fn database(kind: &str, ip_version: u16, records: &[(IpNet, Data)]) -> Vec<u8> {
    const EMPTY: usize = usize::MAX;
    let mut data = Vec::new();
    let mut nodes: Vec<[usize; 2]> = vec![[EMPTY; 2]];
    // Records that point to data, by node and side: the number of nodes is not known yet.
    let mut leaves: HashMap<(usize, usize), usize> = HashMap::new();
    for (network, record) in records {
        let (bits, length) = match (network.addr(), ip_version) {
            (IpAddr::V4(v4), 6) => (u128::from(v4.to_bits()), network.prefix_len() + 96),
            (IpAddr::V4(v4), _) => (u128::from(v4.to_bits()) << 96, network.prefix_len()),
            (IpAddr::V6(v6), _) => (v6.to_bits(), network.prefix_len()),
        };
        let side = |depth: u8| usize::from((bits >> (127 - depth)) & 1 == 1);
        let mut node = 0;
        for depth in 0..length - 1 {
            if nodes[node][side(depth)] == EMPTY {
                nodes[node][side(depth)] = nodes.len();
                nodes.push([EMPTY; 2]);
            }
            node = nodes[node][side(depth)];
        }
        leaves.insert((node, side(length - 1)), data.len());
        record.write(&mut data);
    }

    let mut file = Vec::new();
    for (node, sides) in nodes.iter().enumerate() {
        for (side, &next) in sides.iter().enumerate() {
            let record = match leaves.get(&(node, side)) {
                Some(offset) => nodes.len() + 16 + offset,
                None if next == EMPTY => nodes.len(),
                None => next,
            };
            file.extend(&record.to_be_bytes()[5..]);
        }
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    Data::Map(vec![
        ("binary_format_major_version", Data::U16(2)),
        ("binary_format_minor_version", Data::U16(0)),
        ("build_epoch", Data::U64(1_790_000_000)),
        ("database_type", Data::Text(kind)),
        ("description", Data::Map(vec![("en", Data::Text("a test"))])),
        ("ip_version", Data::U16(ip_version)),
        ("languages", Data::List(vec![Data::Text("en")])),
        ("node_count", Data::U32(u32::try_from(nodes.len()).unwrap())),
        ("record_size", Data::U16(24)),
    ])
    .write(&mut file);
    file
}
