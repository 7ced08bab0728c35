//! Rules: what one end matches, and the ports.
//!
//! Of a rule's `source` and `destination` one is the peer; the other narrows the end the policy
//! applies to.

use serde_json::Value;

use super::expression::{self, About};
use super::sets::Sets;
use crate::cluster::{Operator, Requirement};
use crate::net::{PortRange, Protocol};
use crate::policy::dialect::Reader;
use crate::policy::dialect::fields::{BadField, Fields};
use crate::policy::ends::SERVICE_ACCOUNT_NAME;
use crate::policy::formula::{Domain, Formula};
use crate::policy::model::{Action, Direction, Peers, Port, PortNumber, Ports, Rule};
use crate::policy::truth::Doubt;

/// What rules of one policy share.
pub(super) struct Scope<'a> {
    /// The namespace of a namespaced policy.
    pub namespace: Option<&'a str>,
    pub sets: &'a Sets,
}

/// Translates one rule; none for a rule that only writes a log.
pub(super) fn rule(
    reader: &mut Reader<'_>,
    scope: &Scope<'_>,
    direction: Direction,
    index: usize,
    value: &Value,
) -> Result<Option<Rule>, BadField> {
    let mut fields = Fields::new(value, format!("spec.{direction}[{index}]"))?;
    fields.pass_over(&["metadata", "icmp", "notICMP"]);
    let action = match fields.text("action")?.unwrap_or_default() {
        "Allow" => Action::Allow,
        "Deny" => Action::Deny,
        "Pass" => Action::Pass,
        "Log" => return Ok(None),
        other => {
            return Err(BadField {
                field: fields.at("action"),
                why: format!("{other:?} is not an action of Calico"),
            });
        }
    };
    let mut source = EntityRule::read(reader, scope, fields.object("source")?)?;
    let mut destination = EntityRule::read(reader, scope, fields.object("destination")?)?;
    if source.has_ports() {
        let doubt = reader.doubt(
            fields.at("source"),
            "matches source ports, which are not known in advance",
        );
        source.parts.push(Formula::Unclear(doubt));
    }
    let ports = ports(reader, &mut fields, &destination);
    if fields.get("http").is_some() {
        let doubt = reader.doubt(fields.at("http"), "matches HTTP requests");
        destination.parts.push(Formula::Unclear(doubt));
    }
    if let Some(version) = fields.integer("ipVersion")? {
        destination.parts.push(match version {
            4 => Formula::Within(ipnet::Ipv4Net::default().into()),
            6 => Formula::Within(ipnet::Ipv6Net::default().into()),
            other => {
                return Err(BadField {
                    field: fields.at("ipVersion"),
                    why: format!("{other} is neither 4 nor 6"),
                });
            }
        });
    }
    if let Some(unknown) = fields.unknown() {
        return Err(unknown);
    }
    let (subject, peer) = match direction {
        Direction::Egress => (source, destination),
        Direction::Ingress => (destination, source),
    };
    let peers = if peer.parts.is_empty() {
        Peers::Any
    } else {
        Peers::OneOf(vec![Formula::All(peer.parts)])
    };
    Ok(Some(Rule {
        index,
        action,
        subject: Formula::All(subject.parts),
        peers,
        ports,
    }))
}

/// One of the two ends a rule names.
#[derive(Default)]
struct EntityRule<'a> {
    /// All of these must hold.
    parts: Vec<Formula>,
    ports: Option<&'a [Value]>,
    not_ports: Option<&'a [Value]>,
}

// === impl EntityRule ===

impl<'a> EntityRule<'a> {
    fn read(
        reader: &mut Reader<'_>,
        scope: &Scope<'_>,
        fields: Option<Fields<'a>>,
    ) -> Result<Self, BadField> {
        let Some(mut fields) = fields else {
            return Ok(Self::default());
        };
        let mut parts = Vec::new();
        let nets = fields.texts("nets")?;
        if !nets.is_empty() {
            parts.push(within(reader, &nets, &fields.at("nets")));
        }
        let not_nets = fields.texts("notNets")?;
        if !not_nets.is_empty() {
            let nets = within(reader, &not_nets, &fields.at("notNets"));
            parts.push(Formula::Not(Box::new(nets)));
        }
        if fields.get("services").is_some() {
            let doubt = reader.doubt(
                fields.at("services"),
                "refers to Services, whose endpoints change",
            );
            parts.push(Formula::Unclear(doubt));
        }
        endpoints(reader, scope, &mut fields, &mut parts)?;
        let end = Self {
            parts,
            ports: fields.list("ports")?,
            not_ports: fields.list("notPorts")?,
        };
        match fields.unknown() {
            Some(unknown) => Err(unknown),
            None => Ok(end),
        }
    }

