//! Who could be a user: one pod of those that are alike, with what its policies let it send to.
//!
//! A cluster of 10,000 pods has a few hundred kinds of them: pods of one namespace with the same labels.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use ipnet::IpNet;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;

use crate::cluster::access::{EndpointExt, SliceExt};
use crate::cluster::{ClusterView, Named, Pod, selected};
use crate::net::parse_prefix;
use crate::policy::{Direction, End, Formula};
use crate::world::World;

/// Labels that tell the pods of one workload apart.
const OF_ONE_POD: [&str; 4] = [
    "pod-template-hash",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
];

/// Pods that are alike, by the position of their kind.
pub(super) type PodKind = usize;

/// One pod of each kind that can send.
pub(super) struct Cast<'w, 'v> {
    pub world: &'w World<'v>,
    /// By namespace and name.
    pub members: Vec<Member<'w, 'v>>,
    kinds: HashMap<(&'v str, &'v str), PodKind>,
    slices: HashMap<(&'v str, &'v str), Vec<&'v EndpointSlice>>,
    by_namespace: HashMap<&'v str, Vec<usize>>,
    /// Members whose own policies say whom they may send to.
    isolated: Vec<usize>,
    /// The Services that lead to each kind.
    serving: BTreeMap<PodKind, Vec<&'v Service>>,
    /// The ranges that Services have their addresses from, as far as the API tells.
    pub service_ranges: Vec<IpNet>,
    /// The first member that a peer of a policy means.
    meant: RefCell<HashMap<&'w Formula, Option<usize>>>,
}

/// One pod that can send.
pub(super) struct Member<'w, 'v> {
    pub pod: &'v Pod,
    pub end: End,
    pub kind: PodKind,
    /// Whom policies let it send to, where they isolate it.
    pub sends_to: Vec<&'w Formula>,
}

/// What a Service leads to.
pub(super) struct Backends<'v> {
    /// One of each kind.
    pub pods: Vec<(PodKind, &'v Pod)>,
}

// === impl Cast ===

impl<'w, 'v> Cast<'w, 'v> {
    pub fn of(world: &'w World<'v>) -> Self {
        let view = world.view;
        let mut known: HashMap<_, PodKind> = HashMap::new();
        let mut kinds = HashMap::new();
        let mut senders: HashMap<PodKind, &Pod> = HashMap::new();
        for pod in view.pods.iter() {
            let next = known.len();
            let kind = *known.entry(traits(pod)).or_insert(next);
            kinds.insert((pod.namespace(), pod.name()), kind);
            if is_client(pod) {
                senders.entry(kind).or_insert(pod);
            }
        }
        let members = senders.into_iter().map(|(kind, pod)| {
            let end = world.ends().pod(pod);
            let sends_to = world.policies().allowed_peers(Direction::Egress, &end);
            Member {
                pod,
                end,
                kind,
                sends_to,
            }
        });
        let mut members: Vec<Member<'_, '_>> = members.collect();
        members.sort_by_key(|member| (member.pod.namespace(), member.pod.name()));
        let mut by_namespace: HashMap<&str, Vec<usize>> = HashMap::new();
        for (position, member) in members.iter().enumerate() {
            let own = by_namespace.entry(member.pod.namespace());
            own.or_default().push(position);
        }
        let isolated =
            (0..members.len()).filter(|position| !members[*position].sends_to.is_empty());
        let isolated = isolated.collect();
        let mut slices: HashMap<_, Vec<&EndpointSlice>> = HashMap::new();
        for slice in view.endpoint_slices.iter() {
            if let Some(service) = slice.service_name() {
                let own = slices.entry((slice.namespace(), service));
                own.or_default().push(slice);
            }
        }
        let mut cast = Self {
            world,
            members,
            kinds,
            slices,
            isolated,
            by_namespace,
            serving: BTreeMap::new(),
            service_ranges: service_ranges(view),
            meant: RefCell::default(),
        };
        for service in view.services.iter() {
            for (kind, _) in cast.backends(service).pods {
                cast.serving.entry(kind).or_default().push(service);
            }
        }
        cast
    }

