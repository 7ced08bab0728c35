//! What a packet shows to a test.

use std::net::IpAddr;
use std::rc::Rc;

use super::state::{State, Tracking, Walker};
use crate::nat::model::{Field, Limit, PacketEnd, Part, address_number, ct};
use crate::net::{Family, Protocol};
use crate::route::{AddressType, Decision, Known, Query};

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Number(u128),
    /// Some number in here.
    Within(u128, u128),
    Name(Rc<str>),
    /// The packet has no such field.
    Absent,
    /// Nobody knows, and why.
    Unknown(String),
}

/// Ports that clients pick from, at the widest (RFC 6056).
const EPHEMERAL: (u128, u128) = (1024, 65535);

// === impl Walker ===

impl Walker<'_> {
    pub(super) fn see(&self, state: &State, field: Field) -> Seen {
        let packet = &state.packet;
        match field {
            Field::Address(end, family) => of_family(address(packet.src, packet.dst, end), family),
            Field::Original(end, family) if state.is_tracked() => {
                let original = &state.original;
                of_family(address(original.src, original.dst, end), family)
            }
            Field::Port(_, Some(protocol)) if protocol != packet.protocol => Seen::Absent,
            Field::Port(PacketEnd::Source, _) => port(packet.sport),
            Field::Port(PacketEnd::Destination, _) => Seen::Number(packet.dport.into()),
            Field::OriginalPort(PacketEnd::Source) if state.is_tracked() => {
                port(state.original.sport)
            }
            Field::OriginalPort(PacketEnd::Destination) if state.is_tracked() => {
                Seen::Number(state.original.dport.into())
            }
            Field::Protocol => Seen::Number(packet.protocol.number().into()),
            Field::NetworkFamily => Seen::Number(match packet.family() {
                Family::V4 => 2,
                Family::V6 => 10,
            }),
            Field::InInterface => Seen::Name(Rc::clone(&state.in_interface)),
            Field::OutInterface => state.out.name().map_or_else(
                || Seen::Unknown("the interface it leaves by is not known (no routes)".to_owned()),
                |name| Seen::Name(name.into()),
            ),
            Field::BridgePort => self.bridge_port(state),
            Field::Mark(crate::nat::model::MarkOf::Connection) if !state.is_tracked() => {
                Seen::Absent
            }
            Field::Mark(of) => Seen::Number(state.mark_of(of).into()),
            Field::State => Seen::Number(state.state_bits().into()),
            Field::Status if state.is_tracked() => Seen::Number(state.status_bits().into()),
            Field::Label if state.is_tracked() => Seen::Number(state.labels.into()),
            Field::Direction if state.is_tracked() => {
                Seen::Number(u128::from(state.tracking == Tracking::Reply))
            }
            Field::TcpFlags if packet.protocol == Protocol::Tcp => {
                // SYN, or the answer to it.
                Seen::Number(if state.tracking == Tracking::Reply {
                    0x12
                } else {
                    0x02
                })
            }
            Field::Length => self.length(state),
            Field::Uid | Field::Gid if state.is_made_here() => self.question.uid.map_or_else(
                || Seen::Unknown("whose process sends it".to_owned()),
                |uid| Seen::Number(uid.into()),
            ),
            Field::Type(end, limit) => {
                self.address_type(state, address(packet.src, packet.dst, end), limit)
            }
            Field::ReversePath { loose, by_mark } => self.reverse_path(state, loose, by_mark),
            Field::PacketType => Seen::Number(0),
            Field::Original(..)
            | Field::OriginalPort(..)
            | Field::Status
            | Field::Label
            | Field::Direction
            | Field::Icmp(_)
            | Field::TcpFlags
            | Field::Uid
            | Field::Gid => Seen::Absent,
        }
    }

    fn length(&self, state: &State) -> Seen {
        if let Some(length) = self.question.length {
            return Seen::Number(length.into());
        }
        let header = match state.packet.family() {
            Family::V4 => 20,
            Family::V6 => 40,
        };
        match state.packet.protocol {
            // A SYN has 20 to 60 bytes of TCP header and no data.
            Protocol::Tcp => Seen::Within(header + 20, header + 60),
            Protocol::Udp => Seen::Within(header + 8, 65535),
            Protocol::Sctp => Seen::Within(header + 12, 1500),
        }
    }

    fn bridge_port(&self, state: &State) -> Seen {
        if state.is_made_here() || &*state.in_interface == "lo" {
            return Seen::Name("".into());
        }
        match self.host.link(&state.in_interface).map(|link| &link.kind) {
            Some(crate::facts::LinkKind::Bridge) => Seen::Unknown(format!(
                "which port of {} it came in by",
                state.in_interface
            )),
            Some(_) => Seen::Name("".into()),
            None => Seen::Unknown(format!("whether {} is a bridge", state.in_interface)),
        }
    }

    fn address_type(&self, state: &State, ip: IpAddr, limit: Limit) -> Seen {
        // RTN_* of linux/rtnetlink.h.
        let number = |kind| {
            Seen::Number(match kind {
                AddressType::Local => 2,
                AddressType::Broadcast => 3,
                AddressType::Multicast => 5,
                AddressType::Unicast | AddressType::Unknown => 1,
            })
        };
        let unknown = || Seen::Unknown(format!("whether {ip} is an address of this host"));
        let kind = self.host.address_type(ip);
        let interface = match limit {
            _ if kind == AddressType::Unknown => return unknown(),
            Limit::None => return number(kind),
            _ if kind != AddressType::Local => return number(kind),
            Limit::In => Some(&*state.in_interface),
            Limit::Out => state.out.name(),
        };
        match interface.map(|name| self.host.is_local_on(ip, name)) {
            Some(Known::Yes) => number(AddressType::Local),
            Some(Known::No) => number(AddressType::Unicast),
            Some(Known::Unknown) | None => unknown(),
        }
    }

    fn reverse_path(&self, state: &State, loose: bool, by_mark: bool) -> Seen {
        if state.is_made_here() || &*state.in_interface == "lo" {
            return Seen::Number(1);
        }
        let decision = self.host.route(Query {
            src: Some(state.packet.dst),
            dst: state.packet.src,
            iif: (!loose).then_some(&*state.in_interface),
            mark: if by_mark { state.mark } else { 0 },
            protocol: Some(state.packet.protocol),
        });
        match decision {
            Decision::Forward(hops) if hops.is_empty() => {
                Seen::Unknown("the route back is not known (no routes)".to_owned())
            }
            Decision::Forward(hops) => {
                let back = hops.iter().any(|hop| *hop.device == *state.in_interface);
                Seen::Number(u128::from(loose || back))
            }
            Decision::Deliver | Decision::Refuse(_) => Seen::Number(0),
            Decision::Unknown(why) => Seen::Unknown(why),
        }
    }

    /// The key that fields make; an unknown part makes the whole unknown.
    pub(super) fn key(&self, state: &State, fields: &[Field]) -> Result<Vec<Part>, Seen> {
        fields
            .iter()
            .map(|field| match self.see(state, *field) {
                // Sets of states know nothing of translations, which iptables counts among them.
                Seen::Number(number) if *field == Field::State => {
                    Ok(Part::one(number & u128::from(ct::STATES)))
                }
                // The whole status has bits that no rule can know.
                Seen::Number(_) if *field == Field::Status => Err(Seen::Unknown(
                    "the whole status of the connection is not known".to_owned(),
                )),
                Seen::Number(_) if matches!(field, Field::Mark(of) if state.open_mark(*of) != 0) => {
                    Err(Seen::Unknown(
                        "the whole mark is not known: no rule here sets some of it".to_owned(),
                    ))
                }
                Seen::Number(number) => Ok(Part::one(number)),
                Seen::Name(name) => Ok(Part::Name((*name).into())),
                Seen::Within(..) => Err(Seen::Unknown(
                    "the client's port is not picked yet".to_owned(),
                )),
                other => Err(other),
            })
            .collect()
    }
}

const fn address(src: IpAddr, dst: IpAddr, end: PacketEnd) -> IpAddr {
    match end {
        PacketEnd::Source => src,
        PacketEnd::Destination => dst,
    }
}

fn of_family(address: IpAddr, family: Family) -> Seen {
    if Family::of(address) == family {
        Seen::Number(address_number(address))
    } else {
        Seen::Absent
    }
}

fn port(port: Option<u16>) -> Seen {
    port.map_or(Seen::Within(EPHEMERAL.0, EPHEMERAL.1), |port| {
        Seen::Number(port.into())
    })
}
