//! Left-hand sides: which field of the packet is meant.

use super::json::Json;
use crate::nat::model::{Field, Key, Limit, MarkOf, PacketEnd};
use crate::net::{Family, Protocol};

/// The field that an expression names. `ip protocol` and `ip6 nexthdr` name their family too; that is
/// returned beside it.
pub(super) fn field(expression: Json<'_>) -> Option<(Field, Option<Family>)> {
    let (name, content) = expression.only()?;
    let text = |key: &str| content.get(key).and_then(Json::as_str);
    match name {
        "payload" => payload(text("protocol")?, text("field")?),
        "meta" => meta(text("key").or_else(|| content.as_str())?).map(|field| (field, None)),
        "ct" => connection(text("key")?, text("dir"), text("family")),
        "fib" => {
            let flags = content.get("flags");
            let flags = flags.and_then(|flags| flags.list().or_else(|| Some(flags.alone())));
            let flags: Vec<&str> = flags
                .into_iter()
                .flatten()
                .filter_map(Json::as_str)
                .collect();
            fib(text("result")?, &flags).map(|field| (field, None))
        }
        _ => None,
    }
}

fn payload(protocol: &str, name: &str) -> Option<(Field, Option<Family>)> {
    let family = match protocol {
        "ip" => Some(Family::V4),
        "ip6" => Some(Family::V6),
        _ => None,
    };
    let field = match (protocol, family, name) {
        (_, Some(family), "saddr") => Field::Address(PacketEnd::Source, family),
        (_, Some(family), "daddr") => Field::Address(PacketEnd::Destination, family),
        ("ip", family, "protocol") | ("ip6", family, "nexthdr") => {
            return Some((Field::Protocol, family));
        }
        ("ip", family, "length") => return Some((Field::Length, family)),
        ("tcp" | "udp" | "sctp" | "th", _, "sport") => {
            Field::Port(PacketEnd::Source, protocol.parse::<Protocol>().ok())
        }
        ("tcp" | "udp" | "sctp" | "th", _, "dport") => {
            Field::Port(PacketEnd::Destination, protocol.parse::<Protocol>().ok())
        }
        ("tcp", _, "flags") => Field::TcpFlags,
        ("icmp", ..) => Field::Icmp(Family::V4),
        ("icmpv6", ..) => Field::Icmp(Family::V6),
        _ => return None,
    };
    Some((field, None))
}

fn meta(key: &str) -> Option<Field> {
    Some(match key {
        "l4proto" => Field::Protocol,
        "nfproto" | "protocol" => Field::NetworkFamily,
        "mark" => Field::Mark(MarkOf::Packet),
        "iifname" | "iif" => Field::InInterface,
        "oifname" | "oif" => Field::OutInterface,
        "skuid" => Field::Uid,
        "skgid" => Field::Gid,
        "pkttype" => Field::PacketType,
        "length" => Field::Length,
        _ => return None,
    })
}

fn connection(
    key: &str,
    direction: Option<&str>,
    family: Option<&str>,
) -> Option<(Field, Option<Family>)> {
    // Older listings say `ip saddr`, newer ones name the family apart.
    let (family, key) = match key.split_once(' ') {
        Some((family, key)) => (Some(family), key),
        None => (family, key),
    };
    let family = match family {
        Some("ip6") => Family::V6,
        _ => Family::V4,
    };
    let field = match (key, direction) {
        ("state", _) => Field::State,
        ("status", _) => Field::Status,
        ("mark", _) => Field::Mark(MarkOf::Connection),
        ("label", _) => Field::Label,
        ("direction", _) => Field::Direction,
        ("saddr", Some("original")) => Field::Original(PacketEnd::Source, family),
        ("daddr", Some("original")) => Field::Original(PacketEnd::Destination, family),
        ("proto-src", Some("original")) => Field::OriginalPort(PacketEnd::Source),
        ("proto-dst", Some("original")) => Field::OriginalPort(PacketEnd::Destination),
        _ => return None,
    };
    Some((field, None))
}

fn fib(result: &str, flags: &[&str]) -> Option<Field> {
    let has = |flag: &str| flags.contains(&flag);
    match (result, has("saddr"), has("daddr")) {
        ("type", source, destination) if source != destination => {
            let end = if source {
                PacketEnd::Source
            } else {
                PacketEnd::Destination
            };
            let limit = match (has("iif"), has("oif")) {
                (true, _) => Limit::In,
                (_, true) => Limit::Out,
                _ => Limit::None,
            };
            Some(Field::Type(end, limit))
        }
        ("oif" | "oifname" | "check", true, false) => Some(Field::ReversePath {
            loose: !has("iif"),
            by_mark: has("mark"),
        }),
        _ => None,
    }
}

/// What a map is looked up by.
pub(super) fn key(expression: Json<'_>) -> Option<Key> {
    if let Some(parts) = expression.get("concat") {
        let fields: Option<Box<[Field]>> = parts
            .list()?
            .map(|part| field(part).map(|(field, _)| field))
            .collect();
        return fields.map(Key::Fields);
    }
    let number = |content: Json<'_>, key: &str| {
        let number = content.get(key).and_then(Json::as_u64);
        number.and_then(|number| u32::try_from(number).ok())
    };
    let modulus = |content: Json<'_>| number(content, "mod").filter(|modulus| *modulus > 0);
    if let Some(content) = expression.get("numgen") {
        return Some(Key::Number {
            modulus: modulus(content)?,
            offset: number(content, "offset").unwrap_or_default(),
        });
    }
    if let Some(content) = expression
        .get("jhash")
        .or_else(|| expression.get("symhash"))
    {
        return Some(Key::Hash {
            modulus: modulus(content)?,
            offset: number(content, "offset").unwrap_or_default(),
        });
    }
    field(expression).map(|(field, _)| Key::Fields([field].into()))
}
