//! All that the agent of one node answered.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::{
    AddressBook, ByteOrder, Counter, Drop, Endpoint, Meant, PolicyMap, Status, counters, drops,
    endpoints, growth, ipcache, meant, policy_maps, service_map, status,
};
use crate::cluster::Named;
use crate::cluster::{NodeFacts, Pod};
use crate::dataplane::ServiceTable;
use crate::dataplane::tables::Reader;

/// Answers that were gathered; what was not is `None`.
#[derive(Debug, Clone, Default)]
pub struct Agent {
    pub status: Option<Status>,
    pub services: Option<ServiceTable>,
    pub meant: Option<Vec<Meant>>,
    pub endpoints: Option<Vec<Endpoint>>,
    pub policies: Option<BTreeMap<u64, PolicyMap>>,
    pub addresses: Option<AddressBook>,
    /// Packets that were dropped while somebody listened.
    pub drops: Vec<Drop>,
    counters: Option<[Counter; 2]>,
    /// Endpoints that have a program of their own, by the names under /sys/fs/bpf.
    programs: Option<Vec<u64>>,
}

// === impl Agent ===

impl Agent {
    /// Reads what was gathered; none where nothing of Cilium's was.
    pub(in crate::dataplane) fn read(
        facts: &NodeFacts,
        order: ByteOrder,
        reader: &mut Reader,
    ) -> Option<Self> {
        let texts = [
            &facts.cilium_status,
            &facts.cilium_lb_map,
            &facts.cilium_services,
            &facts.cilium_endpoints,
            &facts.cilium_policy_maps,
            &facts.cilium_ipcache,
        ];
        texts.iter().any(|text| text.is_some()).then(|| {
            let before = reader.take(
                "cilium/bpf-metrics-before.json",
                facts.cilium_metrics_before.as_deref(),
                counters,
            );
            let after = reader.take(
                "cilium/bpf-metrics-after.json",
                facts.cilium_metrics_after.as_deref(),
                counters,
            );
            Self {
                status: reader.take("cilium/status.json", facts.cilium_status.as_deref(), status),
                services: reader.take(
                    "cilium/bpf-lb-list.json",
                    facts.cilium_lb_map.as_deref(),
                    service_map,
                ),
                meant: reader.take(
                    "cilium/service-list.json",
                    facts.cilium_services.as_deref(),
                    meant,
                ),
                endpoints: reader.take(
                    "cilium/endpoint-list.json",
                    facts.cilium_endpoints.as_deref(),
                    endpoints,
                ),
                policies: reader.take(
                    "cilium/bpf-policy-get-all.json",
                    facts.cilium_policy_maps.as_deref(),
                    |text| policy_maps(text, order),
                ),
                addresses: reader.take(
                    "cilium/bpf-ipcache-list.json",
                    facts.cilium_ipcache.as_deref(),
                    ipcache,
                ),
                drops: facts.cilium_drops.as_deref().map(drops).unwrap_or_default(),
                counters: before.zip(after).map(Into::into),
                programs: facts.bpf_pins.as_deref().and_then(programs),
            }
        })
    }

    /// The endpoint of a pod.
    #[must_use]
    pub fn endpoint(&self, pod: &Pod) -> Option<&Endpoint> {
        let mut all = self.endpoints.iter().flatten();
        all.find(|one| one.is_of(pod.namespace(), pod.name()))
    }

    /// Whether Services are served here by Cilium alone, as far as it says.
    #[must_use]
    pub fn replaces_proxy(&self) -> Option<bool> {
        self.status.as_ref()?.replaces_proxy
    }

    /// The backends of an address that the agent keeps back, with their state: `quarantined`,
    /// `maintenance`.
    #[must_use]
    pub fn kept_back(&self, address: SocketAddr) -> Vec<(SocketAddr, String)> {
        let frontends = self
            .meant
            .iter()
            .flatten()
            .filter(|one| one.address == address);
        let backends = frontends.flat_map(|one| one.backends.iter().cloned());
        backends
            .filter(|(_, state)| state == "quarantined" || state == "maintenance")
            .collect()
    }

    /// A packet between two ends that was dropped while somebody listened.
    #[must_use]
    pub fn drop_of(&self, source: IpAddr, destination: SocketAddr) -> Option<&Drop> {
        let mut all = self.drops.iter();
        all.find(|one| one.source == source && one.destination == destination)
    }

    /// What was dropped on the node while the path was tried, by reason.
    #[must_use]
    pub fn grown(&self) -> Vec<(String, u64)> {
        self.counters
            .as_ref()
            .map_or_else(Vec::new, |[before, after]| growth(before, after))
    }

    /// Whether an endpoint has no program, where others of its node have.
    #[must_use]
    pub fn lacks_program(&self, endpoint: &Endpoint) -> bool {
        let programs = self.programs.as_ref();
        programs.is_some_and(|programs| !programs.contains(&endpoint.id))
    }
}

/// `/sys/fs/bpf/cilium/endpoints/1184/links/cil_from_container`: the numbers. None where there is no such
/// name at all: older versions attach their programs without one.
fn programs(pins: &str) -> Option<Vec<u64>> {
    let links = pins.lines().filter_map(|line| {
        let rest = line.trim().split_once("/cilium/endpoints/")?.1;
        let (id, link) = rest.split_once("/links/")?;
        link.starts_with("cil_").then(|| id.parse().ok())?
    });
    let all: Vec<u64> = links.collect();
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_by_their_pins() {
        let pins = "/sys/fs/bpf/cilium/endpoints\n/sys/fs/bpf/cilium/endpoints/42\n\
                    /sys/fs/bpf/cilium/endpoints/42/links\n/sys/fs/bpf/cilium/endpoints/42/links/cil_from_container\n";
        assert_eq!(programs(pins), Some(vec![42]));
        assert_eq!(
            programs("/sys/fs/bpf\n/sys/fs/bpf/tc/globals/cilium_ct4_global\n"),
            None
        );
    }
}