    /// One pod of each kind behind a Service: its endpoints, those that are ready first, else what it selects.
    pub fn backends(&self, service: &'v Service) -> Backends<'v> {
        let own = (service.namespace(), service.name());
        let slices = self.slices.get(&own).into_iter().flatten();
        let mut endpoints: Vec<_> = slices
            .flat_map(|slice| slice.endpoints.iter().flatten())
            .collect();
        endpoints.sort_by_key(|endpoint| !endpoint.is_ready());
        let names = endpoints.into_iter().filter_map(EndpointExt::pod_name);
        let pods = names.filter_map(|name| self.world.view.pods.get(own.0, name));
        let mut backends = self.distinct(pods);
        if backends.is_empty() {
            backends = self.distinct(selected(self.world.view, service));
        }
        Backends { pods: backends }
    }

    fn distinct(&self, pods: impl Iterator<Item = &'v Pod>) -> Vec<(PodKind, &'v Pod)> {
        let mut seen: Vec<(PodKind, &Pod)> = Vec::new();
        for pod in pods {
            let kind = self.kinds.get(&(pod.namespace(), pod.name()));
            if let Some(kind) = kind
                && seen.iter().all(|(other, _)| other != kind)
            {
                seen.push((*kind, pod));
            }
        }
        seen
    }

    /// The members of a namespace.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Member<'w, 'v>> {
        let own = self.by_namespace.get(namespace).into_iter().flatten();
        own.map(|position| &self.members[*position])
    }

    /// The members whose own policies say whom they may send to.
    pub fn isolated(&self) -> impl Iterator<Item = &Member<'w, 'v>> {
        let all = self.isolated.iter();
        all.filter_map(|position| self.members.get(*position))
    }

    /// The Services that lead to pods of a kind.
    pub fn services_of(&self, kind: PodKind) -> &[&'v Service] {
        self.serving.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Whether no Service leads to it, and no policy isolates what it sends: a client as they come.
    pub fn is_plain_client(&self, member: &Member<'_, '_>) -> bool {
        member.sends_to.is_empty() && !self.serving.contains_key(&member.kind)
    }

    /// The first member that a peer of a policy means.
    pub fn meant(&self, peer: &'w Formula) -> Option<&Member<'w, 'v>> {
        let known = self.meant.borrow().get(peer).copied();
        let position = known.unwrap_or_else(|| {
            let found = self.find(peer);
            self.meant.borrow_mut().insert(peer, found);
            found
        })?;
        self.members.get(position)
    }

    fn find(&self, peer: &Formula) -> Option<usize> {
        let policies = self.world.policies();
        let is_meant = |position: &usize| policies.is_meant(peer, &self.members[*position].end);
        match peer.only_namespace() {
            Some(namespace) => {
                let own = self.by_namespace.get(namespace)?;
                own.iter().copied().find(is_meant)
            }
            None => (0..self.members.len()).find(is_meant),
        }
    }
}

fn service_ranges(view: &ClusterView) -> Vec<IpNet> {
    let specs = view
        .service_cidrs
        .iter()
        .filter_map(|range| range.spec.as_ref());
    let cidrs = specs.flat_map(|spec| spec.cidrs.iter().flatten());
    cidrs.filter_map(|cidr| parse_prefix(cidr).ok()).collect()
}

/// What is the same for pods of one kind.
fn traits(pod: &Pod) -> (&str, bool, Vec<(&str, &str)>) {
    let labels = pod.labels().iter();
    let labels = labels.filter(|(key, _)| !OF_ONE_POD.contains(&key.as_str()));
    let labels = labels.map(|(key, value)| (key.as_str(), value.as_str()));
    (pod.namespace(), pod.is_host_network(), labels.collect())
}

/// Whether it is a client of Services as they are meant: it runs, in a network of its own, and asks the DNS of
/// the cluster.
fn is_client(pod: &Pod) -> bool {
    let policy = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.dns_policy.as_deref());
    pod.is_ready()
        && !pod.is_finished()
        && !pod.is_terminating()
        && !pod.is_host_network()
        && matches!(policy, None | Some("ClusterFirst"))
}
