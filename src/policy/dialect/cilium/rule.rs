//! Rules at layers 3 and 4. What needs a name, a request or a Service to be known stays open.

use serde_json::Value;

use super::{Cilium, selector};
use crate::net::Protocol;
use crate::policy::dialect::fields::{BadField, Fields};
use crate::policy::dialect::unknowable_rules;
use crate::policy::formula::{Families, Formula};
use crate::policy::model::{Action, Direction, Peers, Port, PortNumber, Ports, Rule};
use crate::policy::truth::Doubt;

/// Some ports of a rule, and what else they ask.
struct PortSet {
    ports: Ports,
    /// Requests of a kind, a TLS name …
    further: Option<Doubt>,
}

impl Cilium<'_, '_> {
    /// Translates one entry of `ingress`, `egress`, `ingressDeny` or `egressDeny`: one rule for each
    /// entry of `toPorts`, as each may ask for other requests.
    pub(super) fn rule(
        &mut self,
        direction: Direction,
        action: Action,
        index: usize,
        value: &Value,
        path: String,
    ) -> Vec<Rule> {
        self.read_rule(direction, action, index, value, path)
            .unwrap_or_else(|bad| {
                let doubt = self.reader.bad(bad);
                unknowable_rules(index, &[action], &doubt)
            })
    }

    fn read_rule(
        &mut self,
        direction: Direction,
        action: Action,
        index: usize,
        value: &Value,
        path: String,
    ) -> Result<Vec<Rule>, BadField> {
        let mut fields = Fields::new(value, path)?;
        let peers = self.peers(direction, &mut fields)?;
        let ports = self.port_sets(&mut fields)?;
        let has_icmp = fields.list("icmps")?.is_some_and(|icmps| !icmps.is_empty());
        let further = self.authentication(&mut fields)?;
        if let Some(unknown) = fields.unknown() {
            return Err(unknown);
        }
        if has_icmp && ports.is_empty() {
            // Only ICMP.
            return Ok(Vec::new());
        }
        let peers = match (peers, ports.is_empty()) {
            (Some(peers), _) => Peers::OneOf(peers),
            (None, false) => Peers::Any,
            // An entry without any member selects nothing: it only isolates.
            (None, true) => Peers::OneOf(Vec::new()),
        };
        let sets = if ports.is_empty() {
            vec![PortSet {
                ports: Ports::Any,
                further: None,
            }]
        } else {
            ports
        };
        let rule = |set: PortSet| {
            let doubts = [set.further, further.clone()].into_iter().flatten();
            Rule {
                index,
                action,
                subject: Formula::All(doubts.map(Formula::Unclear).collect()),
                peers: peers.clone(),
                ports: set.ports,
            }
        };
        Ok(sets.into_iter().map(rule).collect())
    }

    /// The one kind of peer an entry may name; none where it names none at all. An empty list is
    /// nobody.
    fn peers(
        &mut self,
        direction: Direction,
        fields: &mut Fields<'_>,
    ) -> Result<Option<Vec<Formula>>, BadField> {
        let names: &[&'static str] = match direction {
            Direction::Ingress => &[
                "fromEndpoints",
                "fromEntities",
                "fromCIDR",
                "fromCIDRSet",
                "fromNodes",
                "fromGroups",
                "fromRequires",
            ],
            Direction::Egress => &[
                "toEndpoints",
                "toEntities",
                "toCIDR",
                "toCIDRSet",
                "toNodes",
                "toGroups",
                "toRequires",
                "toServices",
                "toFQDNs",
            ],
        };
        let mut found: Option<(&str, Vec<Formula>)> = None;
        for &name in names {
            let Some(values) = fields.list(name)? else {
                continue;
            };
            let mut peers = Vec::new();
            for (position, value) in values.iter().enumerate() {
                let field = format!("{}[{position}]", fields.at(name));
                let peer = self.peer_of(name, value, &field);
                peers.push(peer.unwrap_or_else(|bad| Formula::Unclear(self.reader.bad(bad))));
            }
            if let Some((before, _)) = found.as_ref().filter(|_| !values.is_empty()) {
                return Err(BadField {
                    field: fields.path.clone(),
                    why: format!("combines {before} and {name}"),
                });
            }
            found = Some((name, peers));
        }
        Ok(found.map(|(_, peers)| peers))
    }

