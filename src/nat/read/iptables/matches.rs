//! Match modules (iptables-extensions(8)) to steps.

use super::options::{Given, address_values, masked, network, number, port_list, port_range};
use crate::nat::model::{
    Field, Limit, Lookup, MarkOf, PacketEnd, SetRef, Step, Values, address_type, ct,
};
use crate::net::{Family, Protocol};

/// Adds the steps of a module; none when it, or one of its options, is not understood. Steps added
/// before that are harmless: they hold as well.
pub(super) fn read(module: &str, options: &[Given<'_>], steps: &mut Vec<Step>) -> Option<()> {
    match module {
        // Always true: notes and accounting.
        "comment" | "nfacct" => {}
        "tcp" | "udp" | "udplite" | "sctp" | "dccp" => {
            for given in options {
                steps.push(transport(module, *given)?);
            }
        }
        "multiport" => {
            for given in options {
                multiport(*given, steps)?;
            }
        }
        "mark" => marks(MarkOf::Packet, options, steps)?,
        "connmark" => marks(MarkOf::Connection, options, steps)?,
        "conntrack" | "state" => {
            for given in options {
                steps.push(conntrack(*given)?);
            }
        }
        "addrtype" => addrtype(options, steps)?,
        "statistic" => steps.push(statistic(options)?),
        "set" => set(options, steps)?,
        "recent" => recent(options, steps)?,
        "iprange" => {
            for given in options {
                let (values, family) = address_values(given.first()?)?;
                let end = match given.name {
                    "--src-range" => PacketEnd::Source,
                    "--dst-range" => PacketEnd::Destination,
                    _ => return None,
                };
                steps.push(test(*given, Field::Address(end, family), values));
            }
        }
        "length" => {
            for given in options {
                let (first, last) = port_range(given.first()?)?;
                let values = Values::Range(first.into(), last.into());
                steps.push(test(*given, Field::Length, values));
            }
        }
        "owner" => owner(options, steps)?,
        "socket" => socket(options, steps)?,
        "pkttype" => {
            for given in options {
                let kind = match given.first()? {
                    "unicast" => 0,
                    "broadcast" => 1,
                    "multicast" => 2,
                    _ => return None,
                };
                steps.push(test(*given, Field::PacketType, Values::one(kind)));
            }
        }
        "physdev" => {
            for given in options {
                steps.push(match given.name {
                    // A packet that crossed no bridge has the empty name.
                    "--physdev-is-in" => {
                        Step::test_unless(!given.negated, Field::BridgePort, Values::interface(""))
                    }
                    "--physdev-in" => {
                        test(*given, Field::BridgePort, Values::interface(given.first()?))
                    }
                    _ => return None,
                });
            }
        }
        "icmp" => icmp(Family::V4, options, steps),
        "icmp6" | "icmpv6" | "ipv6-icmp" => icmp(Family::V6, options, steps),
        "rpfilter" => {
            let has = |name: &str| options.iter().any(|given| given.name == name);
            if has("--accept-local") {
                return None;
            }
            let field = Field::ReversePath {
                loose: has("--loose"),
                by_mark: has("--validmark"),
            };
            steps.push(Step::test_unless(has("--invert"), field, Values::one(1)));
        }
        _ => return None,
    }
    Some(())
}

/// The first packet of a connection has no socket on a node that passes it on. Listeners on any address do
/// not count (xt_socket without `--nowildcard`), those of proxies have a transparent socket only for what was
/// led to them before.
fn socket(options: &[Given<'_>], steps: &mut Vec<Step>) -> Option<()> {
    let is_transparent = options
        .iter()
        .any(|given| given.name == "--transparent" && !given.negated);
    let has_wildcards = options.iter().any(|given| given.name == "--nowildcard");
    (is_transparent && !has_wildcards).then(|| steps.push(Step::Chance(0.0)))
}

const fn test(given: Given<'_>, field: Field, values: Values) -> Step {
    Step::test_unless(given.negated, field, values)
}

fn transport(module: &str, given: Given<'_>) -> Option<Step> {
    let protocol = module.parse::<Protocol>().ok();
    let port = |end| {
        let (first, last) = port_range(given.first()?)?;
        let values = Values::Range(first.into(), last.into());
        Some(test(given, Field::Port(end, protocol), values))
    };
    match given.name {
        "--sport" | "--source-port" => port(PacketEnd::Source),
        "--dport" | "--destination-port" => port(PacketEnd::Destination),
        "--syn" => Some(test(
            given,
            Field::TcpFlags,
            Values::Masked {
                mask: 0x17,
                wanted: 0x02,
            },
        )),
        "--tcp-flags" => {
            let [mask, wanted] = given.args else {
                return None;
            };
            let (mask, wanted) = (tcp_flags(mask.text)?, tcp_flags(wanted.text)?);
            Some(test(
                given,
                Field::TcpFlags,
                Values::Masked { mask, wanted },
            ))
        }
        _ => None,
    }
}

/// `SYN,ACK` as bits of the TCP header (RFC 9293), or a number.
fn tcp_flags(text: &str) -> Option<u32> {
    text.split(',').try_fold(0, |bits, name| {
        Some(
            bits | match name {
                "FIN" => 0x01,
                "SYN" => 0x02,
                "RST" => 0x04,
                "PSH" => 0x08,
                "ACK" => 0x10,
                "URG" => 0x20,
                "ALL" => 0x3f,
                "NONE" => 0,
                other => number(other)?,
            },
        )
    })
}

fn multiport(given: Given<'_>, steps: &mut Vec<Step>) -> Option<()> {
    let values = port_list(given.first()?)?;
    let end = match given.name {
        "--sports" | "--source-ports" => PacketEnd::Source,
        "--dports" | "--destination-ports" => PacketEnd::Destination,
        // Either end: a disjunction, which is no single test.
        _ => return None,
    };
    steps.push(test(given, Field::Port(end, None), values));
    Some(())
}

fn marks(of: MarkOf, options: &[Given<'_>], steps: &mut Vec<Step>) -> Option<()> {
    for given in options {
        let (wanted, mask) = masked(given.first()?)?;
        steps.push(test(
            *given,
            Field::Mark(of),
            Values::Masked { mask, wanted },
        ));
    }
    Some(())
}

fn conntrack(given: Given<'_>) -> Option<Step> {
    let bits = || {
        let names = given.first()?.split(',');
        names
            .map(ct::bit)
            .try_fold(0, |all, bit| bit.map(|bit| all | bit))
    };
    let original = |end| {
        let (values, family) = network(given.first()?)?;
        Some(test(given, Field::Original(end, family), values))
    };
    let port = |end| {
        let (first, last) = port_range(given.first()?)?;
        let values = Values::Range(first.into(), last.into());
        Some(test(given, Field::OriginalPort(end), values))
    };
    match given.name {
        "--ctstate" | "--state" => Some(test(given, Field::State, Values::AnyBit(bits()?))),
        "--ctstatus" => match bits()? {
            // NONE: no status bit at all.
            0 => Some(test(given, Field::Status, Values::one(0))),
            bits => Some(test(given, Field::Status, Values::AnyBit(bits))),
        },
        "--ctorigsrc" => original(PacketEnd::Source),
        "--ctorigdst" => original(PacketEnd::Destination),
        "--ctorigsrcport" => port(PacketEnd::Source),
        "--ctorigdstport" => port(PacketEnd::Destination),
        "--ctdir" => {
            let direction = match given.first()? {
                "ORIGINAL" => 0,
                "REPLY" => 1,
                _ => return None,
            };
            Some(test(given, Field::Direction, Values::one(direction)))
        }
        "--ctproto" => {
            let number = super::protocol_number(given.first()?)?;
            Some(test(given, Field::Protocol, Values::one(number.into())))
        }
        _ => None,
    }
}

fn addrtype(options: &[Given<'_>], steps: &mut Vec<Step>) -> Option<()> {
    let has = |name: &str| options.iter().any(|given| given.name == name);
    let limit = match (has("--limit-iface-in"), has("--limit-iface-out")) {
        (true, false) => Limit::In,
        (false, true) => Limit::Out,
        (false, false) => Limit::None,
        (true, true) => return None,
    };
    for given in options {
        let end = match given.name {
            "--src-type" => PacketEnd::Source,
            "--dst-type" => PacketEnd::Destination,
            _ => continue,
        };
        let types: Option<Vec<_>> = given
            .first()?
            .split(',')
            .map(|name| address_type(name).map(|number| (number.into(), number.into())))
            .collect();
        let values = Values::ranges(types?);
        steps.push(test(*given, Field::Type(end, limit), values));
    }
    Some(())
}

fn statistic(options: &[Given<'_>]) -> Option<Step> {
    let find = |name: &str| options.iter().find(|given| given.name == name);
    let (given, probability) = match find("--mode")?.first()? {
        "random" => {
            let given = find("--probability")?;
            (given, given.first()?.parse::<f64>().ok()?)
        }
        // Every nth packet: over many connections, one in n.
        "nth" => {
            let given = find("--every")?;
            let every: u32 = given.first()?.parse().ok()?;
            (given, 1.0 / f64::from(every.max(1)))
        }
        _ => return None,
    };
    if !(0.0..=1.0).contains(&probability) {
        return None;
    }
    Some(Step::Chance(if given.negated {
        1.0 - probability
    } else {
        probability
    }))
}

fn set(options: &[Given<'_>], steps: &mut Vec<Step>) -> Option<()> {
    for given in options {
        match (given.name, given.args) {
            ("--match-set" | "--set", [name, ends]) => {
                let ends: Option<Box<[PacketEnd]>> = ends
                    .text
                    .split(',')
                    .map(|end| match end {
                        "src" => Some(PacketEnd::Source),
                        "dst" => Some(PacketEnd::Destination),
                        _ => None,
                    })
                    .collect();
                steps.push(Step::Lookup(Box::new(Lookup {
                    key: Box::default(),
                    set: SetRef::Ipset(name.text.into(), ends?),
                    negated: given.negated,
                })));
            }
            // Counting changes nothing for the packet.
            ("--update-counters" | "--update-subcounters", _) => {}
            _ => return None,
        }
    }
    Some(())
}

/// The list that `recent` keeps is in no rule dump: the packet is taken for the first of a client
/// that nobody has seen, so it is in no list.
fn recent(options: &[Given<'_>], steps: &mut Vec<Step>) -> Option<()> {
    for given in options {
        let seen = matches!(given.name, "--rcheck" | "--update" | "--remove");
        if seen && !given.negated {
            steps.push(Step::Chance(0.0));
        } else if given.name == "--set" && given.negated {
            return None;
        }
    }
    Some(())
}

fn owner(options: &[Given<'_>], steps: &mut Vec<Step>) -> Option<()> {
    for given in options {
        let field = match given.name {
            "--uid-owner" => Field::Uid,
            "--gid-owner" => Field::Gid,
            _ => return None,
        };
        let text = given.first()?;
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let values = Values::Range(number(first)?, number(last)?);
        steps.push(test(*given, field, values));
    }
    Some(())
}

/// No ICMP packet is ever walked; the test just has to fail.
fn icmp(family: Family, options: &[Given<'_>], steps: &mut Vec<Step>) {
    for given in options {
        steps.push(test(*given, Field::Icmp(family), Values::any()));
    }
}
