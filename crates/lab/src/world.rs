//! A cluster: the objects, the wires, and everything that keeps the two in step.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Result;
use ipnet::IpNet;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::api::{self, Faults};
use super::controllers;
use super::dns;
use super::hosts::{self, Doors};
use super::kubelet::{Kubelet, PodRun};
use super::launch::{HOME, find};
use super::net::{Outcome, Plan, Wires, host_rules};
use super::options::Options;
use super::pki::Authority;
use super::place;
use super::policy::Engine;
use super::proxy::{Agent, Backend, Config, Mode};
use super::runtime::Images;
use super::scenario::{Scenario, Settings};
use super::store::Store;

/// A running cluster.
pub struct World {
    pub settings: Settings,
    pub store: Arc<Store>,
    pub wires: Wires,
    pub runtime: Handle,
    pub authority: Arc<Authority>,
    pub kubelet: Kubelet,
    /// The cluster's names, for its DNS servers.
    pub names: Arc<dns::Source>,
    pub proxies: BTreeMap<String, Mutex<Agent>>,
    pub engine: Mutex<Engine>,
    /// What listens on hosts.
    pub doors: Mutex<Doors>,
    /// Held while the controllers run.
    pub reconciling: Mutex<()>,
    /// What is wrong with the API server.
    pub faults: Faults,
    /// Asks the supervisor to end.
    pub over: Notify,
}

// === impl World ===

impl World {
    /// Builds the cluster of a scenario.
    pub fn build(scenario: &Scenario, options: &Options, runtime: Handle) -> Result<Arc<Self>> {
        let store = Arc::new(Store::new());
        api::bootstrap(&store)?;
        load(&store, &scenario.objects)?;
        let settings = scenario.settings.clone();
        let nodes: Vec<Node> = store.typed("", "nodes");
        let plan = Plan::from_nodes(
            &nodes,
            &settings.cluster_cidr,
            settings.transport.unwrap_or_default(),
            settings.mtu.clone(),
        )?;
        tools(settings.iptables.unwrap_or_default())?;
        let wires = Wires::lay(plan)?;
        let proxies = proxies(&store, &wires, &settings, &nodes)?;
        Ok(Arc::new(Self {
            names: Arc::new(dns::Source::new(store.clone())),
            engine: Mutex::new(Engine::new(settings.policy.unwrap_or(true))),
            kubelet: Kubelet::new(Images::lay_out(options.images.clone())?),
            authority: Arc::new(Authority::new()?),
            settings,
            store,
            wires,
            runtime,
            proxies,
            doors: Mutex::default(),
            reconciling: Mutex::new(()),
            faults: Faults::default(),
            over: Notify::new(),
        }))
    }

    /// Starts everything and waits until nothing moves any more.
    pub fn start(self: &Arc<Self>) -> Result<()> {
        hosts::open_outside(self)?;
        controllers::reconcile(self)?;
        self.settle();
        controllers::run(self);
        Ok(())
    }

    /// Brings everything in step and waits until every readiness probe has decided.
    pub fn settle(self: &Arc<Self>) {
        const PATIENCE: Duration = Duration::from_secs(5);
        let since = Instant::now();
        let undecided = |run: &Arc<PodRun>| run.undecided.load(Ordering::SeqCst) > 0;
        while self.kubelet.all().iter().any(undecided) && since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Err(error) = controllers::reconcile(self) {
            eprintln!("lab: {error:#}");
        }
    }

    /// Runs a shell script at a place of the lab.
    pub fn run(&self, place: &str, script: &str) -> Result<Outcome> {
        place::run(self, place, script)
    }
}

/// Takes in the objects of a scenario as the API server would: first what others are completed with.
fn load(store: &Store, objects: &[Value]) -> Result<()> {
    let first = [
        "Namespace",
        "Node",
        "ServiceCIDR",
        "CustomResourceDefinition",
    ];
    let rank = |object: &&Value| {
        let kind = object["kind"].as_str().unwrap_or_default();
        // Services with an address of their own come before those that are given one.
        (
            !first.contains(&kind),
            kind == "Service" && object["spec"]["clusterIP"].is_null(),
        )
    };
    let mut ordered: Vec<&Value> = objects.iter().collect();
    ordered.sort_by_key(rank);
    for object in ordered {
        store.admit(object.clone())?;
    }
    Ok(())
}

/// The node's own iptables by its plain names.
fn tools(backend: Backend) -> Result<()> {
    let folder = format!("{HOME}/bin");
    std::fs::create_dir_all(&folder)?;
    for (ipv6, family) in [(false, "iptables"), (true, "ip6tables")] {
        for what in ["", "-save", "-restore"] {
            if let Some(program) = find(&backend.program(ipv6, what)) {
                std::os::unix::fs::symlink(program, format!("{folder}/{family}{what}"))?;
            }
        }
    }
    Ok(())
}

/// A kube-proxy for every node, and the rules that kubelet and the CNI keep beside it.
fn proxies(
    store: &Store,
    wires: &Wires,
    settings: &Settings,
    nodes: &[Node],
) -> Result<BTreeMap<String, Mutex<Agent>>> {
    let ranges: Vec<ServiceCIDR> = store.typed("networking.k8s.io", "servicecidrs");
    let ranges = ranges
        .into_iter()
        .filter_map(|range| range.spec?.cidrs)
        .flatten();
    let services: Vec<IpNet> = ranges.filter_map(|range| range.parse().ok()).collect();
    let (mode, backend) = (
        settings.proxy.unwrap_or_default(),
        settings.iptables.unwrap_or_default(),
    );
    let mut agents = BTreeMap::new();
    for planned in &wires.plan.nodes {
        let name = &planned.host.name;
        let ns = wires.host(name)?;
        for range in &wires.plan.cluster {
            let restore = backend.program(range.addr().is_ipv6(), "-restore");
            ns.must(&restore, &["--noflush"], &host_rules(range))?;
        }
        let object = nodes
            .iter()
            .find(|node| node.metadata.name.as_ref() == Some(name));
        let labels = object
            .and_then(|node| node.metadata.labels.clone())
            .unwrap_or_default();
        let config = |ipv6: bool| {
            let same = |address: &IpAddr| address.is_ipv6() == ipv6;
            let address = planned.host.addresses.iter().copied().find(same);
            Config {
                ipv6,
                node: name.clone(),
                node_labels: labels.clone(),
                node_address: address,
                cluster: wires
                    .plan
                    .cluster
                    .iter()
                    .find(|range| same(&range.addr()))
                    .copied(),
                services: services
                    .iter()
                    .filter(|range| same(&range.addr()))
                    .copied()
                    .collect(),
                masquerade_all: false,
                localhost_node_ports: mode == Mode::Iptables && !ipv6,
                // By default nftables mode serves the primary address, iptables mode every one.
                node_port_addresses: address
                    .filter(|_| mode == Mode::Nftables)
                    .map(|one| vec![one]),
                nfacct: true,
                random_fully: true,
            }
        };
        let agent = Agent::new(ns.clone(), mode, backend, vec![config(false), config(true)])?;
        agents.insert(name.clone(), Mutex::new(agent));
    }
    Ok(agents)
}
