//! Constants: addresses, ports, names, bits.

use std::net::IpAddr;

use super::json::{Items, Json, Kind as Form};
use crate::nat::model::{Field, Part, address_number, address_type, ct, prefix_range};
use crate::nat::read::iptables::protocol_number;
use crate::net::parse_prefix;

/// How a constant is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Address,
    Protocol,
    /// `ipv4`, `ip` …
    NetworkFamily,
    Interface,
    /// Bits of [`ct`].
    Connection,
    Direction,
    AddressType,
    PacketType,
    TcpFlags,
    Number,
}

// === impl Kind ===

impl Kind {
    /// How constants that a field is compared with are written.
    pub(super) const fn of(field: Field) -> Self {
        match field {
            Field::Address(..) | Field::Original(..) => Self::Address,
            Field::Protocol => Self::Protocol,
            Field::NetworkFamily => Self::NetworkFamily,
            Field::InInterface | Field::OutInterface | Field::BridgePort => Self::Interface,
            Field::State | Field::Status => Self::Connection,
            Field::Direction => Self::Direction,
            Field::Type(..) => Self::AddressType,
            Field::PacketType => Self::PacketType,
            Field::TcpFlags => Self::TcpFlags,
            _ => Self::Number,
        }
    }

    /// How members of a set of this type are written.
    fn named(name: &str) -> Self {
        match name {
            "ipv4_addr" | "ipv6_addr" => Self::Address,
            "inet_proto" => Self::Protocol,
            "nf_proto" | "ether_type" => Self::NetworkFamily,
            "ifname" | "iface_index" => Self::Interface,
            "ct_state" | "ct_status" => Self::Connection,
            "ct_dir" => Self::Direction,
            "fib_addrtype" => Self::AddressType,
            "pkt_type" => Self::PacketType,
            "tcp_flag" => Self::TcpFlags,
            _ => Self::Number,
        }
    }

    /// A constant, a range or a prefix.
    pub(super) fn part(self, value: Json<'_>) -> Option<Part> {
        if let Some(prefix) = value.get("prefix") {
            let (address, length) = (prefix.get("addr")?.as_str()?, prefix.get("len")?.as_u64()?);
            let net = parse_prefix(&format!("{address}/{length}")).ok()?;
            let (first, last) = prefix_range(net);
            return Some(Part::Range(first, last));
        }
        if let Some(range) = value.get("range") {
            let (first, last) = (range.at(0)?, range.at(1)?);
            return Some(Part::Range(self.number(first)?, self.number(last)?));
        }
        if let Some(element) = value.get("elem") {
            return self.part(element.get("val")?);
        }
        match (self, value.as_str()) {
            (_, Some("*")) => Some(Part::Any),
            (Self::Interface, Some(text)) => Some(Part::Name(text.into())),
            _ => self.number(value).map(Part::one),
        }
    }

    /// A single constant as a number.
    pub(super) fn number(self, value: Json<'_>) -> Option<u128> {
        let all = |mut all: Items<'_>| all.try_fold(0, |bits, one| Some(bits | self.number(one)?));
        let text = match value.kind()? {
            Form::Number => return value.as_u64().map(u128::from),
            Form::Word => match value.plain() {
                "true" => return Some(1),
                "false" => return Some(0),
                _ => return None,
            },
            Form::Text => value.plain(),
            // `established,related`: bits that count together.
            Form::List => return all(value.list()?),
            Form::Object => return all(value.get("|")?.list()?),
        };
        match self {
            Self::Address => text.parse::<IpAddr>().ok().map(address_number),
            Self::Protocol => protocol_number(text).map(u128::from),
            Self::NetworkFamily => match text {
                "ipv4" | "ip" => Some(2),
                "ipv6" | "ip6" => Some(10),
                // No packet that is walked is of another.
                _ => Some(u128::from(u16::MAX)),
            },
            Self::Connection => ct::bit(text).map(u128::from),
            Self::Direction => match text {
                "original" => Some(0),
                "reply" => Some(1),
                _ => None,
            },
            Self::AddressType => address_type(text).map(u128::from),
            Self::PacketType => match text {
                "host" | "unicast" => Some(0),
                "broadcast" => Some(1),
                "multicast" => Some(2),
                "other" => Some(3),
                _ => None,
            },
            Self::TcpFlags => Some(match text {
                "fin" => 0x01,
                "syn" => 0x02,
                "rst" => 0x04,
                "psh" => 0x08,
                "ack" => 0x10,
                "urg" => 0x20,
                "ecn" => 0x40,
                "cwr" => 0x80,
                _ => return None,
            }),
            Self::Interface => None,
            Self::Number => match text.strip_prefix("0x") {
                Some(hex) => u128::from_str_radix(hex, 16).ok(),
                None => text.parse().ok(),
            },
        }
    }
}

/// The kinds of the parts of a set's keys; empty where the type is written as an expression, so that
/// members must tell by themselves.
pub(super) fn kinds_of_type(kind: Json<'_>) -> Vec<Kind> {
    if let Some(name) = kind.as_str() {
        return name.split(" . ").map(Kind::named).collect();
    }
    let names = kind.list().into_iter().flatten();
    names.map(|name| Kind::named(name.plain())).collect()
}

/// The parts of a key. A part that is not understood stands for anything.
pub(super) fn key(kinds: &[Kind], value: Json<'_>) -> Box<[Part]> {
    let value = match value.get("elem").and_then(|element| element.get("val")) {
        Some(inner) => inner,
        None => value,
    };
    let parts = value.get("concat").and_then(Json::list);
    parts
        .unwrap_or_else(|| value.alone())
        .enumerate()
        .map(|(position, part)| {
            let known = kinds.get(position).and_then(|kind| kind.part(part));
            known.or_else(|| guess(part)).unwrap_or(Part::Any)
        })
        .collect()
}

/// A constant of an unknown type: the notations hardly overlap.
fn guess(part: Json<'_>) -> Option<Part> {
    [
        Kind::Address,
        Kind::Number,
        Kind::Protocol,
        Kind::Connection,
        Kind::Interface,
    ]
    .into_iter()
    .find_map(|kind| kind.part(part))
}
