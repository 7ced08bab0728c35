//! networking.k8s.io/v1 NetworkPolicy.
//!
//! Isolation and rules are those of the API documentation (`k8s.io/api/networking/v1/types.go`):
//! policies only ever add, a pod is isolated for a direction once one policy selects it for that
//! direction, and `policyTypes` that are left out mean Ingress, and Egress where there are rules.

use std::borrow::Cow;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Problem, Reader, unknowable, unread};
use crate::cluster::{ClusterView, Named, Resource};
use crate::net::Protocol;
use crate::policy::formula::{Domain, Formula};
use crate::policy::model::{
    Action, Direction, Peers, Policy, PolicyRef, Port, PortNumber, Ports, Rule, Section,
};
use crate::policy::truth::{Doubt, Truth};

/// Every policy of the view, those that could not be read too.
pub fn policies(view: &ClusterView, problems: &mut Vec<Problem>) -> Vec<Policy> {
    let written = view.network_policies.iter();
    let mut policies: Vec<Policy> = written.map(|policy| translate(policy, problems)).collect();
    for (id, namespace, doubt) in unread(view, Resource::NetworkPolicies) {
        policies.push(unknown(id, namespace, &doubt));
    }
    for rejected in &view.rejected {
        if rejected.resource == Some(Resource::NetworkPolicies) {
            let object = &rejected.object;
            let id = PolicyRef::new(Resource::NetworkPolicies, &object.namespace, &object.name);
            let mut reader = Reader {
                policy: id.clone(),
                problems,
            };
            let doubt = reader.doubt("", &rejected.why);
            policies.push(unknown(id, Some(object.namespace.clone()), &doubt));
        }
    }
    policies
}

/// It may isolate any pod of its namespace, and admit anything; it cannot deny.
fn unknown(id: PolicyRef, namespace: Option<String>, doubt: &Doubt) -> Policy {
    let isolates = Truth::Maybe(doubt.clone());
    unknowable(id, namespace, 0, &[Action::Allow], &isolates, doubt)
}

const fn list(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "spec.egress",
        Direction::Ingress => "spec.ingress",
    }
}

fn translate(policy: &NetworkPolicy, problems: &mut Vec<Problem>) -> Policy {
    let namespace = policy.namespace();
    let id = PolicyRef::new(Resource::NetworkPolicies, namespace, policy.name());
    let mut reader = Reader {
        policy: id.clone(),
        problems,
    };
    let default = NetworkPolicySpec::default();
    let spec = policy.spec.as_ref().unwrap_or(&default);
    let mut subject = vec![Formula::Pod];
    if let Some(selector) = &spec.pod_selector {
        subject.extend(reader.selector(Domain::Pod, selector, "spec.podSelector"));
    }
    let types = Types::read(&mut reader, spec);
    let ingress = types.section(Direction::Ingress).then(|| {
        let rules = spec.ingress.as_deref().unwrap_or_default().iter();
        let parts = rules.map(|rule| (rule.from.as_deref(), rule.ports.as_deref()));
        let rules = rules_of(&mut reader, namespace, Direction::Ingress, parts);
        types.make_section(Direction::Ingress, rules, spec.ingress.is_some())
    });
    let egress = types.section(Direction::Egress).then(|| {
        let rules = spec.egress.as_deref().unwrap_or_default().iter();
        let parts = rules.map(|rule| (rule.to.as_deref(), rule.ports.as_deref()));
        let rules = rules_of(&mut reader, namespace, Direction::Egress, parts);
        types.make_section(Direction::Egress, rules, spec.egress.is_some())
    });
    Policy {
        id,
        rank: 0,
        namespace: Some(namespace.to_owned()),
        subject: Formula::All(subject),
        egress,
        ingress,
    }
}

/// The directions a policy is about.
struct Types {
    ingress: Truth,
    egress: Truth,
    /// Whether `policyTypes` says so, or the default.
    named: bool,
}

// === impl Types ===

impl Types {
    fn read(reader: &mut Reader<'_>, spec: &NetworkPolicySpec) -> Self {
        let named = spec.policy_types.as_deref().unwrap_or_default();
        let mut types = Self {
            ingress: Truth::from(named.is_empty() || named.iter().any(|name| name == "Ingress")),
            egress: Truth::from(if named.is_empty() {
                spec.egress.as_ref().is_some_and(|rules| !rules.is_empty())
            } else {
                named.iter().any(|name| name == "Egress")
            }),
            named: !named.is_empty(),
        };
        let wrong = |name: &&String| !matches!(name.as_str(), "Ingress" | "Egress");
        if let Some(wrong) = named.iter().find(wrong) {
            let why = format_args!("{wrong:?} is neither Ingress nor Egress");
            let doubt = reader.doubt("spec.policyTypes", why);
            types.ingress = types.ingress.or(Truth::Maybe(doubt.clone()));
            types.egress = types.egress.or(Truth::Maybe(doubt));
        }
        types
    }

