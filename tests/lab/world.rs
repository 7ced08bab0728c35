//! A cluster: the objects, the wires, and everything that keeps the two in step.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use anyhow::Result;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::net::{Outcome, Plan, Wires, host_rules};
use super::place;
use super::proxy::{Agent, Config, Mode};
use super::scenario::{Scenario, Settings};
use super::store::Store;

/// A running cluster.
pub struct World {
    pub settings: Settings,
    pub store: Store,
    pub wires: Wires,
    pub runtime: Handle,
    pub proxies: BTreeMap<String, Mutex<Agent>>,
    /// Asks the supervisor to end.
    pub over: Notify,
}

// === impl World ===

impl World {
    /// Builds the cluster of a scenario and breaks it as the scenario says.
    pub fn build(scenario: Scenario, runtime: Handle, _api: TcpListener) -> Result<Arc<Self>> {
        let store = Store::new();
        for object in scenario.objects {
            store.add(object)?;
        }
        let settings = scenario.settings;
        let nodes: Vec<Node> = store.typed("", "nodes");
        let plan = Plan::from_nodes(
            &nodes,
            &settings.cluster_cidr,
            settings.transport.unwrap_or_default(),
            settings.mtu.unwrap_or(1500),
        );
        let wires = Wires::lay(plan)?;
        let proxies = proxies(&store, &wires, &settings, &nodes)?;
        Ok(Arc::new(Self {
            settings,
            store,
            wires,
            runtime,
            proxies,
            over: Notify::new(),
        }))
    }

    /// Runs a shell script at a place of the lab.
    pub fn run(&self, place: &str, script: &str) -> Result<Outcome> {
        place::run(self, place, script)
    }
}

/// A kube-proxy for every node, and the rules that kubelet and the CNI keep beside it.
fn proxies(
    store: &Store,
    wires: &Wires,
    settings: &Settings,
    nodes: &[Node],
) -> Result<BTreeMap<String, Mutex<Agent>>> {
    let ranges: Vec<ServiceCIDR> = store.typed("networking.k8s.io", "servicecidrs");
    let ranges = ranges.into_iter().filter_map(|range| range.spec?.cidrs).flatten();
    let services: Vec<IpNet> = ranges.filter_map(|range| range.parse().ok()).collect();
    let (mode, backend) = (settings.proxy.unwrap_or_default(), settings.iptables.unwrap_or_default());
    let mut agents = BTreeMap::new();
    for planned in &wires.plan.nodes {
        let name = &planned.host.name;
        let ns = wires.host(name)?;
        for range in &wires.plan.cluster {
            let restore = backend.program(range.addr().is_ipv6(), "-restore");
            ns.must(&restore, &["--noflush"], &host_rules(range))?;
        }
        let object = nodes.iter().find(|node| node.metadata.name.as_ref() == Some(name));
        let labels = object.and_then(|node| node.metadata.labels.clone()).unwrap_or_default();
        let config = |ipv6: bool| {
            let same = |address: &IpAddr| address.is_ipv6() == ipv6;
            let address = planned.host.addresses.iter().copied().find(same);
            Config {
                ipv6,
                node: name.clone(),
                node_labels: labels.clone(),
                node_address: address,
                cluster: wires.plan.cluster.iter().find(|range| same(&range.addr())).copied(),
                services: services.iter().filter(|range| same(&range.addr())).copied().collect(),
                masquerade_all: false,
                localhost_node_ports: mode == Mode::Iptables && !ipv6,
                // By default nftables mode serves the primary address, iptables mode every one.
                node_port_addresses: address.filter(|_| mode == Mode::Nftables).map(|one| vec![one]),
                nfacct: true,
                random_fully: true,
            }
        };
        let agent = Agent::new(ns.clone(), mode, backend, vec![config(false), config(true)])?;
        agents.insert(name.clone(), Mutex::new(agent));
    }
    Ok(agents)
}
