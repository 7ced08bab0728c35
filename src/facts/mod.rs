//! The plain output of ordinary tools (`ip -j`, `bridge -j`, `sysctl -a`, `conntrack -L`, `ss` …) made
//! into values, one file per tool.
//!
//! ```text
//!  text of a node or pod folder ─► link · route · neighbour · bridge · sysctl · conntrack · socket
//! ```
//!
//! Tools and their versions differ: numbers stand where names are usual (`"table": "255"`), fields
//! are missing, empty objects stand in lists. Whatever can be read is read; only text that is not
//! the tool's at all is an error.

mod attached;
mod bridge;
mod conntrack;
mod conntrack_stat;
mod link;
mod neighbour;
mod plain;
mod route;
mod socket;
mod sysctl;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use attached::{Attached, attached};
pub use bridge::{BridgePort, bridge_ports};
pub use conntrack::{Connection, Tuple, connections};
pub use conntrack_stat::{ConntrackStats, Counted};
pub use link::{Link, LinkAddress, LinkKind, Overlay, links};
pub use neighbour::{Forwarding, Neighbour, NeighbourState, forwarding_entries, neighbours};
pub use route::{NextHop, Route, RouteKind, RouteRule, RuleAction, TableId, route_rules, routes};
pub use socket::{Listener, listeners, sockets};
pub use sysctl::Sysctls;

/// Text that is not what the tool prints.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the output of `{tool}`: {message}")]
pub struct BadFact {
    /// The command whose output was expected.
    pub tool: &'static str,
    pub message: String,
}

/// Reads a JSON list; no text at all is an empty list, as `ip -j` prints nothing for nothing.
fn json_list<T: DeserializeOwned>(tool: &'static str, text: &str) -> Result<Vec<T>, BadFact> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(text).map_err(|error| BadFact {
        tool,
        message: error.to_string(),
    })
}

/// The same of a tool whose listing without `-j` is understood as well.
fn listed<T: DeserializeOwned>(
    listing: plain::Listing,
    tool: &'static str,
    text: &str,
) -> Result<Vec<T>, BadFact> {
    if !plain::is_plain(text) {
        return json_list(tool, text);
    }
    let objects = plain::objects(listing, tool, text)?;
    serde_json::from_value(Value::Array(objects)).map_err(|error| BadFact {
        tool,
        message: error.to_string(),
    })
}

/// A number that the tools print as a number or as text, in decimal or with `0x`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(untagged)]
enum Loose {
    Number(u64),
    Text(String),
    Other(serde::de::IgnoredAny),
}

impl Loose {
    fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.strip_prefix("0x").map_or_else(
                || text.parse().ok(),
                |hex| u64::from_str_radix(hex, 16).ok(),
            ),
            Self::Other(_) => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Other(_) => String::new(),
        }
    }
}
