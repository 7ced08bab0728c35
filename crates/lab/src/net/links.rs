//! How large packets may be on each link.
//!
//! | link | which | by default |
//! | --- | --- | --- |
//! | `fabric` | every host's cable to the switch | 1500 |
//! | `node1`, `ext`, `cp` | that host's cable | as the fabric |
//! | `overlay`, `overlay@node1` | the tunnel's interface on all nodes, on one | the node's cable less the tunnel's headers |
//! | `pods`, `pods@node1` | the bridge and the pods' cables on all nodes, on one | as the tunnel, without one as the node's cable |
//! | `shop/client-1` | that pod's cable | as the pods of its node |
//!
//! Both ends of a cable have its MTU. A switch or bridge drops what is too large for the cable it would
//! leave by, and tells nobody; a router tells the sender.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::plan::Transport;

/// What Ethernet takes.
const ETHERNET: u16 = 1500;
/// The headers of VXLAN over IPv4.
const TUNNEL: u16 = 50;
/// What every link of IPv4 must take (RFC 791).
const LEAST: u16 = 68;

/// The MTUs that somebody asked for, by link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Links(BTreeMap<String, u16>);

// === impl Links ===

impl Links {
    /// Takes in `LINK=BYTES`, as a command line says it.
    pub fn add(&mut self, word: &str) -> Result<()> {
        let Some((link, bytes)) = word.split_once('=') else {
            bail!("{word}: an MTU is LINK=BYTES, such as node1=1400");
        };
        self.0.insert(link.to_owned(), bytes.parse()?);
        Ok(())
    }

    /// These over others.
    #[must_use]
    pub fn over(self, mut under: Self) -> Self {
        under.0.extend(self.0);
        under
    }

    /// Whether every link that is named is one of a lab with these hosts and nodes. Pods come and go.
    pub fn check(&self, hosts: &[&str], nodes: &[&str], transport: Transport) -> Result<()> {
        for (link, bytes) in &self.0 {
            let known = match link.split_once('@') {
                Some(("overlay", node)) => nodes.contains(&node) && transport == Transport::Vxlan,
                Some(("pods", node)) => nodes.contains(&node),
                Some(_) => false,
                None if link == "overlay" => transport == Transport::Vxlan,
                None => {
                    ["fabric", "pods"].contains(&link.as_str())
                        || hosts.contains(&link.as_str())
                        || link.contains('/')
                }
            };
            ensure!(known, "MTU of {link}: no such link in this lab");
            ensure!(*bytes >= LEAST, "MTU of {link}: {bytes} is too small");
        }
        Ok(())
    }

    /// Of a host's cable to the switch.
    pub fn host(&self, name: &str) -> u16 {
        self.first(&[name, "fabric"]).unwrap_or(ETHERNET)
    }

    /// Of the tunnel's interface on a node.
    pub fn overlay(&self, node: &str) -> u16 {
        let asked = self.first(&[&format!("overlay@{node}"), "overlay"]);
        asked.unwrap_or_else(|| self.host(node).saturating_sub(TUNNEL))
    }

    /// Of a node's bridge, and of its pods' cables where nothing else is said.
    pub fn pods(&self, node: &str, transport: Transport) -> u16 {
        let asked = self.first(&[&format!("pods@{node}"), "pods"]);
        asked.unwrap_or_else(|| match transport {
            Transport::Routes => self.host(node),
            Transport::Vxlan => self.overlay(node),
        })
    }

    /// Of the cable of the pod `namespace/name`.
    pub fn pod(&self, key: &str, node: &str, transport: Transport) -> u16 {
        self.first(&[key])
            .unwrap_or_else(|| self.pods(node, transport))
    }

    fn first(&self, links: &[&str]) -> Option<u16> {
        links.iter().find_map(|link| self.0.get(*link).copied())
    }
}
