//! Policies of dialects that are not evaluated here. Whom they may concern is read; what they say to it is
//! open, so that nothing they may keep out is ever called allowed.
//!
//! ```text
//!  crd.antrea.io        NetworkPolicy, ClusterNetworkPolicy   before Kubernetes' own, may do anything
//!  k8s.ovn.org          EgressFirewall                        may deny what leaves for nodes and outside
//!                       (Cluster)UserDefinedNetwork           may part pods of other networks
//!  networking.k8s.aws   ApplicationNetworkPolicy, ClusterNetworkPolicy
//!  networking.gke.io    FQDNNetworkPolicy                     may deny or admit what leaves
//!  network.openshift.io EgressNetworkPolicy                   as EgressFirewall
//! ```

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;

use super::{Problem, Reader, unread};
use crate::cluster::{ClusterView, Resource, Scope};
use crate::policy::formula::{Domain, Formula};
use crate::policy::model::{Action, Direction, Peers, Policy, PolicyRef, Ports, Rule, Section};
use crate::policy::truth::{Doubt, Truth};

/// What is known of a kind.
struct Kind {
    resource: Resource,
    /// What it may do before the other policies are asked.
    actions: &'static [Action],
    directions: &'static [Direction],
    /// Whether it concerns only what leaves the pod network.
    is_outward: bool,
}

const RESTRICTS: &[Action] = &[Action::Deny, Action::Pass];
const ANYTHING: &[Action] = &[Action::Allow, Action::Deny, Action::Pass];
const BOTH: &[Direction] = &Direction::ALL;
const OUT: &[Direction] = &[Direction::Egress];

const KINDS: [Kind; 9] = [
    kind(Resource::AntreaNetworkPolicies, ANYTHING, BOTH, false),
    kind(
        Resource::AntreaClusterNetworkPolicies,
        ANYTHING,
        BOTH,
        false,
    ),
    kind(Resource::EgressFirewalls, RESTRICTS, OUT, true),
    kind(Resource::EgressNetworkPolicies, RESTRICTS, OUT, true),
    kind(Resource::UserDefinedNetworks, RESTRICTS, BOTH, false),
    kind(Resource::ClusterUserDefinedNetworks, RESTRICTS, BOTH, false),
    kind(
        Resource::AwsApplicationNetworkPolicies,
        ANYTHING,
        BOTH,
        false,
    ),
    kind(Resource::AwsClusterNetworkPolicies, ANYTHING, BOTH, false),
    kind(Resource::FqdnNetworkPolicies, ANYTHING, OUT, false),
];

const fn kind(
    resource: Resource,
    actions: &'static [Action],
    directions: &'static [Direction],
    is_outward: bool,
) -> Kind {
    Kind {
        resource,
        actions,
        directions,
        is_outward,
    }
}

/// What stands for each policy of these kinds, and for those that could not be read.
pub fn policies(view: &ClusterView, problems: &mut Vec<Problem>) -> Vec<Policy> {
    let mut policies = Vec::new();
    for kind in &KINDS {
        for object in view.custom(kind.resource) {
            policies.extend(kind.policy(object, problems));
        }
        let gaps = unread(view, kind.resource);
        policies.extend(gaps.map(|(id, namespace, doubt)| {
            kind.standing_for(id, namespace, Formula::Pod, kind.directions, &doubt)
        }));
    }
    policies
}

// === impl Kind ===

impl Kind {
    /// None for an object that cannot keep anything out.
    fn policy(&self, object: &Value, problems: &mut Vec<Problem>) -> Option<Policy> {
        let mut reader = Reader::of(self.resource, object, problems);
        let id = reader.policy.clone();
        let namespaced = self.resource.scope() == Scope::Namespaced;
        let namespace = namespaced.then(|| id.namespace.clone());
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let subject = self.subject(spec, &mut reader);
        let directions: Vec<Direction> = self
            .directions
            .iter()
            .copied()
            .filter(|direction| self.speaks(spec, *direction))
            .collect();
        let doubt = Doubt::NotUnderstood {
            policy: id.clone(),
            field: String::new(),
            why: format!("{} is not evaluated", self.resource.qualified()),
        };
        (!directions.is_empty())
            .then(|| self.standing_for(id, namespace, subject, &directions, &doubt))
    }