    fn has_ports(&self) -> bool {
        [self.ports, self.not_ports]
            .into_iter()
            .flatten()
            .any(|ports| !ports.is_empty())
    }
}

fn within(reader: &mut Reader<'_>, nets: &[&str], field: &str) -> Formula {
    Formula::Any(nets.iter().map(|net| reader.net(net, field)).collect())
}

/// `selector`, `namespaceSelector`, `serviceAccounts` and `notSelector`: as soon as one is used, a
/// namespaced policy means its own namespace, unless it names others.
fn endpoints(
    reader: &mut Reader<'_>,
    scope: &Scope<'_>,
    fields: &mut Fields<'_>,
    parts: &mut Vec<Formula>,
) -> Result<(), BadField> {
    let mut expression = |fields: &mut Fields<'_>, field, about| {
        let text = fields.text(field)?.filter(|text| !text.is_empty());
        let parsed = text.map(|text| {
            expression::parse(text, about)
                .unwrap_or_else(|why| Formula::Unclear(reader.doubt(fields.at(field), why)))
        });
        Ok::<_, BadField>(parsed)
    };
    let namespaces = expression(fields, "namespaceSelector", About::Namespaces)?;
    let labels = expression(fields, "selector", About::Endpoints)?;
    let not_labels = expression(fields, "notSelector", About::Endpoints)?;
    let accounts = match fields.object("serviceAccounts")? {
        None => None,
        Some(mut accounts) => {
            let mut wanted = Vec::new();
            let names = accounts.texts("names")?;
            if !names.is_empty() {
                wanted.push(Formula::Label(
                    Domain::ServiceAccount,
                    Requirement {
                        key: SERVICE_ACCOUNT_NAME.to_owned(),
                        operator: Operator::In,
                        values: names.into_iter().map(ToOwned::to_owned).collect(),
                    },
                ));
            }
            wanted.extend(expression(
                &mut accounts,
                "selector",
                About::ServiceAccounts,
            )?);
            if let Some(unknown) = accounts.unknown() {
                return Err(unknown);
            }
            (!wanted.is_empty()).then_some(Formula::All(wanted))
        }
    };
    let may_be_host = namespaces.is_none() && scope.namespace.is_none() && accounts.is_none();
    let policy = &reader.policy;
    let any = |conditions: Vec<Formula>| {
        let mut any = vec![Formula::All(
            [vec![Formula::Pod], conditions.clone()].concat(),
        )];
        any.extend(scope.sets.matching(&Formula::All(conditions)));
        if may_be_host {
            let doubt = Doubt::host_endpoints(policy);
            any.push(Formula::All(vec![Formula::Node, Formula::Unclear(doubt)]));
        }
        Formula::Any(any)
    };
    let is_used = namespaces.is_some() || labels.is_some() || not_labels.is_some();
    let mut conditions: Vec<Formula> = match (namespaces, scope.namespace) {
        (Some(namespaces), _) => vec![namespaces],
        (None, Some(own)) if is_used || accounts.is_some() => vec![super::in_namespace(own)],
        (None, _) => Vec::new(),
    };
    conditions.extend(accounts);
    conditions.extend(labels);
    if !conditions.is_empty() {
        parts.push(any(conditions));
    }
    if let Some(not_labels) = not_labels {
        parts.push(Formula::Not(Box::new(any(vec![not_labels]))));
    }
    Ok(())
}

