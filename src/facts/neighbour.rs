//! `ip -j neigh` and `bridge -j fdb`.

use std::net::IpAddr;

use serde::Deserialize;

use super::plain::Listing;
use super::{BadFact, listed};

/// What the node knows of a neighbour's link address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    pub ip: IpAddr,
    pub device: String,
    pub mac: Option<String>,
    pub state: NeighbourState,
}

/// How far address resolution came (linux/neighbour.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourState {
    /// Known, fresh or not: the kernel will use it.
    Usable,
    /// Written by hand or by an agent, never resolved.
    Permanent,
    /// Asked, no answer yet.
    Incomplete,
    /// Asked, no answer at all.
    Failed,
}

/// An entry of a bridge's or tunnel's forwarding database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    pub mac: String,
    pub device: String,
    pub master: Option<String>,
    /// For tunnels: the node the frame is sent to.
    pub destination: Option<IpAddr>,
    pub is_permanent: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawNeighbour {
    dst: Option<IpAddr>,
    dev: String,
    lladdr: Option<String>,
    state: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawForwarding {
    mac: String,
    ifname: String,
    master: Option<String>,
    dst: Option<IpAddr>,
    state: String,
}

/// Reads `ip -j neigh`.
///
/// # Errors
/// When the text is no JSON list of neighbours.
pub fn neighbours(text: &str) -> Result<Vec<Neighbour>, BadFact> {
    let raw: Vec<RawNeighbour> = listed(Listing::Neighbours, "ip -j neigh", text)?;
    let neighbours = raw.into_iter().filter_map(|raw| {
        let is = |state: &str| raw.state.iter().any(|one| one == state);
        Some(Neighbour {
            ip: raw.dst?,
            device: raw.dev,
            state: if is("PERMANENT") {
                NeighbourState::Permanent
            } else if is("FAILED") {
                NeighbourState::Failed
            } else if is("INCOMPLETE") {
                NeighbourState::Incomplete
            } else {
                NeighbourState::Usable
            },
            mac: raw.lladdr,
        })
    });
    Ok(neighbours.collect())
}

/// Reads `bridge -j fdb`.
///
/// # Errors
/// When the text is no JSON list of entries.
pub fn forwarding_entries(text: &str) -> Result<Vec<Forwarding>, BadFact> {
    let raw: Vec<RawForwarding> = listed(Listing::Forwarding, "bridge -j fdb", text)?;
    let entries = raw.into_iter().filter(|raw| !raw.mac.is_empty());
    Ok(entries
        .map(|raw| Forwarding {
            mac: raw.mac,
            device: raw.ifname,
            master: raw.master,
            destination: raw.dst,
            is_permanent: raw.state == "permanent",
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_neighbours() {
        let text = r#"[{"dst":"10.0.0.1","dev":"eth0","state":["FAILED"]},
            {"dst":"10.0.0.2","dev":"flannel.1","lladdr":"0a:58:0a:f4:02:00","state":["PERMANENT"]},
            {"dst":"10.0.0.3","dev":"eth0","lladdr":"x","state":["DELAY"]},{"dev":"eth0"}]"#;
        let states: Vec<_> = neighbours(text)
            .unwrap()
            .iter()
            .map(|one| one.state)
            .collect();
        assert_eq!(
            states,
            [
                NeighbourState::Failed,
                NeighbourState::Permanent,
                NeighbourState::Usable
            ]
        );
    }

    #[test]
    fn where_a_tunnel_sends_a_mac() {
        let text = r#"[{"mac":"0a:58:0a:f4:02:00","ifname":"flannel.1","dst":"172.30.0.12","flags":["self"],"state":"permanent"}]"#;
        let entry = &forwarding_entries(text).unwrap()[0];
        assert_eq!(entry.destination.unwrap().to_string(), "172.30.0.12");
        assert!(entry.is_permanent);
    }
}
