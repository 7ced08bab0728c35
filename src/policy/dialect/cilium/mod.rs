//! cilium.io/v2 CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy at layers 3 and 4.
//!
//! All policies that select a pod, Kubernetes' own too, add up; a deny rule of any of them wins
//! (Cilium documentation, "Deny Policies"). So each policy becomes two of the neutral model: its
//! deny rules, asked first, and its allow rules, asked together with the NetworkPolicies.

mod rule;
mod selector;
mod settings;

use std::borrow::Cow;

use serde_json::Value;

use super::fields::{BadField, Fields};
use super::{Problem, Reader, unknowable, unread};
use crate::cluster::scope::CILIUM_CONFIG;
use crate::cluster::{ClusterView, Named, Resource};
use crate::policy::formula::Formula;
use crate::policy::model::{Action, Direction, Peers, Policy, Section};
use crate::policy::truth::Truth;
use settings::Settings;

/// The rank of deny rules; everything that allows comes behind.
const DENY: usize = 0;
/// The rank of allow rules, and of NetworkPolicies beside them.
pub const ALLOW: usize = 1;

/// One policy being read.
struct Cilium<'a, 'p> {
    reader: Reader<'p>,
    settings: &'a Settings,
    /// The namespace of a namespaced policy.
    namespace: Option<String>,
}

/// Every policy of the view; none where it holds nothing of Cilium's.
pub fn policies(view: &ClusterView, problems: &mut Vec<Problem>) -> Vec<Policy> {
    let settings = Settings::read(view);
    let mut policies = Vec::new();
    for resource in [
        Resource::CiliumNetworkPolicies,
        Resource::CiliumClusterwideNetworkPolicies,
    ] {
        for object in view.custom(resource) {
            let reader = Reader::of(resource, object, problems);
            let namespace = &reader.policy.namespace;
            let namespace = (!namespace.is_empty()).then(|| namespace.clone());
            let mut cilium = Cilium {
                reader,
                settings: &settings,
                namespace,
            };
            policies.extend(cilium.object(object));
        }
        policies.extend(unread(view, resource).map(|(id, namespace, doubt)| {
            let isolates = Truth::Maybe(doubt.clone());
            let actions = &[Action::Allow, Action::Deny];
            unknowable(id, namespace, DENY, actions, &isolates, &doubt)
        }));
    }
    policies
}

/// Whether Cilium enforces policies here: its agents' settings or its agents are there.
pub fn runs(view: &ClusterView) -> bool {
    let mut maps = view.config_maps.iter();
    let mut sets = view.workloads_of(Resource::DaemonSets);
    maps.any(|map| map.name() == CILIUM_CONFIG) || sets.any(|set| AGENTS.contains(&set.name()))
}

/// DaemonSets of Cilium's agents; `anetd` is that of GKE Dataplane V2.
const AGENTS: [&str; 2] = ["cilium", "anetd"];

/// Address blocks of NetworkPolicies as Cilium enforces them: like its own.
pub fn narrow_blocks(view: &ClusterView, policies: &mut [Policy]) {
    let settings = Settings::read(view);
    for policy in policies {
        let id = policy.id.clone();
        let sections = [&mut policy.egress, &mut policy.ingress];
        for rule in sections
            .into_iter()
            .flatten()
            .flat_map(|section| &mut section.rules)
        {
            if let Peers::OneOf(peers) = &mut rule.peers {
                for peer in peers.iter_mut().filter(|peer| is_block(peer)) {
                    let block = std::mem::replace(peer, Formula::EVERYTHING);
                    *peer = Formula::All(vec![block, settings.in_block(&id)]);
                }
            }
        }
    }
}

fn is_block(formula: &Formula) -> bool {
    match formula {
        Formula::Within(_) => true,
        Formula::All(parts) => parts.iter().any(is_block),
        _ => false,
    }
}

// === impl Cilium ===