    fn peer_of(&mut self, name: &str, value: &Value, field: &str) -> Result<Formula, BadField> {
        let text = value.as_str().unwrap_or_default();
        match name {
            "fromEndpoints" | "toEndpoints" => self.peer(value, field),
            "fromEntities" | "toEntities" => Ok(self.entity(text, field)),
            "fromCIDR" | "toCIDR" => {
                let block = self.reader.net(text, field);
                Ok(self.in_block(block))
            }
            "fromCIDRSet" | "toCIDRSet" => self.block_with_holes(value, field),
            "fromNodes" | "toNodes" => {
                let labels = selector::nodes(value, field)?;
                let node = self.settings.selectable_node(&self.reader.policy);
                Ok(Formula::All(vec![node, labels]))
            }
            "toFQDNs" => Ok(self.outside(
                field,
                "names stand for the addresses that were last resolved",
            )),
            "fromGroups" | "toGroups" => {
                Ok(self.outside(field, "groups of a cloud provider are not read"))
            }
            "toServices" => {
                let doubt = self
                    .reader
                    .doubt(field, "refers to a Service, whose endpoints change");
                Ok(Formula::Unclear(doubt))
            }
            _ => {
                let doubt = self
                    .reader
                    .doubt(field, "requirements change all other rules");
                Ok(Formula::Unclear(doubt))
            }
        }
    }

    fn outside(&mut self, field: &str, why: &str) -> Formula {
        let doubt = self.reader.doubt(field, why);
        Formula::All(vec![Formula::Outside, Formula::Unclear(doubt)])
    }

    fn in_block(&self, block: Formula) -> Formula {
        Formula::All(vec![block, self.settings.in_block(&self.reader.policy)])
    }

    fn block_with_holes(&mut self, value: &Value, field: &str) -> Result<Formula, BadField> {
        let mut fields = Fields::new(value, field)?;
        let except: Vec<String> = fields
            .texts("except")?
            .into_iter()
            .map(ToOwned::to_owned)
            .collect();
        let cidr = fields.text("cidr")?;
        let group = fields
            .get("cidrGroupRef")
            .or_else(|| fields.get("cidrGroupSelector"));
        fields.pass_over(&["cidrGroupSelector"]);
        if let Some(unknown) = fields.unknown() {
            return Err(unknown);
        }
        match (cidr, group) {
            (Some(cidr), None) => {
                let block = self.reader.block(cidr, &except, field);
                Ok(self.in_block(block))
            }
            _ => Ok(self.outside(field, "groups of address blocks are not read")),
        }
    }

    /// One of Cilium's names for what is no endpoint of a namespace.
    pub(super) fn entity(&mut self, name: &str, field: &str) -> Formula {
        let node_here = Formula::All(vec![Formula::Node, Formula::SameNode]);
        let family = |family: Families| {
            let net = if family.v4 {
                ipnet::Ipv4Net::default().into()
            } else {
                ipnet::Ipv6Net::default().into()
            };
            Formula::All(vec![Formula::Outside, Formula::Within(net)])
        };
        match name {
            "all" => Formula::EVERYTHING,
            "cluster" => Formula::Any(vec![Formula::Pod, Formula::Node]),
            "world" => Formula::Outside,
            "world-ipv4" => family(Families::V4),
            "world-ipv6" => family(Families {
                v4: false,
                v6: true,
            }),
            "host" => node_here,
            "remote-node" => Formula::All(vec![
                Formula::Node,
                Formula::Not(Box::new(Formula::SameNode)),
            ]),
            "kube-apiserver" => self.settings.api_server(&self.reader.policy),
            // Nobody a flow between named ends can be.
            "none" | "init" | "health" | "unmanaged" | "ingress" => Formula::Any(Vec::new()),
            other => Formula::Unclear(
                self.reader
                    .doubt(field, format_args!("{other:?} is not a known entity")),
            ),
        }
    }