    const fn get(&self, direction: Direction) -> &Truth {
        match direction {
            Direction::Egress => &self.egress,
            Direction::Ingress => &self.ingress,
        }
    }

    const fn section(&self, direction: Direction) -> bool {
        !self.get(direction).is_no()
    }

    fn make_section(&self, direction: Direction, rules: Vec<Rule>, is_written: bool) -> Section {
        Section {
            isolates: self.get(direction).clone(),
            rules,
            list: Cow::Borrowed(list(direction)),
            is_written,
            is_named: self.named,
        }
    }
}

type RuleParts<'a> = (
    Option<&'a [NetworkPolicyPeer]>,
    Option<&'a [NetworkPolicyPort]>,
);

fn rules_of<'a>(
    reader: &mut Reader<'_>,
    namespace: &str,
    direction: Direction,
    parts: impl Iterator<Item = RuleParts<'a>>,
) -> Vec<Rule> {
    let peer_list = match direction {
        Direction::Egress => "to",
        Direction::Ingress => "from",
    };
    let rule = |(index, (from_or_to, ports)): (usize, RuleParts<'_>)| {
        let field = format!("{}[{index}]", list(direction));
        let mut peers = Vec::new();
        for (position, entry) in from_or_to.unwrap_or_default().iter().enumerate() {
            let field = format!("{field}.{peer_list}[{position}]");
            peers.push(peer(reader, namespace, entry, &field));
        }
        let mut covered = Vec::new();
        for (position, entry) in ports.unwrap_or_default().iter().enumerate() {
            covered.push(port(reader, entry, &format!("{field}.ports[{position}]")));
        }
        Rule {
            index,
            action: Action::Allow,
            subject: Formula::EVERYTHING,
            peers: if peers.is_empty() {
                Peers::Any
            } else {
                Peers::OneOf(peers)
            },
            ports: if covered.is_empty() {
                Ports::Any
            } else {
                Ports::OneOf(covered)
            },
        }
    };
    parts.enumerate().map(rule).collect()
}

fn peer(
    reader: &mut Reader<'_>,
    namespace: &str,
    peer: &NetworkPolicyPeer,
    field: &str,
) -> Formula {
    match (&peer.ip_block, &peer.namespace_selector, &peer.pod_selector) {
        (Some(block), None, None) => {
            let except = block.except.as_deref().unwrap_or_default();
            reader.block(&block.cidr, except, &format!("{field}.ipBlock"))
        }
        (Some(_), _, _) => {
            Formula::Unclear(reader.doubt(field, "ipBlock cannot stand beside a selector"))
        }
        (None, None, None) => Formula::Unclear(reader.doubt(
            field,
            "has neither podSelector, namespaceSelector nor ipBlock",
        )),
        (None, namespaces, pods) => {
            let mut parts = vec![Formula::Pod];
            match namespaces {
                Some(selector) => parts.extend(reader.selector(
                    Domain::Namespace,
                    selector,
                    format_args!("{field}.namespaceSelector"),
                )),
                None => parts.push(Formula::Namespace(namespace.to_owned())),
            }
            if let Some(selector) = pods {
                let field = format_args!("{field}.podSelector");
                parts.extend(reader.selector(Domain::Pod, selector, field));
            }
            Formula::All(parts)
        }
    }
}

fn port(reader: &mut Reader<'_>, port: &NetworkPolicyPort, field: &str) -> Port {
    let (protocol, number) = match Protocol::from_field(port.protocol.as_deref()) {
        Ok(protocol) => (Some(protocol), number(reader, port, field)),
        Err(bad) => {
            let doubt = reader.doubt(format_args!("{field}.protocol"), bad);
            (None, PortNumber::Unclear(doubt))
        }
    };
    Port {
        protocol,
        protocol_written: port.protocol.is_some(),
        number,
    }
}

fn number(reader: &mut Reader<'_>, port: &NetworkPolicyPort, field: &str) -> PortNumber {
    match (&port.port, port.end_port) {
        (None, None) => PortNumber::Any,
        (None, Some(_)) => PortNumber::Unclear(reader.doubt(field, "endPort without port")),
        (Some(IntOrString::Int(first)), last) => {
            let last = last.unwrap_or(*first);
            reader.range((*first).into(), last.into(), field)
        }
        (Some(IntOrString::String(name)), Some(_)) => PortNumber::Unclear(reader.doubt(
            field,
            format_args!("endPort beside the named port {name:?}"),
        )),
        (Some(IntOrString::String(name)), None) => {
            if !name.contains(|c: char| c.is_ascii_alphabetic()) {
                // It is a name to the API, and no container port can be called so.
                reader.doubt(
                    field,
                    format_args!("{name:?} is a name, not a number: leave out the quotes"),
                );
            }
            PortNumber::Named(name.clone())
        }
    }
}
