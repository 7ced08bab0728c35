//! Which ends no policy tells apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;

use super::ends::{End, NamedPort};
use super::formula::Formula;
use super::model::{Peers, Policy, Tier};
use super::policies::Policies;

/// Everything that policies can ask of an end, reduced to what these policies do ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Likeness {
    namespace: Option<String>,
    labels: BTreeMap<String, String>,
    service_account: Option<String>,
    is_host_network: bool,
    ports: Vec<NamedPort>,
    node: Option<String>,
    families: (bool, bool),
    /// Which of the policies' address blocks hold which of its addresses.
    blocks: Vec<bool>,
    has_addresses: bool,
}

/// Ends that no policy tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The first of them.
    pub end: End,
    /// All of them by name.
    pub members: Vec<String>,
}

// === impl Policies ===

impl Policies {
    /// Of ends that no policy tells apart, the first.
    #[must_use]
    pub fn distinct(&self, ends: Vec<End>) -> Vec<End> {
        let groups = self.grouped(ends, true).into_iter();
        groups.map(|group| group.end).collect()
    }

    /// Puts ends together that no policy tells apart, in the order of the first of each; where they
    /// run counts if policies ask for it, or the flows they belong to (`by_node`).
    #[must_use]
    pub fn grouped(&self, ends: Vec<End>, by_node: bool) -> Vec<Group> {
        let blocks = self.blocks();
        let by_node = by_node || self.ask_for_nodes();
        let mut seen: HashMap<Likeness, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for end in ends {
            let position = *seen
                .entry(likeness(&end, &blocks, by_node))
                .or_insert(groups.len());
            match groups.get_mut(position) {
                Some(group) => group.members.push(end.to_string()),
                None => groups.push(Group {
                    members: vec![end.to_string()],
                    end,
                }),
            }
        }
        groups
    }

    /// Every address block that some policy asks for.
    fn blocks(&self) -> Vec<IpNet> {
        let mut blocks = BTreeSet::new();
        self.each_formula(&mut |formula| {
            if let Formula::Within(net) = formula {
                blocks.insert(*net);
            }
        });
        blocks.into_iter().collect()
    }

    /// Whether some policy asks on which node an end is.
    fn ask_for_nodes(&self) -> bool {
        let mut asks = false;
        self.each_formula(&mut |formula| asks |= *formula == Formula::SameNode);
        asks
    }

    fn each_formula(&self, visit: &mut impl FnMut(&Formula)) {
        let tiers = self.stacks.iter().flat_map(|stack| &stack.tiers);
        for policy in tiers.flat_map(Tier::policies) {
            for_each_formula(policy, visit);
        }
    }
}

/// Visits every part of every formula of a policy.
pub(super) fn for_each_formula(policy: &Policy, visit: &mut impl FnMut(&Formula)) {
    walk(&policy.subject, visit);
    for section in [&policy.egress, &policy.ingress].into_iter().flatten() {
        for rule in &section.rules {
            walk(&rule.subject, visit);
            if let Peers::OneOf(peers) = &rule.peers {
                for peer in peers {
                    walk(peer, visit);
                }
            }
        }
    }
}

fn walk(formula: &Formula, visit: &mut impl FnMut(&Formula)) {
    visit(formula);
    match formula {
        Formula::All(parts) | Formula::Any(parts) => {
            for part in parts {
                walk(part, visit);
            }
        }
        Formula::Not(part) => walk(part, visit),
        _ => {}
    }
}

fn likeness(end: &End, blocks: &[IpNet], by_node: bool) -> Likeness {
    let pod = end.pod.as_ref();
    let inside = blocks
        .iter()
        .flat_map(|net| end.addresses.iter().map(move |addr| net.contains(addr)));
    let families = end.families();
    Likeness {
        namespace: pod.map(|pod| pod.namespace.name.clone()),
        labels: pod.map(|pod| pod.labels.clone()).unwrap_or_default(),
        service_account: pod.map(|pod| pod.service_account.name.clone()),
        is_host_network: pod.is_some_and(|pod| pod.host_network),
        ports: pod.map(|pod| pod.ports.clone()).unwrap_or_default(),
        node: end
            .node
            .as_ref()
            .filter(|_| by_node || end.is_node_like())
            .map(|node| node.name.clone()),
        families: (families.v4, families.v6),
        blocks: inside.collect(),
        has_addresses: !end.addresses.is_empty(),
    }
}