/// `protocol`, `notProtocol`, and the ports of the destination.
fn ports(reader: &mut Reader<'_>, fields: &mut Fields<'_>, destination: &EntityRule<'_>) -> Ports {
    let only = fields.get("protocol").map(protocol);
    let not = fields.get("notProtocol").map(protocol);
    if only.is_none() && not.is_none() && !destination.has_ports() {
        return Ports::Any;
    }
    let field = fields.at("destination.ports");
    let numbers = match destination.ports {
        Some(ports) if !ports.is_empty() => ports
            .iter()
            .map(|port| number(reader, port, &field))
            .collect(),
        _ => vec![PortNumber::Any],
    };
    let without: Vec<PortNumber> = destination
        .not_ports
        .into_iter()
        .flatten()
        .map(|port| number(reader, port, &field))
        .collect();
    let numbers = subtract(reader, numbers, &without, &field);
    let protocols = Protocol::ALL.into_iter().filter(|protocol| {
        only.is_none_or(|only| only == Some(*protocol)) && not != Some(Some(*protocol))
    });
    let port = |protocol: Protocol| {
        let numbers = numbers.iter().cloned();
        numbers.map(move |number| Port {
            protocol: Some(protocol),
            protocol_written: true,
            number,
        })
    };
    Ports::OneOf(protocols.flat_map(port).collect())
}

/// A name or an IP protocol number; none for one that netpath does not follow (ICMP, GRE …).
fn protocol(value: &Value) -> Option<Protocol> {
    let is_meant = |protocol: &Protocol| match value {
        Value::String(name) => {
            name.eq_ignore_ascii_case(protocol.lower()) || *name == protocol.number().to_string()
        }
        other => other.as_u64() == Some(protocol.number().into()),
    };
    Protocol::ALL.into_iter().find(is_meant)
}

/// `80`, `"80"`, `"80:90"` or a name.
fn number(reader: &mut Reader<'_>, value: &Value, field: &str) -> PortNumber {
    if let Some(number) = value.as_i64() {
        return reader.range(number, number, field);
    }
    let text = value.as_str().unwrap_or_default();
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        // Calico's ranges may begin at 0, which no flow has.
        (Ok(first), Ok(last)) => reader.range(i64::max(first, 1), last, field),
        _ if text.is_empty() || text.contains(':') => {
            PortNumber::Unclear(reader.doubt(field, format_args!("{value} is not a port")))
        }
        _ => PortNumber::Named(text.to_owned()),
    }
}

/// What remains of some ports without others.
fn subtract(
    reader: &mut Reader<'_>,
    numbers: Vec<PortNumber>,
    without: &[PortNumber],
    field: &str,
) -> Vec<PortNumber> {
    let mut left = numbers;
    for hole in without {
        let PortNumber::Range(hole) = hole else {
            let why = "excludes named ports, which differ from pod to pod";
            return vec![PortNumber::Unclear(reader.doubt(field, why))];
        };
        left = left
            .into_iter()
            .flat_map(|number| cut(number, *hole))
            .collect();
    }
    left
}

fn cut(number: PortNumber, hole: PortRange) -> Vec<PortNumber> {
    let range = match number {
        PortNumber::Any => PortRange::ANY,
        PortNumber::Range(range) => range,
        PortNumber::Named(_) | PortNumber::Unclear(_) => return vec![number],
    };
    let below = hole
        .first
        .checked_sub(1)
        .map(|last| (range.first, range.last.min(last)));
    let above = hole
        .last
        .checked_add(1)
        .map(|first| (range.first.max(first), range.last));
    let pieces = [below, above].into_iter().flatten();
    pieces
        .filter(|(first, last)| first <= last)
        .map(|(first, last)| PortNumber::Range(PortRange { first, last }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_cut_out() {
        let range = |first, last| PortNumber::Range(PortRange { first, last });
        for (from, hole, expected) in [
            (
                PortNumber::Any,
                (80, 90),
                vec![range(1, 79), range(91, 65535)],
            ),
            (range(80, 90), (85, 85), vec![range(80, 84), range(86, 90)]),
            (range(80, 90), (80, 90), vec![]),
            (range(80, 90), (1, 65535), vec![]),
            (range(80, 90), (100, 200), vec![range(80, 90)]),
            (range(80, 90), (1, 85), vec![range(86, 90)]),
        ] {
            let hole = PortRange {
                first: hole.0,
                last: hole.1,
            };
            assert_eq!(cut(from.clone(), hole), expected, "{from:?} without {hole}");
        }
    }
}