    /// Whether an object says anything about a direction.
    fn speaks(&self, spec: &Value, direction: Direction) -> bool {
        let list = match direction {
            Direction::Egress => "egress",
            Direction::Ingress => "ingress",
        };
        let rules = || {
            spec.get(list)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        match self.resource {
            Resource::EgressFirewalls | Resource::EgressNetworkPolicies => {
                rules().any(|rule| rule.get("type").and_then(Value::as_str) != Some("Allow"))
            }
            Resource::UserDefinedNetworks => is_primary(spec),
            Resource::ClusterUserDefinedNetworks => {
                is_primary(spec.get("network").unwrap_or(&Value::Null))
            }
            Resource::AntreaNetworkPolicies
            | Resource::AntreaClusterNetworkPolicies
            | Resource::AwsClusterNetworkPolicies => rules().next().is_some(),
            _ => true,
        }
    }

    /// Whom it selects, as far as its selectors say.
    fn subject(&self, spec: &Value, reader: &mut Reader<'_>) -> Formula {
        let mut selected = |value: &Value, path: &str| {
            let mut parts = vec![Formula::Pod];
            for (domain, field) in [
                (Domain::Pod, "podSelector"),
                (Domain::Namespace, "namespaceSelector"),
            ] {
                let read = value.get(field).filter(|own| !own.is_null());
                let read = read.map(|own| serde_json::from_value::<LabelSelector>(own.clone()));
                if let Some(Ok(selector)) = read {
                    parts.extend(reader.selector(domain, &selector, format!("{path}.{field}")));
                }
            }
            Formula::All(parts)
        };
        let applied = spec.get("appliedTo").and_then(Value::as_array);
        match (self.resource, applied) {
            (
                Resource::AntreaNetworkPolicies | Resource::AntreaClusterNetworkPolicies,
                Some(applied),
            ) if !applied.is_empty() => {
                let entries = applied
                    .iter()
                    .map(|entry| selected(entry, "spec.appliedTo"));
                Formula::Any(entries.collect())
            }
            (Resource::AwsClusterNetworkPolicies, _) => Formula::Pod,
            _ => selected(spec, "spec"),
        }
    }

    fn standing_for(
        &self,
        id: PolicyRef,
        namespace: Option<String>,
        subject: Formula,
        directions: &[Direction],
        doubt: &Doubt,
    ) -> Policy {
        let is_primary_network = matches!(
            self.resource,
            Resource::UserDefinedNetworks | Resource::ClusterUserDefinedNetworks
        );
        let mut concerned = vec![Formula::Unclear(doubt.clone())];
        if self.is_outward {
            concerned.push(Formula::Not(Box::new(Formula::Pod)));
        }
        if let Some(own) = namespace.as_ref().filter(|_| is_primary_network) {
            concerned.push(Formula::Pod);
            concerned.push(Formula::Not(Box::new(Formula::Namespace(own.clone()))));
        }
        let section = |direction: Direction, list: &'static str| {
            let rule = |action: &Action| Rule {
                index: 0,
                action: *action,
                subject: Formula::EVERYTHING,
                peers: Peers::OneOf(vec![Formula::All(concerned.clone())]),
                ports: Ports::Any,
            };
            directions.contains(&direction).then(|| Section {
                isolates: Truth::No,
                rules: self.actions.iter().map(rule).collect(),
                list: Cow::Borrowed(list),
                is_written: true,
                is_named: true,
            })
        };
        Policy {
            rank: 0,
            subject,
            egress: section(Direction::Egress, "spec.egress"),
            ingress: section(Direction::Ingress, "spec.ingress"),
            id,
            namespace,
        }
    }
}

/// Whether a network is the primary one of its pods (OVN-Kubernetes, user-defined networks).
fn is_primary(spec: &Value) -> bool {
    let role = |layer: &str| {
        spec.pointer(&format!("/{layer}/role"))
            .and_then(Value::as_str)
    };
    [
        role("layer2"),
        role("layer3"),
        spec.get("role").and_then(Value::as_str),
    ]
    .contains(&Some("Primary"))
}
