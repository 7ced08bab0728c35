//! What taps saw of one probe.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Step, Vantage};
use crate::net::Protocol;
use netpath_protocol::tap::{Tap, TapPoint, TapRule};
use netpath_protocol::{Attempt, Task};

/// What is to be tapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tapping {
    /// Where the probe starts.
    pub source: Vantage,
    pub to: SocketAddr,
    pub protocol: Protocol,
    /// The nodes that it may pass, that of the source first.
    pub nodes: Vec<String>,
    /// Who may answer it.
    pub answerers: Vec<SocketAddr>,
    /// Whether to keep the packets, too.
    #[serde(default)]
    pub capture: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tapped {
    pub tapping: Tapping,
    /// The attempts of the probe; none if it could not be made, and why.
    pub attempts: Result<Vec<Attempt>, String>,
    /// In the order of `tapping.nodes`.
    pub nodes: Vec<NodeTap>,
}

/// One node's tap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeTap {
    pub node: String,
    /// Why it does not count: it did not open, or no pulse was seen before and after the probe.
    pub blind: Option<String>,
    pub points: Vec<TapPoint>,
    pub rules: Vec<TapRule>,
    /// Why no rule is named.
    pub no_rules: Option<String>,
    /// Packets that were copied to the agent.
    pub copied: u64,
    /// When it was opened, by the node's clock: microseconds since 1970.
    pub opened_micros: u64,
}

// === impl Tapping ===

impl Tapping {
    /// What each node is asked: to look for a mark, at most for so long.
    #[must_use]
    pub fn steps(&self, mark: u16, ports: &[u16], listen_ms: u64) -> Vec<Step> {
        let tap = Tap {
            protocol: self.protocol,
            mark,
            ports: ports.to_vec(),
            answerers: self.answerers.clone(),
            tunnel_ports: Vec::new(),
            listen_ms,
            capture: self.capture,
            rules: true,
        };
        let nodes = self.nodes.iter();
        nodes
            .map(|node| Step {
                vantage: Vantage::Node(node.clone()),
                tasks: vec![Task::Tap(tap.clone())],
                takes_twin: false,
            })
            .collect()
    }
}

// === impl Tapped ===

impl Tapped {
    /// The tap of a node, if it was looking all the time.
    #[must_use]
    pub fn watching(&self, node: &str) -> Option<&NodeTap> {
        let mut nodes = self.nodes.iter();
        nodes.find(|tap| tap.node == node && tap.blind.is_none())
    }
}
