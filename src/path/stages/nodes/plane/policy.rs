//! The policy stages, as the policy maps of Cilium have them.

use super::super::trip::Trip;
use super::identity;
use crate::cluster::{ObjectRef, Pod};
use crate::dataplane::cilium::{Agent, Endpoint, Side, Sight};
use crate::path::trail::Trail;
use crate::path::{Break, Fault, Hop, NodeFault, PlaneFault, Stage, Status};
use crate::policy::Direction;
use crate::world::NodeSite;

/// What one map says of the packet.
struct TableVerdict<'n> {
    node: &'n NodeSite,
    endpoint: &'n Endpoint,
    pod: &'n Pod,
    side: Side,
    identity: u32,
    sight: Sight,
}

/// Lays what the maps say over what policies say.
pub fn step<'v>(trip: &Trip<'_, 'v>, trail: &mut Trail<'v>) {
    for verdict in [egress(trip), ingress(trip)].into_iter().flatten() {
        verdict.lay(trip, trail);
    }
}

/// At the source: whom its node takes the destination for.
fn egress<'t>(trip: &Trip<'t, '_>) -> Option<TableVerdict<'t>> {
    let (node, pod) = (trip.first_site()?, trip.source_pod()?);
    let agent = node.tables.cilium.as_ref()?;
    let (_, owner) = agent.addresses.as_ref()?.owner(trip.endpoint.ip())?;
    judge(trip, (node, agent), pod, Side::Egress, owner.identity)
}

/// At the destination: as whom the source comes.
fn ingress<'t>(trip: &Trip<'t, '_>) -> Option<TableVerdict<'t>> {
    let (node, pod) = (trip.last_site()?, trip.destination_pod()?);
    let agent = node.tables.cilium.as_ref()?;
    let identity = identity::of_source(trip, agent)?;
    judge(trip, (node, agent), pod, Side::Ingress, identity)
}

fn judge<'t>(
    trip: &Trip<'t, '_>,
    (node, agent): (&'t NodeSite, &'t Agent),
    pod: &'t Pod,
    side: Side,
    identity: u32,
) -> Option<TableVerdict<'t>> {
    let endpoint = agent.endpoint(pod)?;
    let map = agent.policies.as_ref()?.get(&endpoint.id)?;
    let sight = map.judge(side, identity, trip.protocol, trip.endpoint.port());
    // Where denials are only noted nobody is denied.
    let sight = match sight {
        Sight::Deny { .. } if endpoint.audits => Sight::Allow,
        sight => sight,
    };
    Some(TableVerdict {
        node,
        endpoint,
        pod,
        side,
        identity,
        sight,
    })
}

// === impl TableVerdict ===

impl TableVerdict<'_> {
    const fn stage(&self) -> Stage {
        match self.side {
            Side::Ingress => Stage::IngressPolicy,
            Side::Egress => Stage::EgressPolicy,
        }
    }

    fn lay(&self, trip: &Trip<'_, '_>, trail: &mut Trail<'_>) {
        let stage = self.stage();
        let Some(position) = trail.hops.iter().position(|hop| hop.stage == stage) else {
            return;
        };
        let hop = trail
            .hops
            .remove(position)
            .held(self.reference(), self.words(trip));
        match (hop.status, &self.sight) {
            // Requests decide, or two entries that nobody can rank: what policies say stands.
            (_, Sight::Proxy(_) | Sight::Unclear)
            | (Status::Pass | Status::Warn | Status::NotReached, Sight::Allow)
            | (Status::Fail | Status::NotReached, Sight::Deny { .. }) => trail.push(hop),
            (Status::Pass | Status::Warn | Status::Unknown, Sight::Deny { .. }) => {
                let fault = self.fault(trip, false);
                super::super::nat::raise(trail, self.decided(trip, hop), fault, true);
            }
            (Status::Unknown, Sight::Allow) => {
                let hop = self.decided(trip, hop);
                if self.endpoint.is_behind() {
                    let seen = Break::Node(Box::new(self.fault(trip, true)));
                    return trail.warn(hop, seen);
                }
                trail.push(Hop {
                    status: Status::Pass,
                    ..hop
                });
            }
            (Status::Fail, Sight::Allow) => {
                let is_refuted = |seen: &Break<'_>| matches!(seen, Break::Policy(denied) if denied.stage == stage);
                trail.breaks.retain(|seen| !is_refuted(seen));
                let seen = Break::Node(Box::new(self.fault(trip, true)));
                trail.warn(self.decided(trip, hop), seen);
            }
        }
    }

    /// The hop with the map's words in front, and what policies say kept as the prediction.
    fn decided(&self, trip: &Trip<'_, '_>, hop: Hop) -> Hop {
        Hop {
            predicted: Some(hop.summary),
            summary: format!("{}: {}", self.node.name, self.words(trip)),
            ..hop
        }
    }

    fn fault(&self, trip: &Trip<'_, '_>, admits: bool) -> NodeFault {
        let endpoint = self.endpoint;
        let kind =
            self.mistaken(trip)
                .filter(|_| !admits)
                .unwrap_or_else(|| PlaneFault::PolicyMap {
                    pod: self.pod.reference(),
                    endpoint: endpoint.id,
                    direction: match self.side {
                        Side::Ingress => Direction::Ingress,
                        Side::Egress => Direction::Egress,
                    },
                    admits,
                    identity: self.identity,
                    port: trip.endpoint.port(),
                    behind: endpoint
                        .wanted
                        .zip(endpoint.realized)
                        .filter(|_| endpoint.is_behind()),
                    state: endpoint.state.clone(),
                });
        let node = ObjectRef::cluster_wide("Node", &self.node.name);
        trip.fault(node, self.stage(), Fault::Plane(kind))
    }

    /// Whether the peer is taken for somebody else, and would be let through as who it is.
    fn mistaken(&self, trip: &Trip<'_, '_>) -> Option<PlaneFault> {
        let (peer, address) = match self.side {
            Side::Ingress => (trip.source_pod()?, trip.client),
            Side::Egress => (trip.destination_pod()?, trip.endpoint.ip()),
        };
        let real = identity::of_object(trip.walker.view, peer)
            .or_else(|| identity::own(trip, peer))
            .filter(|real| *real != self.identity)?;
        let agent = self.node.tables.cilium.as_ref()?;
        let map = agent.policies.as_ref()?.get(&self.endpoint.id)?;
        let as_itself = map.judge(self.side, real, trip.protocol, trip.endpoint.port());
        matches!(as_itself, Sight::Allow | Sight::Proxy(_)).then(|| PlaneFault::Identity {
            address,
            noted: self.identity,
            real,
            pod: peer.reference(),
        })
    }

    /// `endpoint 1184 admits identity 22446 at 9090/TCP`
    fn words(&self, trip: &Trip<'_, '_>) -> String {
        let verb = match &self.sight {
            Sight::Allow => "admits",
            Sight::Proxy(_) => "hands to a proxy what comes from",
            Sight::Deny { by_rule: true } => "denies by a rule",
            Sight::Deny { by_rule: false } => "has no entry for",
            Sight::Unclear => "has contrary entries for",
        };
        let verb = match (self.side, verb) {
            (Side::Egress, "admits") => "lets out to",
            (Side::Egress, "hands to a proxy what comes from") => "hands to a proxy what goes to",
            (_, verb) => verb,
        };
        format!(
            "the policy map of endpoint {} {verb} identity {} at {}/{}",
            self.endpoint.id,
            self.identity,
            trip.endpoint.port(),
            trip.protocol
        )
    }

    fn reference(&self) -> String {
        format!("Node/{} Cilium policy map", self.node.name)
    }
}
