//! policy.networking.k8s.io/v1alpha1: AdminNetworkPolicy, and BaselineAdminNetworkPolicy, of which a
//! cluster has one, called `default`, without a priority (KEP-2091).

use super::cluster_wide::{self, Kind, range};
use super::fields::{BadField, Fields};
use super::{Problem, Reader, in_doubt};
use crate::cluster::{ClusterView, Resource};
use crate::net::Protocol;
use crate::policy::model::{Action, Policy, Port, PortNumber};

const ADMIN: Kind = Kind {
    resource: Resource::AdminNetworkPolicies,
    ports: ("ports", port),
    actions: &[
        ("Allow", Action::Allow),
        ("Deny", Action::Deny),
        ("Pass", Action::Pass),
    ],
    has_priority: true,
};

const BASELINE: Kind = Kind {
    resource: Resource::BaselineAdminNetworkPolicies,
    ports: ("ports", port),
    actions: &[("Allow", Action::Allow), ("Deny", Action::Deny)],
    has_priority: false,
};

/// The policies of the admin tier.
pub fn admin(view: &ClusterView, problems: &mut Vec<Problem>) -> Vec<Policy> {
    policies(view, ADMIN, problems)
}

/// The policy of the baseline tier. The API admits none but the one called `default`; what another
/// one in a manifest will become is open.
pub fn baseline(view: &ClusterView, problems: &mut Vec<Problem>) -> Vec<Policy> {
    let policies = policies(view, BASELINE, problems).into_iter();
    let admitted = policies.map(|policy| {
        if policy.id.name == "default" {
            return policy;
        }
        let mut reader = Reader {
            policy: policy.id.clone(),
            problems,
        };
        let doubt = reader.doubt("metadata.name", "must be default");
        in_doubt(policy, &doubt)
    });
    admitted.collect()
}

fn policies(view: &ClusterView, kind: Kind, problems: &mut Vec<Problem>) -> Vec<Policy> {
    let objects = view.custom(kind.resource);
    let policies = objects.map(|object| {
        let mut reader = Reader::of(kind.resource, object, problems);
        cluster_wide::policy(&mut reader, kind, object)
    });
    policies.collect()
}

/// Exactly one of portNumber, portRange and namedPort; the protocol is TCP if left out.
fn port(reader: &mut Reader<'_>, mut fields: Fields<'_>) -> Result<Port, BadField> {
    let single = fields.object("portNumber")?;
    let several = fields.object("portRange")?;
    let named = fields.text("namedPort")?;
    if let Some(unknown) = fields.unknown() {
        return Err(unknown);
    }
    match (single, several, named) {
        (Some(mut fields), None, None) => {
            let (protocol, protocol_written) = protocol(&mut fields)?;
            let number = fields.integer("port")?.unwrap_or_default();
            if let Some(unknown) = fields.unknown() {
                return Err(unknown);
            }
            let number = reader.range(number, number, &fields.path);
            Ok(Port {
                protocol: Some(protocol),
                protocol_written,
                number,
            })
        }
        (None, Some(mut fields), None) => {
            let (protocol, protocol_written) = protocol(&mut fields)?;
            let number = range(reader, fields)?;
            Ok(Port {
                protocol: Some(protocol),
                protocol_written,
                number,
            })
        }
        (None, None, Some(name)) => Ok(Port {
            protocol: None,
            protocol_written: true,
            number: PortNumber::Named(name.to_owned()),
        }),
        _ => Err(BadField {
            field: fields.path.clone(),
            why: "must hold exactly one of portNumber, portRange and namedPort".to_owned(),
        }),
    }
}

fn protocol(fields: &mut Fields<'_>) -> Result<(Protocol, bool), BadField> {
    let written = fields.text("protocol")?;
    let protocol = Protocol::from_field(written).map_err(|error| BadField {
        field: fields.at("protocol"),
        why: error.to_string(),
    })?;
    Ok((protocol, written.is_some()))
}
