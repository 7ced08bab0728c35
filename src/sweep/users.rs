//! From where a Service is asked: a few places that stand for its users, always the same ones.

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;

use super::cast::{Backends, Cast, Member};
use crate::cluster::access::{NodeExt, ServiceExt, ServiceKind};
use crate::cluster::{Named, ObjectRef};
use crate::net::Protocol;
use crate::policy::{Direction, End, Formula, PolicyVerdict, Question};
use crate::target::{Kind, Spec, Target};

/// Users of one kind that are asked.
const OF_A_KIND: usize = 3;
/// Neighbors to choose from.
const NEIGHBORS: usize = 4;

/// A place that stands for users of a Service.
#[derive(Debug, Clone)]
pub(super) struct User {
    source: Source,
    pub tie: Tie,
    /// As policies see it.
    pub end: End,
}

#[derive(Debug, Clone)]
enum Source {
    Object(Kind, ObjectRef),
    Outside,
}

/// Why somebody is expected to be a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// A policy of the backends names some pods, and this is one of them.
    Admitted,
    /// Its own policies name the Service or its backends.
    Sends,
    /// It is nearby, and nobody named it.
    Neighbor,
    /// A client outside, of a Service that is offered there.
    Outside,
}

// === impl User ===

impl User {
    fn of(member: &Member<'_, '_>, tie: Tie) -> Self {
        Self {
            source: Source::Object(Kind::Pod, member.pod.reference()),
            tie,
            end: member.end.clone(),
        }
    }

    /// Somebody outside the cluster.
    pub(super) const fn outside() -> Self {
        Self {
            source: Source::Outside,
            tie: Tie::Outside,
            end: crate::policy::Ends::outside(),
        }
    }

    /// As it is typed for a question in a namespace.
    pub fn source(&self, namespace: &str) -> Target {
        let spec = match &self.source {
            Source::Outside => Spec::External(None),
            Source::Object(kind, object) => {
                let is_here = object.namespace == namespace || object.namespace.is_empty();
                Spec::Object {
                    kind: *kind,
                    namespace: (!is_here).then(|| object.namespace.clone()),
                    name: object.name.clone(),
                }
            }
        };
        Target {
            spec,
            port: None,
            url: None,
        }
    }
}

// === impl Cast ===

impl<'w, 'v> Cast<'w, 'v> {
    /// From where a Service is asked: those that policies name, else neighbors; and from outside, where it is
    /// offered there.
    pub fn users(&self, service: &'v Service, backends: &Backends<'v>) -> Vec<User> {
        let mut users = self.admitted(backends);
        for member in self.senders(service, backends) {
            let is_new = users.iter().all(|user| user.end != member.end);
            if is_new {
                users.push(User::of(member, Tie::Sends));
            }
        }
        if users.iter().all(|user| user.tie != Tie::Admitted) {
            users.extend(self.neighbors(service, backends));
        }
        let kind = service.service_kind();
        if matches!(kind, ServiceKind::NodePort | ServiceKind::LoadBalancer) {
            users.push(User::outside());
        }
        users
    }

    /// Pods that policies of the backends name as clients.
    fn admitted(&self, backends: &Backends<'v>) -> Vec<User> {
        let mut users: Vec<User> = Vec::new();
        for (kind, pod) in &backends.pods {
            let named = self.named(&self.world.ends().pod(pod));
            let some = named.into_iter().filter(|peer| peer.tells_pods_apart());
            for member in some.filter_map(|peer| self.meant(peer)) {
                let is_new = users.iter().all(|user| user.end != member.end);
                if is_new && member.kind != *kind && users.len() < OF_A_KIND {
                    users.push(User::of(member, Tie::Admitted));
                }
            }
        }
        users
    }

