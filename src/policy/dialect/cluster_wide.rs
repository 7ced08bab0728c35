//! What AdminNetworkPolicy, BaselineAdminNetworkPolicy (v1alpha1) and ClusterNetworkPolicy
//! (v1alpha2) of policy.networking.k8s.io have in common: subjects, peers and rules.
//!
//! Only ports are written differently; each version brings its own reader for them.

use std::borrow::Cow;

use serde_json::Value;

use super::fields::{BadField, Fields};
use super::{Reader, in_doubt, unknowable};
use crate::cluster::Resource;
use crate::policy::formula::{Domain, Formula};
use crate::policy::model::{
    Action, Direction, Peers, Policy, Port, PortNumber, Ports, Rule, Section,
};
use crate::policy::truth::Truth;

/// What sets a kind apart.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub resource: Resource,
    /// The field of a rule that holds its ports, and the reader of one entry.
    pub ports: (&'static str, ReadPort),
    pub actions: &'static [(&'static str, Action)],
    /// Whether `spec.priority` orders the policies of a tier.
    pub has_priority: bool,
}

type ReadPort = fn(&mut Reader<'_>, Fields<'_>) -> Result<Port, BadField>;

const ANY_ACTION: &[Action] = &[Action::Allow, Action::Deny, Action::Pass];

/// Translates one object.
pub(super) fn policy(reader: &mut Reader<'_>, kind: Kind, object: &Value) -> Policy {
    let id = reader.policy.clone();
    read(reader, kind, object).unwrap_or_else(|bad| {
        let doubt = reader.bad(bad);
        unknowable(id, None, 0, ANY_ACTION, &Truth::No, &doubt)
    })
}

fn read(reader: &mut Reader<'_>, kind: Kind, object: &Value) -> Result<Policy, BadField> {
    let mut whole = Fields::new(object, "")?;
    let mut spec = whole.object("spec")?.ok_or_else(|| missing("spec"))?;
    spec.pass_over(&["tier"]);
    let rank = match kind.has_priority.then(|| priority(&mut spec)) {
        Some(Err(bad)) => Err(reader.bad(bad)),
        Some(Ok(rank)) => Ok(rank),
        None => Ok(0),
    };
    let subject = spec
        .object("subject")?
        .ok_or_else(|| missing("spec.subject"))?;
    let subject = self::subject(reader, subject);
    let ingress = section(reader, kind, &mut spec, Direction::Ingress)?;
    let egress = section(reader, kind, &mut spec, Direction::Egress)?;
    if let Some(unknown) = spec.unknown() {
        return Err(unknown);
    }
    let policy = Policy {
        id: reader.policy.clone(),
        rank: *rank.as_ref().unwrap_or(&0),
        namespace: None,
        subject,
        egress,
        ingress,
    };
    Ok(match rank {
        Ok(_) => policy,
        Err(doubt) => in_doubt(policy, &doubt),
    })
}

fn missing(field: &str) -> BadField {
    BadField {
        field: field.to_owned(),
        why: "is missing".to_owned(),
    }
}

fn priority(spec: &mut Fields<'_>) -> Result<usize, BadField> {
    let priority = spec
        .integer("priority")?
        .ok_or_else(|| missing("spec.priority"))?;
    let in_range = usize::try_from(priority)
        .ok()
        .filter(|priority| *priority <= 1000);
    in_range.ok_or_else(|| BadField {
        field: spec.at("priority"),
        why: format!("{priority} does not lie between 0 and 1000"),
    })
}

