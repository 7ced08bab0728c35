//! Neighbours and forwarding databases over rtnetlink, in the form of `ip -j neigh` and
//! `bridge -j fdb`.

use netlink_sys::protocols::NETLINK_ROUTE;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::links::mac;
use crate::netlink::numbers::{
    AF_BRIDGE, AF_INET, AF_INET6, AF_UNSPEC, NDA_DST, NDA_LLADDR, NDA_MASTER, NUD_DELAY,
    NUD_FAILED, NUD_INCOMPLETE, NUD_NOARP, NUD_PERMANENT, NUD_PROBE, NUD_REACHABLE, NUD_STALE,
    RTM_GETNEIGH,
};
use crate::netlink::{Ask, NeighbourMessage, Query, ask};

type Names = BTreeMap<u32, String>;

/// Which link address each neighbour has.
///
/// # Errors
/// When the kernel does not tell, in words.
pub(super) fn neighbours_json(names: &Names) -> Result<String, String> {
    let all = entries(AF_UNSPEC)?;
    // What is of no address family here is a forwarding entry.
    let of_ip = |entry: &&NeighbourMessage| {
        let header = &entry.header;
        matches!(header.family, AF_INET | AF_INET6) && header.state != NUD_NOARP
    };
    let entries = all.iter().filter(of_ip).map(|entry| {
        let mut object = described(entry, names, "lladdr");
        object.insert("dev".to_owned(), json!(names.get(&entry.header.index)));
        object.insert("state".to_owned(), json!([state(entry.header.state)]));
        Value::Object(object)
    });
    Ok(Value::Array(entries.collect()).to_string())
}

/// By which port, or to which node, frames for a link address leave.
///
/// # Errors
/// When the kernel does not tell, in words.
pub(super) fn forwarding_json(names: &Names) -> Result<String, String> {
    let all = entries(AF_BRIDGE)?;
    let entries = all.iter().map(|entry| {
        let mut object = described(entry, names, "mac");
        object.insert("ifname".to_owned(), json!(names.get(&entry.header.index)));
        let is_permanent = entry.header.state == NUD_PERMANENT;
        let state = if is_permanent { "permanent" } else { "" };
        object.insert("state".to_owned(), state.into());
        Value::Object(object)
    });
    Ok(Value::Array(entries.collect()).to_string())
}

fn entries(family: u8) -> Result<Vec<NeighbourMessage>, String> {
    let query = Query::<12> { family };
    ask(NETLINK_ROUTE, RTM_GETNEIGH, &query, Ask::All)
}

fn described(entry: &NeighbourMessage, names: &Names, link_address: &str) -> Map<String, Value> {
    let all = entry.attributes();
    let mut object = Map::new();
    // A tunnel's entry in a forwarding database carries an address of whatever family it has.
    if let Some(ip) = all.ip(NDA_DST) {
        object.insert("dst".to_owned(), json!(ip));
    }
    if let Some(bytes) = all.bytes(NDA_LLADDR) {
        object.insert(link_address.to_owned(), mac(bytes).into());
    }
    if let Some(index) = all.u32(NDA_MASTER) {
        object.insert("master".to_owned(), json!(names.get(&index)));
    }
    object
}

const fn state(state: u16) -> &'static str {
    match state {
        NUD_INCOMPLETE => "INCOMPLETE",
        NUD_REACHABLE => "REACHABLE",
        NUD_STALE => "STALE",
        NUD_DELAY => "DELAY",
        NUD_PROBE => "PROBE",
        NUD_FAILED => "FAILED",
        NUD_PERMANENT => "PERMANENT",
        _ => "NONE",
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::neighbour::{self, NeighbourAttribute, NeighbourState};

    use super::*;
    use crate::netlink::reread;

    #[test]
    fn an_entry_is_read_as_it_is_written() {
        let mut entry = neighbour::NeighbourMessage::default();
        entry.header.ifindex = 3;
        entry.header.state = NeighbourState::Stale;
        entry.attributes = vec![
            NeighbourAttribute::Destination(std::net::Ipv4Addr::new(10, 0, 0, 9).into()),
            NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 9]),
            NeighbourAttribute::Controller(4),
        ];
        let names = Names::from([(4, "cni0".to_owned())]);
        let read: NeighbourMessage = reread(&entry);
        assert_eq!(
            Value::Object(described(&read, &names, "lladdr")),
            json!({"dst": "10.0.0.9", "lladdr": "02:00:00:00:00:09", "master": "cni0"})
        );
        assert_eq!((read.header.index, state(read.header.state)), (3, "STALE"));
    }
}
