//! policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy, whose `spec.tier` puts it before
//! (Admin) or behind (Baseline) the NetworkPolicies.

use serde_json::Value;

use super::cluster_wide::{self, Kind, range};
use super::fields::{BadField, Fields};
use super::{Problem, Reader, unknowable};
use crate::cluster::{ClusterView, Resource};
use crate::net::Protocol;
use crate::policy::model::{Action, Policy, Port, PortNumber};
use crate::policy::truth::Truth;

const CLUSTER: Kind = Kind {
    resource: Resource::ClusterNetworkPolicies,
    ports: ("protocols", port),
    actions: &[
        ("Accept", Action::Allow),
        ("Deny", Action::Deny),
        ("Pass", Action::Pass),
    ],
    has_priority: true,
};

/// The policies of the admin tier, and those of the baseline tier.
pub fn policies(view: &ClusterView, problems: &mut Vec<Problem>) -> (Vec<Policy>, Vec<Policy>) {
    let (mut admin, mut baseline) = (Vec::new(), Vec::new());
    for object in view.custom(Resource::ClusterNetworkPolicies) {
        let mut reader = Reader::of(Resource::ClusterNetworkPolicies, object, problems);
        match object.pointer("/spec/tier").and_then(Value::as_str) {
            Some("Admin") => admin.push(cluster_wide::policy(&mut reader, CLUSTER, object)),
            Some("Baseline") => baseline.push(cluster_wide::policy(&mut reader, CLUSTER, object)),
            tier => {
                let doubt = reader.doubt(
                    "spec.tier",
                    format_args!(
                        "{:?} is neither Admin nor Baseline",
                        tier.unwrap_or_default()
                    ),
                );
                let actions = &[Action::Allow, Action::Deny, Action::Pass];
                let id = reader.policy.clone();
                admin.push(unknowable(id, None, 0, actions, &Truth::No, &doubt));
            }
        }
    }
    (admin, baseline)
}

/// Exactly one of tcp, udp, sctp and destinationNamedPort.
fn port(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> Result<Port, BadField> {
    let mut found = Vec::new();
    for (field, protocol) in [
        ("tcp", Protocol::Tcp),
        ("udp", Protocol::Udp),
        ("sctp", Protocol::Sctp),
    ] {
        if let Some(of_protocol) = fields.object(field)? {
            found.push(Port {
                protocol: Some(protocol),
                protocol_written: true,
                number: destination_port(reader, of_protocol)?,
            });
        }
    }
    if let Some(name) = fields.text("destinationNamedPort")? {
        found.push(Port {
            protocol: None,
            protocol_written: true,
            number: PortNumber::Named(name.to_owned()),
        });
    }
    if let Some(unknown) = fields.unknown() {
        return Err(unknown);
    }
    match <[Port; 1]>::try_from(found) {
        Ok([port]) => Ok(port),
        Err(_) => Err(BadField {
            field: fields.path.clone(),
            why: "must hold exactly one of tcp, udp, sctp and destinationNamedPort".to_owned(),
        }),
    }
}

/// `destinationPort: {number}` or `{range: {start, end}}`; absent means every port.
fn destination_port(
    reader: &mut Reader<'_>,
    mut fields: Fields<'_>,
) -> Result<PortNumber, BadField> {
    let port = fields.object("destinationPort")?;
    if let Some(unknown) = fields.unknown() {
        return Err(unknown);
    }
    let Some(mut port) = port else {
        return Ok(PortNumber::Any);
    };
    let number = port.integer("number")?;
    let several = port.object("range")?;
    if let Some(unknown) = port.unknown() {
        return Err(unknown);
    }
    match (number, several) {
        (Some(number), None) => Ok(reader.range(number, number, &port.path)),
        (None, Some(several)) => range(reader, several),
        _ => Err(BadField {
            field: port.path.clone(),
            why: "must hold either a number or a range".to_owned(),
        }),
    }
}