/// Exactly one of `namespaces` and `pods`; pods in their node's network namespace are never meant.
fn subject(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> Formula {
    let path = fields.path.clone();
    pods(reader, &mut fields)
        .and_then(|pods| match (pods, fields.unknown()) {
            (_, Some(unknown)) => Err(unknown),
            (Some(pods), None) => Ok(pods),
            (None, None) => Err(BadField {
                field: path,
                why: "names neither namespaces nor pods".to_owned(),
            }),
        })
        .unwrap_or_else(|bad| Formula::All(vec![Formula::Pod, Formula::Unclear(reader.bad(bad))]))
}

/// `namespaces` or `pods`, where one of them is there.
fn pods(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Result<Option<Formula>, BadField> {
    let namespaces = fields.selector("namespaces")?;
    let both = fields.object("pods")?;
    let mut parts = vec![Formula::Pod];
    match (namespaces, both) {
        (Some(selector), None) => {
            parts.extend(reader.selector(Domain::Namespace, &selector, fields.at("namespaces")));
        }
        (None, Some(mut both)) => {
            let selectors = [
                ("namespaceSelector", Domain::Namespace),
                ("podSelector", Domain::Pod),
            ];
            for (field, domain) in selectors {
                // To the API an absent selector is an empty one: everything.
                let selector = both.selector(field)?.unwrap_or_default();
                parts.extend(reader.selector(domain, &selector, both.at(field)));
            }
            if let Some(unknown) = both.unknown() {
                return Err(unknown);
            }
        }
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(BadField {
                field: fields.path.clone(),
                why: "names both namespaces and pods".to_owned(),
            });
        }
    }
    Ok(Some(Formula::All(parts)))
}

fn section(
    reader: &mut Reader<'_>,
    kind: Kind,
    spec: &mut Fields<'_>,
    direction: Direction,
) -> Result<Option<Section>, BadField> {
    let (field, list) = match direction {
        Direction::Egress => ("egress", "spec.egress"),
        Direction::Ingress => ("ingress", "spec.ingress"),
    };
    // Without rules a policy says nothing for the direction.
    let Some(rules) = spec.list(field)?.filter(|rules| !rules.is_empty()) else {
        return Ok(None);
    };
    let mut section = Section {
        isolates: Truth::No,
        rules: Vec::new(),
        list: Cow::Borrowed(list),
        is_written: true,
        is_named: true,
    };
    for (index, value) in rules.iter().enumerate() {
        match rule(reader, kind, direction, index, value) {
            Ok(rule) => section.rules.push(rule),
            Err(bad) => {
                let doubt = reader.bad(bad);
                section
                    .rules
                    .extend(super::unknowable_rules(index, ANY_ACTION, &doubt));
            }
        }
    }
    Ok(Some(section))
}

fn rule(
    reader: &mut Reader<'_>,
    kind: Kind,
    direction: Direction,
    index: usize,
    value: &Value,
) -> Result<Rule, BadField> {
    let mut fields = Fields::new(value, format!("spec.{direction}[{index}]"))?;
    fields.pass_over(&["name"]);
    let name = fields.text("action")?.unwrap_or_default();
    let known = kind.actions.iter().find(|(known, _)| *known == name);
    let (_, action) = *known.ok_or_else(|| BadField {
        field: fields.at("action"),
        why: format!("{name:?} is not an action of a {}", kind.resource.kind()),
    })?;
    let peer_list = match direction {
        Direction::Egress => "to",
        Direction::Ingress => "from",
    };
    let values = fields.list(peer_list)?.unwrap_or_default();
    if values.is_empty() {
        return Err(missing(&fields.at(peer_list)));
    }
    let mut peers = Vec::new();
    let mut fails_closed = false;
    for (position, value) in values.iter().enumerate() {
        let path = fields.at(format_args!("{peer_list}[{position}]"));
        let mut peer_fields = match Fields::new(value, path) {
            Ok(fields) => fields,
            Err(bad) => {
                peers.push(Formula::Unclear(reader.bad(bad)));
                continue;
            }
        };
        if peer_fields.is_empty() {
            reader.doubt(
                &peer_fields.path,
                "names no peer: Allow matches nothing, others deny all",
            );
            fails_closed |= action != Action::Allow;
            peers.push(Formula::Any(Vec::new()));
            continue;
        }
        let peer = peer(reader, &mut peer_fields, direction);
        peers.push(peer.unwrap_or_else(|bad| Formula::Unclear(reader.bad(bad))));
    }
    let ports = ports(reader, kind, &mut fields)?;
    if let Some(unknown) = fields.unknown() {
        return Err(unknown);
    }
    // The API refuses it; whoever enforces it all the same finds no port of that name there.
    if names_ports(&ports) && values.iter().any(is_beyond_pods) {
        reader.doubt(
            fields.at(kind.ports.0),
            "a named port cannot stand beside nodes, networks or domainNames: only pods have names for ports",
        );
    }
    // "For Deny and Pass rules, fail closed means: treat the rule as a Deny all rule."
    let closed = fails_closed.then_some((Action::Deny, Peers::Any, Ports::Any));
    let (action, peers, ports) = closed.unwrap_or((action, Peers::OneOf(peers), ports));
    Ok(Rule {
        index,
        action,
        subject: Formula::EVERYTHING,
        peers,
        ports,
    })
}

fn names_ports(ports: &Ports) -> bool {
    let is_named = |port: &Port| matches!(port.number, PortNumber::Named(_));
    matches!(ports, Ports::OneOf(ports) if ports.iter().any(is_named))
}

fn is_beyond_pods(peer: &Value) -> bool {
    let has = |field: &str| peer.get(field).is_some_and(|value| !value.is_null());
    has("nodes") || has("networks") || has("domainNames")
}

/// Exactly one of namespaces and pods, and for egress also nodes, networks and domainNames.
fn peer(
    reader: &mut Reader<'_>,
    fields: &mut Fields<'_>,
    direction: Direction,
) -> Result<Formula, BadField> {
    let mut kinds = Vec::from_iter(pods(reader, fields)?);
    if direction == Direction::Egress {
        if let Some(selector) = fields.selector("nodes")? {
            let mut parts = vec![Formula::Node];
            parts.extend(reader.selector(Domain::Node, &selector, fields.at("nodes")));
            kinds.push(Formula::All(parts));
        }
        let networks = fields.texts("networks")?;
        if !networks.is_empty() {
            let field = fields.at("networks");
            let blocks = networks.iter().map(|cidr| reader.block(cidr, &[], &field));
            kinds.push(Formula::Any(blocks.collect()));
        }
        if !fields.texts("domainNames")?.is_empty() {
            let doubt = reader.doubt(
                fields.at("domainNames"),
                "names stand for the addresses the enforcing node last resolved them to",
            );
            kinds.push(Formula::All(vec![
                Formula::Outside,
                Formula::Unclear(doubt),
            ]));
        }
    }
    if let Some(unknown) = fields.unknown() {
        return Err(unknown);
    }
    match <[Formula; 1]>::try_from(kinds) {
        Ok([peer]) => Ok(peer),
        Err(_) => Err(BadField {
            field: fields.path.clone(),
            why: "must name exactly one kind of peer".to_owned(),
        }),
    }
}

fn ports(reader: &mut Reader<'_>, kind: Kind, fields: &mut Fields<'_>) -> Result<Ports, BadField> {
    let (field, read) = kind.ports;
    let Some(values) = fields.list(field)?.filter(|values| !values.is_empty()) else {
        return Ok(Ports::Any);
    };
    let mut ports = Vec::new();
    for (position, value) in values.iter().enumerate() {
        let path = fields.at(format_args!("{field}[{position}]"));
        let port = Fields::new(value, path).and_then(|fields| read(reader, fields));
        ports.push(port.unwrap_or_else(|bad| Port {
            protocol: None,
            protocol_written: true,
            number: PortNumber::Unclear(reader.bad(bad)),
        }));
    }
    Ok(Ports::OneOf(ports))
}

/// `start` and `end` of a range.
pub(super) fn range(
    reader: &mut Reader<'_>,
    mut fields: Fields<'_>,
) -> Result<PortNumber, BadField> {
    fields.pass_over(&["protocol"]);
    let start = fields
        .integer("start")?
        .ok_or_else(|| missing(&fields.at("start")))?;
    let end = fields
        .integer("end")?
        .ok_or_else(|| missing(&fields.at("end")))?;
    match fields.unknown() {
        Some(unknown) => Err(unknown),
        None => Ok(reader.range(start, end, &fields.path)),
    }
}
