//! Questions and answers as JSON lines (a contract: it only ever gains fields).

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::nat::eval::{Answer, Fate, Outcome, Question};
use crate::net::{Packet, Protocol};

#[derive(Deserialize)]
struct PacketQuery {
    src: IpAddr,
    #[serde(default)]
    sport: Option<u16>,
    dst: IpAddr,
    dport: u16,
    #[serde(default)]
    proto: Option<String>,
    /// Absent or empty: created on this host.
    #[serde(default)]
    in_iface: Option<String>,
    #[serde(default)]
    uid: u32,
    #[serde(default)]
    length: Option<u32>,
}

/// One answer.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    outcomes: Vec<RequestEnd>,
    unknown: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct RequestEnd {
    action: &'static str,
    /// Where a rewritten destination leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<SocketAddr>,
    /// Absent where it depends on something unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    /// Whether the source is another at the end.
    masquerade: bool,
    /// The source address at the end, as far as it is known.
    source: IpAddr,
    /// The interface it leaves by, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    out_iface: Option<String>,
    /// How it is rejected, or why it is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    rules: Vec<String>,
}

/// Reads one question.
pub(super) fn question(line: &str) -> Result<Question, String> {
    let asked: PacketQuery = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let protocol = Protocol::from_field(asked.proto.as_deref()).map_err(|bad| bad.to_string())?;
    if asked.src.is_ipv4() != asked.dst.is_ipv4() {
        return Err("src and dst are of different families".to_owned());
    }
    let mut packet = Packet::new(asked.src, asked.dst, asked.dport, protocol);
    packet.sport = asked.sport;
    Ok(Question {
        packet,
        in_interface: asked.in_iface.filter(|name| !name.is_empty()),
        uid: Some(asked.uid),
        length: asked.length,
        reply: None,
    })
}

// === impl Reply ===

impl Reply {
    pub(super) fn of(answer: &Answer) -> Self {
        Self {
            outcomes: answer.outcomes.iter().map(RequestEnd::of).collect(),
            unknown: answer
                .doubts
                .iter()
                .map(|doubt| doubt.text.clone())
                .collect(),
            error: None,
        }
    }

    /// The answer to something that is no question.
    pub(super) const fn failed(why: String) -> Self {
        Self {
            outcomes: Vec::new(),
            unknown: Vec::new(),
            error: Some(why),
        }
    }
}

// === impl RequestEnd ===

impl RequestEnd {
    fn of(outcome: &Outcome) -> Self {
        let packet = outcome.packet;
        let (action, why) = match &outcome.fate {
            Fate::Forward(_) if outcome.translated => ("dnat", None),
            Fate::Forward(_) => ("accept", None),
            Fate::Deliver => ("local", None),
            Fate::Drop => ("drop", None),
            Fate::Reject(with) => ("reject", Some(with.to_string())),
            Fate::Unknown(why) => ("unknown", Some(why.clone())),
        };
        let out_iface = match &outcome.fate {
            Fate::Forward(hop) => hop.as_ref().map(|hop| hop.device.clone()),
            _ => None,
        };
        Self {
            action,
            endpoint: outcome
                .translated
                .then(|| SocketAddr::new(packet.dst, packet.dport)),
            probability: outcome.probability,
            masquerade: !outcome.source_kept,
            source: packet.src,
            out_iface,
            why,
            rules: outcome.trail.iter().map(ToString::to_string).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_with_and_without_their_optional_parts() {
        let full = r#"{"src": "10.0.0.2", "sport": 40000, "dst": "172.30.0.41", "dport": 80, "proto": "tcp", "in_iface": "pod0"}"#;
        let asked = question(full).unwrap();
        assert_eq!(asked.packet.to_string(), "10.0.0.2:40000 > 172.30.0.41:80");
        assert_eq!(asked.in_interface.as_deref(), Some("pod0"));
        let short =
            r#"{"src": "fd00::2", "dst": "fd00::41", "dport": 53, "proto": "UDP", "in_iface": ""}"#;
        let asked = question(short).unwrap();
        assert_eq!(asked.packet.protocol, Protocol::Udp);
        assert_eq!(asked.in_interface, None);
        for bad in [
            "",
            "{}",
            r#"{"src": "10.0.0.2", "dst": "fd00::1", "dport": 1}"#,
            r#"{"src": "10.0.0.2", "dst": "10.0.0.1", "dport": 1, "proto": "icmp"}"#,
        ] {
            assert!(question(bad).is_err(), "{bad}");
        }
    }
}
