//! Why a rule does not match, in words: for the reports of every command.

use super::explain::{Cause, LabelMiss, LeafMiss, PeerMiss, PortMiss, PortMissKind, RuleMiss};
use super::formula::Domain;
use crate::text::list;

// === impl RuleMiss ===

impl RuleMiss {
    /// `it wants app=web, the pod has app=client`
    #[must_use]
    pub fn words(&self) -> String {
        let (peers, port) = match &self.cause {
            Cause::Mismatch { peers, port } => (peers, port),
            Cause::NoRules {
                is_written: true, ..
            } => return "an empty list, which allows nothing".to_owned(),
            Cause::NoRules { is_named: true, .. } => {
                return "no rule, although policyTypes lists the direction".to_owned();
            }
            Cause::NoRules { .. } => return "no rule at all".to_owned(),
        };
        let nearest = peers.iter().min_by_key(|peer| peer.distance());
        let parts: Vec<String> = nearest
            .map(PeerMiss::words)
            .into_iter()
            .chain(port.as_ref().map(PortMiss::words))
            .collect();
        list(&parts)
    }
}

// === impl PeerMiss ===

impl PeerMiss {
    /// Every condition that does not hold.
    #[must_use]
    pub fn words(&self) -> String {
        let parts: Vec<String> = self.leaves.iter().map(LeafMiss::words).collect();
        list(&parts)
    }
}

// === impl LeafMiss ===

impl LeafMiss {
    /// One condition that does not hold.
    #[must_use]
    pub fn words(&self) -> String {
        let shown = |addresses: &[std::net::IpAddr]| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            if addresses.is_empty() {
                "an address that is not known".to_owned()
            } else {
                list(&addresses)
            }
        };
        match self {
            Self::NotAPod { is_node: true } => {
                "it selects pods, and the other end is a node".to_owned()
            }
            Self::NotAPod { is_node: false } => {
                "it selects pods, and the other end is outside the cluster".to_owned()
            }
            Self::HostNetwork => {
                "the pod is in its node's network, where selectors do not see it".to_owned()
            }
            Self::Namespace { wanted, has } => {
                format!("it allows pods of namespace {wanted} (this one is in {has})")
            }
            Self::Label(label) => label.words(),
            Self::Outside {
                net,
                addresses,
                is_other_family,
            } => {
                let why = if *is_other_family {
                    " (another address family)"
                } else {
                    ""
                };
                format!("{} is outside {net}{why}", shown(addresses))
            }
            Self::Excepted { hole, addresses } => {
                format!("{} is excepted by {hole}", shown(addresses))
            }
            Self::Kind(_) => "the other end is of a different kind".to_owned(),
            Self::Part(domain, part) => format!("the label of {} lacks {part}", whose(*domain)),
            Self::Negated(_) => "a condition that must not hold does".to_owned(),
            Self::Unclear(doubt) => doubt.to_string(),
        }
    }
}

const fn whose(domain: Domain) -> &'static str {
    match domain {
        Domain::Namespace => "the namespace",
        Domain::Pod => "the pod",
        Domain::Node => "the node",
        Domain::ServiceAccount => "the service account",
    }
}

// === impl LabelMiss ===

impl LabelMiss {
    fn words(&self) -> String {
        let whose = whose(self.domain);
        let key = &self.requirement.key;
        let has = self.has.as_ref().map_or_else(
            || format!("has no label {key}"),
            |value| format!("has {key}={value}"),
        );
        let near = match &self.nearest {
            Some((near, value)) if near != key => format!(", but {near}={value}"),
            _ => String::new(),
        };
        let nobody = match (self.carriers, self.domain) {
            (Some(0), Domain::Namespace) => ", and no namespace has it",
            _ => "",
        };
        format!(
            "it requires {} ({whose} {has}{near}{nobody})",
            self.requirement
        )
    }
}

// === impl PortMiss ===

impl PortMiss {
    /// `it admits TCP 80, not TCP 8080`
    #[must_use]
    pub fn words(&self) -> String {
        const SHOWN: usize = 6;
        let mut entries: Vec<String> = self
            .entries
            .iter()
            .take(SHOWN)
            .map(|(entry, kind)| match kind {
                PortMissKind::UnknownName => format!("{entry} (a name this pod does not have)"),
                PortMissKind::OtherNumber(number) => format!("{entry} ({number} in this pod)"),
                _ => entry.to_string(),
            })
            .collect();
        if self.entries.len() > SHOWN {
            entries.push(format!("{} more", self.entries.len() - SHOWN));
        }
        format!(
            "it allows {}, not {} {}",
            list(&entries),
            self.protocol,
            self.port
        )
    }
}
