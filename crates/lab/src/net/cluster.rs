//! All the wires of one lab, and the namespaces at their ends.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;

use anyhow::{Context, Result, anyhow};
use parking_lot::RwLock;

use super::{Ns, Plan, PodWire, node};

/// The network of a lab.
#[derive(Debug)]
pub struct Wires {
    pub plan: Plan,
    fabric: Ns,
    hosts: BTreeMap<String, Ns>,
    pods: RwLock<BTreeMap<String, PodWire>>,
}

// === impl Wires ===

impl Wires {
    /// Lays everything but pods. The namespace of the calling process becomes the fabric.
    pub fn lay(plan: Plan) -> Result<Self> {
        let fabric = Ns::adopt("fabric")?;
        fabric.ip(&[
            "link set lo up".to_owned(),
            "link add br0 type bridge".to_owned(),
            "link set br0 up".to_owned(),
        ])?;
        // The fabric is a switch: its netfilter must not see what crosses it.
        fabric.sysctl(&[
            ("net/bridge/bridge-nf-call-iptables", "0"),
            ("net/bridge/bridge-nf-call-ip6tables", "0"),
            ("net/bridge/bridge-nf-call-arptables", "0"),
        ])?;
        let hosts = thread::scope(|scope| {
            let plan = &plan;
            let fabric = &fabric;
            #[expect(
                clippy::needless_collect,
                reason = "all start before the first is waited for"
            )]
            let jobs: Vec<_> = plan
                .hosts()
                .map(|host| {
                    scope.spawn(move || {
                        let ns = Ns::create(&host.name)?;
                        node::plug(fabric, &ns, host, plan.links.host(&host.name))?;
                        if let Some(node) = plan.node(&host.name) {
                            node::furnish(&ns, node, plan)?;
                        }
                        Ok((host.name.clone(), ns))
                    })
                })
                .collect();
            let joined = jobs
                .into_iter()
                .map(|job| job.join().map_err(|_| anyhow!("panicked"))?);
            joined.collect::<Result<BTreeMap<_, _>>>()
        })?;
        let wires = Self {
            plan,
            fabric,
            hosts,
            pods: RwLock::default(),
        };
        wires.lay_outside()?;
        Ok(wires)
    }

    /// The outside host routes for the nodes, and the control plane reaches pods.
    fn lay_outside(&self) -> Result<()> {
        let outside = self.host("ext")?;
        outside.sysctl(&[("net/ipv4/ip_forward", "1")])?;
        outside.ip(&["route add blackhole default".to_owned()])?;
        let ranges = self.plan.nodes.iter().flat_map(|node| {
            let at = |range: &ipnet::IpNet| {
                let via = node.host.address(range.addr())?;
                Some(format!("route add {range} via {via}"))
            };
            node.pods.iter().filter_map(at)
        });
        self.host("cp")?.ip(&ranges.collect::<Vec<_>>())
    }

    /// The namespace of `ext`, `cp`, `fabric` or a node.
    pub fn host(&self, name: &str) -> Result<&Ns> {
        if name == "fabric" {
            return Ok(&self.fabric);
        }
        self.hosts
            .get(name)
            .with_context(|| format!("no host {name} in this lab"))
    }

    /// Plugs a pod in; a pod that is plugged already stays.
    pub fn plug(&self, key: &str, node: &str, addresses: &[IpAddr]) -> Result<PodWire> {
        if let Some(wire) = self.pod(key) {
            return Ok(wire);
        }
        let planned = self
            .plan
            .node(node)
            .with_context(|| format!("no node {node}"))?;
        let wire = PodWire::plug(key, self.host(node)?, planned, &self.plan, addresses)?;
        self.pods.write().insert(key.to_owned(), wire.clone());
        Ok(wire)
    }

    pub fn unplug(&self, key: &str) {
        let wire = self.pods.write().remove(key);
        if let Some((wire, Ok(node))) = wire.map(|wire| (wire.clone(), self.host(&wire.node))) {
            wire.unplug(node);
        }
    }

    /// The network of the pod `namespace/name`.
    pub fn pod(&self, key: &str) -> Option<PodWire> {
        self.pods.read().get(key).cloned()
    }

    /// Whether a pod has this address.
    pub fn is_taken(&self, address: IpAddr) -> bool {
        self.pods
            .read()
            .values()
            .any(|wire| wire.addresses.contains(&address))
    }
}