impl Cilium<'_, '_> {
    /// `spec`, and each of `specs`.
    fn object(&mut self, object: &Value) -> Vec<Policy> {
        let single = object.get("spec").filter(|spec| !spec.is_null());
        let several = object.get("specs").and_then(Value::as_array);
        let several = several.into_iter().flatten().enumerate();
        let specs = single.into_iter().map(|spec| ("spec".to_owned(), spec));
        let specs =
            specs.chain(several.map(|(position, spec)| (format!("specs[{position}]"), spec)));
        let mut policies = Vec::new();
        for (path, spec) in specs {
            match self.spec(spec, path) {
                Ok(both) => policies.extend(both),
                Err(bad) => {
                    let doubt = self.reader.bad(bad);
                    let id = self.reader.policy.clone();
                    let isolates = Truth::Maybe(doubt.clone());
                    let actions = &[Action::Allow, Action::Deny];
                    let namespace = self.namespace.clone();
                    policies.push(unknowable(id, namespace, DENY, actions, &isolates, &doubt));
                }
            }
        }
        policies
    }

    fn spec(&mut self, spec: &Value, path: String) -> Result<[Policy; 2], BadField> {
        let mut fields = Fields::new(spec, path)?;
        fields.pass_over(&["labels", "description", "log"]);
        let subject = self.subject_of(&mut fields)?;
        let mut default_deny = fields.object("enableDefaultDeny")?;
        let mut sections = Vec::new();
        for (direction, allow, deny) in [
            (Direction::Egress, "egress", "egressDeny"),
            (Direction::Ingress, "ingress", "ingressDeny"),
        ] {
            let asked = match &mut default_deny {
                Some(fields) => fields.flag(allow)?,
                None => None,
            };
            let allowing = self.section(&mut fields, direction, Action::Allow, allow)?;
            let denying = self.section(&mut fields, direction, Action::Deny, deny)?;
            // Either list isolates, unless it is switched off; switched on, the direction is closed
            // without any rule, too (`enableDefaultDeny`, pkg/policy/api/rule.go).
            let has_rules = !allowing.rules_are_none() || !denying.rules_are_none();
            let isolates = Truth::from(asked.unwrap_or(has_rules));
            let speaks = has_rules || asked == Some(true);
            let allowing = Section {
                isolates,
                ..allowing.section
            };
            sections.push((
                speaks.then_some(allowing),
                speaks.then_some(denying.section),
            ));
        }
        if let Some(unknown) = default_deny.and_then(|fields| fields.unknown()) {
            return Err(unknown);
        }
        if let Some(unknown) = fields.unknown() {
            return Err(unknown);
        }
        let policy = |rank, egress, ingress| Policy {
            id: self.reader.policy.clone(),
            rank,
            namespace: self.namespace.clone(),
            subject: subject.clone(),
            egress,
            ingress,
        };
        let mut sections = sections.into_iter();
        let (egress, no_egress) = sections.next().unwrap_or_default();
        let (ingress, no_ingress) = sections.next().unwrap_or_default();
        Ok([
            policy(DENY, no_egress, no_ingress),
            policy(ALLOW, egress, ingress),
        ])
    }

    /// Exactly one of `endpointSelector` and, in cluster-wide policies, `nodeSelector`.
    fn subject_of(&mut self, fields: &mut Fields<'_>) -> Result<Formula, BadField> {
        let endpoints = fields.get("endpointSelector");
        let nodes = fields.get("nodeSelector");
        match (endpoints, nodes) {
            (Some(value), None) => self.subject(value, &fields.at("endpointSelector")),
            (None, Some(value)) => {
                let labels = selector::nodes(value, &fields.at("nodeSelector"))?;
                let node = self.settings.policed_node(&self.reader.policy);
                Ok(Formula::All(vec![node, labels]))
            }
            _ => Err(BadField {
                field: fields.path.clone(),
                why: "must name exactly one of endpointSelector and nodeSelector".to_owned(),
            }),
        }
    }

    fn section(
        &mut self,
        fields: &mut Fields<'_>,
        direction: Direction,
        action: Action,
        field: &'static str,
    ) -> Result<Entries, BadField> {
        let list = fields.at(field);
        let written = fields.list(field)?;
        let values = written.unwrap_or_default();
        let mut rules = Vec::new();
        for (index, value) in values.iter().enumerate() {
            rules.extend(self.rule(direction, action, index, value, format!("{list}[{index}]")));
        }
        Ok(Entries {
            count: values.len(),
            section: Section {
                isolates: Truth::No,
                rules,
                list: Cow::Owned(list),
                is_written: written.is_some(),
                is_named: true,
            },
        })
    }
}

/// A section, and how many entries it was made of.
struct Entries {
    count: usize,
    section: Section,
}

// === impl Entries ===

impl Entries {
    const fn rules_are_none(&self) -> bool {
        self.count == 0
    }
}
