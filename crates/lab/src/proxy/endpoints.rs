//! Which endpoints a node uses for which traffic. Source: kube-proxy v1.36, `CategorizeEndpoints`.

use super::Config;
use super::service::{Endpoint, Port};

/// The endpoints of a port by traffic policy.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "as kube-proxy has them")]
pub struct Chosen<'a> {
    /// For policy Cluster.
    pub cluster: Vec<&'a Endpoint>,
    /// For policy Local.
    pub local: Vec<&'a Endpoint>,
    /// Whether there is any usable endpoint anywhere.
    pub any: bool,
    /// Whether the ClusterIP leads somewhere from this node.
    pub internal: bool,
    /// Whether external addresses lead somewhere from this node.
    pub external: bool,
    pub uses_cluster: bool,
    pub uses_local: bool,
}

// === impl Chosen ===

impl<'a> Chosen<'a> {
    pub fn of(port: &'a Port, config: &Config) -> Self {
        // Also with external policy Local: pods and the node itself are short-circuited to all.
        let wants_cluster = !port.internal_local || port.is_external();
        let wants_local = port.internal_local || (port.external_local && port.is_external());
        let mut any = false;
        let mut cluster = Vec::new();
        if wants_cluster {
            cluster = ready_near(port, config);
            if cluster.is_empty() {
                cluster = pick(port, |one| one.serving && one.terminating);
            }
            any |= !cluster.is_empty();
        }
        let mut local = Vec::new();
        if wants_local {
            local = pick(port, |one| one.local && one.ready);
            if local.is_empty() {
                local = pick(port, |one| one.local && one.serving && one.terminating);
            }
            any |= port
                .endpoints
                .iter()
                .any(|one| one.ready || (one.serving && one.terminating));
        }
        Self {
            internal: any && (!port.internal_local || !local.is_empty()),
            external: any && (!port.external_local || !local.is_empty()),
            uses_cluster: wants_cluster && !cluster.is_empty(),
            uses_local: wants_local && !local.is_empty(),
            cluster,
            local,
            any,
        }
    }

    /// Every endpoint some rule leads to.
    pub fn reachable(&self) -> Vec<&'a Endpoint> {
        let mut all = self.cluster.clone();
        all.extend(self.local.iter().filter(|one| !self.cluster.contains(one)));
        all
    }
}

/// Ready endpoints, the near ones alone where every one carries hints and some name this place
/// (PreferSameNode before PreferSameZone, KEP-3015).
fn ready_near<'a>(port: &'a Port, config: &Config) -> Vec<&'a Endpoint> {
    let ready = pick(port, |one| one.ready);
    let hinted = |hints: fn(&Endpoint) -> &Vec<String>, place: &str| {
        let all = ready.iter().all(|one| !hints(one).is_empty());
        let near: Vec<&Endpoint> = ready
            .iter()
            .filter(|one| hints(one).iter().any(|hint| hint == place))
            .copied()
            .collect();
        (all && !near.is_empty()).then_some(near)
    };
    if let Some(near) = hinted(|one| &one.node_hints, &config.node) {
        return near;
    }
    let zone = config.node_labels.get("topology.kubernetes.io/zone");
    if let Some(near) = zone.and_then(|zone| hinted(|one| &one.zone_hints, zone)) {
        return near;
    }
    ready
}

fn pick(port: &Port, which: impl Fn(&Endpoint) -> bool) -> Vec<&Endpoint> {
    port.endpoints.iter().filter(|one| which(one)).collect()
}
