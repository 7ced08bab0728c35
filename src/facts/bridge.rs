//! `bridge -j -d link`.

use serde::Deserialize;

use super::{BadFact, json_list};

/// A port of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePort {
    pub device: String,
    pub bridge: String,
    /// `forwarding`, `disabled`, `blocking` …
    pub state: String,
    /// Whether a frame may leave through the port it came in by; absent where the tool ran without
    /// `-d`.
    pub hairpin: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawPort {
    ifname: String,
    master: Option<String>,
    state: String,
    hairpin: Option<bool>,
}

/// Reads `bridge -j -d link`.
///
/// # Errors
/// When the text is no JSON list of ports.
pub fn bridge_ports(text: &str) -> Result<Vec<BridgePort>, BadFact> {
    let raw: Vec<RawPort> = json_list("bridge -j -d link", text)?;
    let ports = raw.into_iter().filter_map(|raw| {
        Some(BridgePort {
            device: raw.ifname,
            bridge: raw.master?,
            state: raw.state,
            hairpin: raw.hairpin,
        })
    });
    Ok(ports.collect())
}
