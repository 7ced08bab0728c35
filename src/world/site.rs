//! One node with all that its facts say of it.

use std::cell::OnceCell;
use std::net::SocketAddr;

use crate::cluster::access::ServiceExt;
use crate::cluster::{ClusterView, NodeFacts, Resource};
use crate::dataplane::cilium::ByteOrder;
use crate::dataplane::{self, Tables};
use crate::nat::dataplane::{Dataplane, Recognised, ServesServices, join, recognise};
use crate::nat::proxy::{Drift, Footprint, ProxySetup, SliceIndex, compare, covered};
use crate::net::{Family, Protocol};
use crate::node::{NodeState, proxy_setup, recognise_objects};

/// A node with all that its facts say of it.
#[derive(Debug)]
pub struct NodeSite {
    pub name: String,
    pub state: NodeState,
    pub setup: ProxySetup,
    pub footprint: Footprint,
    /// Who else shapes packets there.
    pub dataplanes: Vec<Recognised>,
    /// What their agents say they have programmed.
    pub tables: Tables,
    drift: OnceCell<Drift>,
}

// === impl NodeSite ===

impl NodeSite {
    pub(super) fn read(view: &ClusterView, name: &str, facts: &NodeFacts) -> Self {
        Self::of(view, name, NodeState::read(facts)).with_tables(view, facts)
    }

    /// The same with what the agents of its dataplanes answered.
    #[must_use]
    pub fn with_tables(mut self, view: &ClusterView, facts: &NodeFacts) -> Self {
        let (tables, unreadable) = Tables::read(facts, byte_order(view, &self.name));
        self.state.unreadable.extend(unreadable);
        Self { tables, ..self }
    }

    /// Whether Cilium is at work there, as its traces or its own answers tell.
    #[must_use]
    pub fn has_cilium(&self) -> bool {
        let mut all = self.dataplanes.iter();
        self.tables.cilium.is_some() || all.any(|one| one.dataplane == Dataplane::Cilium)
    }

    /// A node from what was read of it.
    #[must_use]
    pub fn of(view: &ClusterView, name: &str, state: NodeState) -> Self {
        let setup = proxy_setup(view, name, &state);
        let rules = state.rules.as_ref();
        Self {
            name: name.to_owned(),
            footprint: rules.map(Footprint::of).unwrap_or_default(),
            dataplanes: join(recognise(rules, &state.host), recognise_objects(view, name)),
            tables: Tables::default(),
            drift: OnceCell::new(),
            setup,
            state,
        }
    }

    /// Where its rules differ from the Services, over all of them. Families about which the rules say
    /// nothing are left open.
    pub fn drift(&self, view: &ClusterView) -> &Drift {
        self.drift.get_or_init(|| {
            if let Some((_, table)) = self.tables.services() {
                let slices = SliceIndex::new(view.endpoint_slices.iter());
                return dataplane::compare(view.services.iter(), &slices, table, &self.setup);
            }
            let Some(rules) = &self.state.rules else {
                return Drift::default();
            };
            let (open, told): (Vec<_>, Vec<_>) = covered(rules, self.setup.mode)
                .into_iter()
                .map(|family| (family, self.unserved(view, family)))
                .partition(|(_, why)| why.is_some());
            let families: Vec<Family> = told.into_iter().map(|(family, _)| family).collect();
            let slices = SliceIndex::new(view.endpoint_slices.iter());
            let services = view.services.iter();
            let host = &self.state.host;
            let mut drift = compare(services, &slices, rules, host, &self.setup, &families);
            let is_used = |family: &Family| {
                let mut services = view.services.iter();
                services.any(|service| service.cluster_ip(*family).is_some())
            };
            let used = Family::ALL.into_iter().filter(is_used);
            let unread = used.filter_map(|family| self.unread(family));
            let why = open.into_iter().filter(|(family, _)| is_used(family));
            for why in why.filter_map(|(_, why)| why).chain(unread) {
                if !drift.open.contains(&why) {
                    drift.open.push(why);
                }
            }
            drift
        })
    }

    /// What was given of the rules that Services need for a family and could not be read to its end.
    #[must_use]
    pub fn unread(&self, family: Family) -> Option<String> {
        let gap = self
            .state
            .rules
            .as_ref()
            .and_then(|rules| rules.gap(family));
        gap.map(|gap| gap.why.clone())
            .or_else(|| self.state.blank(self.setup.mode, family))
    }

    /// Why no rule can be missing for Services of a family: somebody serves them out of sight, or it is
    /// not known who does.
    #[must_use]
    pub fn unserved(&self, view: &ClusterView, family: Family) -> Option<String> {
        if let Some(why) = self.unread(family) {
            return Some(why);
        }
        let rules = self.state.rules.as_ref();
        let has_servers = rules.is_some_and(|rules| rules.virtual_servers.is_some());
        let is_filled = self.footprint.filled(family).next().is_some() || has_servers;
        let name = &self.name;
        if let Some(other) = self
            .out_of_sight()
            .filter(|_| !is_filled || !self.has_proxy(view))
        {
            let (who, conclusion) = (other.dataplane.name(), other.dataplane.conclusion());
            return Some(format!("{who} serves Services on {name}: {conclusion}"));
        }
        (!is_filled && !self.has_proxy(view)).then(|| {
            format!("{name} has no rules of kube-proxy, and who serves Services there is not known")
        })
    }

    /// Whether kube-proxy is meant to run here.
    fn has_proxy(&self, view: &ClusterView) -> bool {
        let said = self.state.proxy_mode.as_deref();
        said.is_some_and(|mode| !mode.is_empty())
            || view
                .workload(Resource::DaemonSets, "kube-system", "kube-proxy")
                .is_some()
            || view.config_maps.get("kube-system", "kube-proxy").is_some()
            || self.out_of_sight().is_none() && !self.footprint.layers.is_empty()
    }

    /// Whether a process of the node itself listens at an address; none where sockets were not read.
    #[must_use]
    pub fn listens(&self, at: SocketAddr, protocol: Protocol) -> Option<bool> {
        let mut all = self.state.listeners.as_ref()?.iter();
        Some(all.any(|one| one.protocol == protocol && one.port == at.port() && one.takes(at.ip())))
    }

    /// Who serves Services or moves packets here where no rule dump shows it.
    #[must_use]
    pub fn out_of_sight(&self) -> Option<&Recognised> {
        self.dataplanes
            .iter()
            .find(|one| one.dataplane.serves_services() == ServesServices::OutOfSight)
    }
}

/// How the processor of a node stores numbers: of those that Kubernetes runs on, s390x has the high byte
/// first.
fn byte_order(view: &ClusterView, node: &str) -> ByteOrder {
    let status = view
        .nodes
        .get("", node)
        .and_then(|node| node.status.as_ref());
    let info = status.and_then(|status| status.node_info.as_ref());
    match info.map(|info| info.architecture.as_str()) {
        Some("s390x") => ByteOrder::Big,
        _ => ByteOrder::Little,
    }
}
