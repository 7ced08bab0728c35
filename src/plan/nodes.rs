//! The nodes of the path.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::{Asker, MAX_BACKENDS, backend_addresses};
use crate::cluster::Pod;
use crate::observe::Vantage;
use crate::path::service_address;
use crate::resolve::Site;
use netpath_protocol::Task;

/// Nodes that are looked into.
const MAX_NODES: usize = 4;
/// Addresses whose connections are asked for.
const MAX_ADDRESSES: usize = 64;

// === impl Asker ===

impl Asker<'_, '_> {
    /// The nodes of the path: their facts, and the backends as the nodes themselves reach them, whom no
    /// policy stops.
    pub(super) fn nodes(&mut self) {
        let mut names: Vec<&str> = Vec::new();
        for path in self.case.paths() {
            let source = path.sources.first().and_then(Site::node_name);
            let entry = path.hops.iter().filter_map(|hop| hop.at.as_ref());
            let entry = entry
                .filter(|at| at.kind == "Node")
                .map(|at| at.name.as_str());
            let backends = path.backends.iter().filter_map(|backend| backend.node);
            for name in source.into_iter().chain(entry).chain(backends) {
                if !names.contains(&name) && self.view().nodes.get("", name).is_some() {
                    names.push(name);
                }
            }
        }
        let addresses = self.addresses();
        for name in names.into_iter().take(MAX_NODES) {
            let vantage = Vantage::Node(name.to_owned());
            let addresses = addresses.clone();
            self.ask(&vantage, Task::NodeFacts { addresses });
            let backends: Vec<SocketAddr> = self
                .case
                .paths()
                .flat_map(backend_addresses)
                .take(MAX_BACKENDS)
                .collect();
            for to in backends {
                self.reach(&vantage, to, (1, 0), true);
            }
        }
    }

    /// The addresses of the path, whose connections a node is asked for.
    fn addresses(&self) -> Vec<IpAddr> {
        let mut all = BTreeSet::new();
        for path in self.case.paths() {
            all.extend(path.sources.iter().filter_map(Site::pod).flat_map(Pod::ips));
            all.extend(service_address(path).map(|to| to.ip()));
            all.extend(path.backends.iter().filter_map(|backend| backend.address));
        }
        all.extend(self.case.world.dns().service_addresses());
        all.into_iter().take(MAX_ADDRESSES).collect()
    }
}
