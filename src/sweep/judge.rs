//! Which findings count: a denial that policies intend is no fault.
//!
//! Policies are written for somebody. Where they let somebody in, whoever else is denied is a stranger. A denial
//! counts where nobody gets in, or where it hits whom a policy names and lets through nowhere.

use k8s_openapi::api::core::v1::Service;

use super::cast::{Backends, Cast};
use super::users::{Tie, User};
use crate::causes::Code;
use crate::cluster::access::{ServiceExt, ServiceKind, ServicePortExt, target_port};
use crate::cluster::{Pod, resolve_port};
use crate::diagnose::Finding;
use crate::net::Protocol;
use crate::path::Stage;
use crate::policy::End;

/// What another client may not meet: one that is in the mesh, on a node with an endpoint, of the family.
const OF_THE_CLIENT: [Code; 8] = [
    Code::MESH_01,
    Code::MESH_03,
    Code::MESH_07,
    Code::MESH_11,
    Code::MESH_13,
    Code::MESH_14,
    Code::SVC_11,
    Code::SVC_13,
];

/// Rules that mean the traffic and have its port wrong.
const WRONG_PORT: [Code; 3] = [Code::POL_05, Code::POL_10, Code::POL_11];

/// What policies say about a Service, whoever asks.
pub(super) struct Facts {
    lets_anybody_in: bool,
    is_balancer: bool,
    /// Users that policies let through to the backends at some port.
    let_through: Vec<End>,
}

/// Whether another client might not meet it.
pub(super) fn depends_on_client(code: Code) -> bool {
    OF_THE_CLIENT.contains(&code)
}

/// Whether somebody did it on purpose: a workload that is scaled to zero serves nobody, and nothing is broken.
pub(super) fn is_deliberate(finding: &Finding) -> bool {
    let field = finding
        .blame
        .as_ref()
        .and_then(|blame| blame.field.as_deref());
    finding.code == Code::EPS_03 && field == Some("spec.replicas")
}

// === impl Facts ===

impl Facts {
    pub fn of<'v>(
        cast: &Cast<'_, 'v>,
        service: &Service,
        backends: &Backends<'v>,
        users: &[User],
    ) -> Self {
        let sides: Vec<(End, Vec<(Protocol, u16)>)> = backends
            .pods
            .iter()
            .map(|(kind, pod)| {
                (
                    cast.world.ends().pod(pod),
                    ports(cast.services_of(*kind), pod),
                )
            })
            .collect();
        let passes = |user: &&User| {
            let mut sides = sides.iter();
            sides.any(|(backend, ports)| cast.lets_pass(&user.end, backend, ports))
        };
        let let_through = users.iter().filter(passes).map(|user| user.end.clone());
        let let_through: Vec<End> = let_through.collect();
        let mut all = sides.iter();
        Self {
            is_balancer: service.service_kind() == ServiceKind::LoadBalancer,
            lets_anybody_in: !let_through.is_empty()
                || all.any(|(backend, ports)| cast.lets_anybody_in(backend, users, ports)),
            let_through,
        }
    }

    /// Whether a finding is a fault, and not what policies intend for this user.
    pub fn counts(&self, finding: &Finding, user: &User) -> bool {
        if !finding.code.as_str().starts_with("POL-") {
            return true;
        }
        let passes = self.let_through.contains(&user.end);
        match (finding.stage, user.tie) {
            (Stage::IngressPolicy, Tie::Outside) => {
                self.is_balancer || !self.lets_anybody_in || finding.code == Code::POL_13
            }
            (Stage::IngressPolicy, tie) => {
                let is_slip = tie == Tie::Admitted && WRONG_PORT.contains(&finding.code);
                !self.lets_anybody_in || is_slip && !passes
            }
            // Without a slip in a rule nobody meant this traffic.
            (Stage::EgressPolicy, Tie::Admitted | Tie::Sends) => {
                !passes && ![Code::POL_03, Code::POL_17].contains(&finding.code)
            }
            (Stage::EgressPolicy, _) => false,
            (Stage::Dns, tie) => tie == Tie::Sends,
            _ => true,
        }
    }
}

/// The ports that clients of a pod can have in mind: those of the Services it is behind, and those it declares.
fn ports(services: &[&Service], pod: &Pod) -> Vec<(Protocol, u16)> {
    let of_services = services.iter().flat_map(|service| service.ports());
    let of_services = of_services.filter_map(|port| {
        let protocol = port.protocol();
        Some((protocol, resolve_port(pod, &target_port(port), protocol)?))
    });
    let declared = pod.declared_ports().into_iter().filter_map(|port| {
        let protocol = Protocol::from_field(port.protocol.as_deref()).ok()?;
        Some((protocol, u16::try_from(port.container_port).ok()?))
    });
    of_services.chain(declared).collect()
}