    /// Whom the policies of an end name as its clients.
    fn named(&self, end: &End) -> Vec<&'w Formula> {
        let policies = self.world.policies();
        policies.allowed_peers(Direction::Ingress, end)
    }

    /// Pods whose own policies name the Service, by its address, or its backends, by their labels.
    fn senders(&self, service: &'v Service, backends: &Backends<'v>) -> Vec<&Member<'w, 'v>> {
        let policies = self.world.policies();
        let pods = backends.pods.iter();
        let ends: Vec<End> = pods.map(|(_, pod)| self.world.ends().pod(pod)).collect();
        let addresses = service.cluster_ips();
        let is_named = |peer: &Formula| {
            peer.tells_pods_apart() && ends.iter().any(|end| policies.is_meant(peer, end))
                || self.means_services(peer)
                    && peer
                        .blocks()
                        .iter()
                        .any(|net| addresses.iter().any(|addr| net.contains(addr)))
        };
        let is_stranger =
            |member: &&Member<'_, '_>| backends.pods.iter().all(|(kind, _)| *kind != member.kind);
        let members = self.isolated().filter(is_stranger);
        let senders = members.filter(|member| member.sends_to.iter().any(|peer| is_named(peer)));
        senders.take(OF_A_KIND).collect()
    }

    /// Whether a peer is a block of addresses that only Services have, or a single address.
    fn means_services(&self, peer: &Formula) -> bool {
        let blocks = peer.blocks();
        let is_of_services = |net: &IpNet| {
            let mut ranges = self.service_ranges.iter();
            net.prefix_len() == net.max_prefix_len() || ranges.any(|range| range.contains(net))
        };
        !blocks.is_empty() && blocks.iter().all(is_of_services)
    }

    /// Clients of the same namespace, else of others, else a backend's own kind, else a node.
    fn neighbors(&self, service: &'v Service, backends: &Backends<'v>) -> Vec<User> {
        let is_backend =
            |member: &&Member<'_, '_>| backends.pods.iter().any(|(kind, _)| *kind == member.kind);
        let is_plain = |member: &&Member<'_, '_>| self.is_plain_client(member);
        let may_send = |member: &&Member<'_, '_>| member.sends_to.is_empty();
        let here = || {
            self.in_namespace(service.namespace())
                .filter(|member| !is_backend(member))
        };
        let others = || self.members.iter().filter(|member| !is_backend(member));
        let candidates = || {
            here()
                .filter(is_plain)
                .chain(here().filter(may_send))
                .chain(others().filter(is_plain))
                .chain(others().filter(may_send))
                .chain(self.in_namespace(service.namespace()))
        };
        let families = service.families();
        let shares = |member: &&Member<'_, '_>| {
            let own = member.end.families();
            families.is_empty() || own.iter().any(|family| families.contains(&family))
        };
        // No more of them are looked at than are taken: in a large cluster that is most of the work.
        let sharing = candidates().filter(shares);
        let not_sharing = candidates().filter(|member| !shares(member));
        let mut users: Vec<User> = Vec::new();
        for member in sharing.chain(not_sharing) {
            if users.iter().all(|user| user.end != member.end) {
                users.push(User::of(member, Tie::Neighbor));
            }
            if users.len() == NEIGHBORS {
                break;
            }
        }
        if users.is_empty() {
            users.extend(self.node());
        }
        users
    }

    fn node(&self) -> Option<User> {
        let mut nodes = self.world.view.nodes.iter();
        let node = nodes.find(|node| !node.addresses().is_empty())?;
        Some(User {
            source: Source::Object(Kind::Node, node.reference()),
            tie: Tie::Neighbor,
            end: self.world.ends().node(node),
        })
    }

    /// Whether policies let an end in at one of these ports, by what they say of it.
    pub fn lets_in(&self, source: &End, backend: &End, ports: &[(Protocol, u16)]) -> bool {
        ports
            .iter()
            .any(|port| self.allows(Direction::Ingress, source, backend, *port))
    }

    /// Whether policies of both sides let a flow pass at one of these ports.
    pub fn lets_pass(&self, source: &End, backend: &End, ports: &[(Protocol, u16)]) -> bool {
        ports.iter().any(|port| {
            let mut both = Direction::ALL.into_iter();
            both.all(|direction| self.allows(direction, source, backend, *port))
        })
    }

    fn allows(
        &self,
        direction: Direction,
        source: &End,
        backend: &End,
        (protocol, port): (Protocol, u16),
    ) -> bool {
        let question = Question {
            source,
            destination: backend,
            protocol,
            port,
            family: None,
        };
        let judgement = self.world.policies().judge_direction(direction, &question);
        judgement.verdict == PolicyVerdict::Allow
    }

    /// Whether policies let anybody in: whom they name, an address of their blocks, or one of these users.
    pub fn lets_anybody_in(
        &self,
        backend: &End,
        users: &[User],
        ports: &[(Protocol, u16)],
    ) -> bool {
        let enters = |end: &End| self.lets_in(end, backend, ports);
        users.iter().any(|user| enters(&user.end))
            || self.named(backend).into_iter().any(|peer| {
                let blocks = peer.blocks().into_iter();
                let mut addresses = blocks.filter_map(|net| net.hosts().next());
                self.meant(peer).is_some_and(|member| enters(&member.end))
                    || addresses.any(|addr| enters(&self.world.ends().address(addr)))
            })
    }
}
