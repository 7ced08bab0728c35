//! Neighbours and forwarding databases over rtnetlink, in the form of `ip -j neigh` and
//! `bridge -j fdb`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourHeader, NeighbourMessage, NeighbourState,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use serde_json::{Map, Value, json};

use super::links::mac;
use crate::agent::netlink::{Ask, ask};

const RTM_GETNEIGH: u16 = 30;

type Names = BTreeMap<u32, String>;

/// Which link address each neighbour has.
///
/// # Errors
/// When the kernel does not tell, in words.
pub(super) fn neighbours_json(names: &Names) -> Result<String, String> {
    let all = entries(AddressFamily::Unspec)?;
    // What has no address family here is a forwarding entry.
    let of_ip = |entry: &&NeighbourMessage| {
        matches!(
            entry.header.family,
            AddressFamily::Inet | AddressFamily::Inet6
        ) && entry.header.state != NeighbourState::Noarp
    };
    let entries = all.iter().filter(of_ip).map(|entry| {
        let mut object = described(entry, names, "lladdr");
        object.insert("dev".to_owned(), json!(names.get(&entry.header.ifindex)));
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
    let all = entries(AddressFamily::Bridge)?;
    let entries = all.iter().map(|entry| {
        let mut object = described(entry, names, "mac");
        object.insert("ifname".to_owned(), json!(names.get(&entry.header.ifindex)));
        let is_permanent = entry.header.state == NeighbourState::Permanent;
        let state = if is_permanent { "permanent" } else { "" };
        object.insert("state".to_owned(), state.into());
        Value::Object(object)
    });
    Ok(Value::Array(entries.collect()).to_string())
}

fn entries(family: AddressFamily) -> Result<Vec<NeighbourMessage>, String> {
    let query = NeighbourHeader {
        family,
        ..NeighbourHeader::default()
    };
    ask(NETLINK_ROUTE, RTM_GETNEIGH, &query, Ask::All)
}

fn described(entry: &NeighbourMessage, names: &Names, link_address: &str) -> Map<String, Value> {
    let mut object = Map::new();
    for one in &entry.attributes {
        match one {
            NeighbourAttribute::Destination(address) => {
                object.insert("dst".to_owned(), json!(ip(address)));
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                object.insert(link_address.to_owned(), mac(bytes).into());
            }
            NeighbourAttribute::Controller(index) => {
                object.insert("master".to_owned(), json!(names.get(index)));
            }
            _ => {}
        }
    }
    object
}

/// A tunnel's entry in a forwarding database carries an address of whatever family it has.
fn ip(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(ip) => Some(IpAddr::V4(*ip)),
        NeighbourAddress::Inet6(ip) => Some(IpAddr::V6(*ip)),
        NeighbourAddress::Other(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from);
            v4.or_else(|_| v6()).ok()
        }
        _ => None,
    }
}

const fn state(state: NeighbourState) -> &'static str {
    match state {
        NeighbourState::Incomplete => "INCOMPLETE",
        NeighbourState::Reachable => "REACHABLE",
        NeighbourState::Stale => "STALE",
        NeighbourState::Delay => "DELAY",
        NeighbourState::Probe => "PROBE",
        NeighbourState::Failed => "FAILED",
        NeighbourState::Permanent => "PERMANENT",
        _ => "NONE",
    }
}