    fn authentication(&mut self, fields: &mut Fields<'_>) -> Result<Option<Doubt>, BadField> {
        let Some(mut authentication) = fields.object("authentication")? else {
            return Ok(None);
        };
        let mode = authentication.text("mode")?.unwrap_or_default();
        Ok((mode != "disabled").then(|| {
            self.reader
                .doubt(authentication.at("mode"), "requires mutual authentication")
        }))
    }

    fn port_sets(&mut self, fields: &mut Fields<'_>) -> Result<Vec<PortSet>, BadField> {
        let values = fields.list("toPorts")?.unwrap_or_default();
        let mut sets = Vec::new();
        for (position, value) in values.iter().enumerate() {
            let path = fields.at(format_args!("toPorts[{position}]"));
            let mut entry = Fields::new(value, path)?;
            let mut ports = Vec::new();
            for (position, value) in entry.list("ports")?.unwrap_or_default().iter().enumerate() {
                let path = entry.at(format_args!("ports[{position}]"));
                ports.extend(self.port(Fields::new(value, path)?)?);
            }
            let mut further = self.requests(&mut entry)?;
            for field in [
                "terminatingTLS",
                "originatingTLS",
                "serverNames",
                "listener",
            ] {
                if entry.get(field).is_some() {
                    let doubt = self
                        .reader
                        .doubt(entry.at(field), "looks into the connection");
                    further.get_or_insert(doubt);
                }
            }
            if entry.list("ports")?.is_none_or(<[Value]>::is_empty) {
                let doubt = self.reader.doubt(entry.at("ports"), "names no port");
                further.get_or_insert(doubt);
            }
            if let Some(unknown) = entry.unknown() {
                return Err(unknown);
            }
            sets.push(PortSet {
                ports: Ports::OneOf(ports),
                further,
            });
        }
        Ok(sets)
    }

    /// Layer 7: the connection passes, but perhaps not every request. Rules that let every request
    /// pass ask for nothing.
    fn requests(&mut self, entry: &mut Fields<'_>) -> Result<Option<Doubt>, BadField> {
        let Some(mut rules) = entry.object("rules")? else {
            return Ok(None);
        };
        let path = rules.path.clone();
        let lets_all = |value: &Value| {
            value.get("matchPattern").and_then(Value::as_str) == Some("*")
                || value.as_object().is_some_and(serde_json::Map::is_empty)
        };
        let mut asks = false;
        for kind in ["http", "dns", "kafka", "l7"] {
            asks |= rules
                .list(kind)?
                .is_some_and(|rules| !rules.iter().any(lets_all));
        }
        rules.pass_over(&["l7proto"]);
        if let Some(unknown) = rules.unknown() {
            return Err(unknown);
        }
        let why = "lets only some requests through (layer 7)";
        Ok(asks.then(|| self.reader.doubt(path, why)))
    }

    /// `port` is text: a number, 0 for all, or a name. None for protocols without ports.
    fn port(&mut self, mut fields: Fields<'_>) -> Result<Option<Port>, BadField> {
        let text = match fields.get("port") {
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::String(text)) => text.clone(),
            _ => "0".to_owned(),
        };
        let end = fields.integer("endPort")?.filter(|end| *end != 0);
        let written = fields.text("protocol")?;
        if let Some(unknown) = fields.unknown() {
            return Err(unknown);
        }
        let protocol = match written.unwrap_or("ANY") {
            "ANY" | "" => None,
            name => match name.parse::<Protocol>() {
                Ok(protocol) => Some(protocol),
                Err(_) => return Ok(None),
            },
        };
        let number = match (text.parse::<i64>(), end) {
            (Ok(0), None) => PortNumber::Any,
            (Ok(first), end) => self.reader.range(first, end.unwrap_or(first), &fields.path),
            (Err(_), None) => PortNumber::Named(text),
            (Err(_), Some(_)) => PortNumber::Unclear(
                self.reader
                    .doubt(&fields.path, "endPort beside a named port"),
            ),
        };
        Ok(Some(Port {
            protocol,
            protocol_written: true,
            number,
        }))
    }
}
