//! What the node proxy reaches: kubelet's configuration and health.

use serde_json::json;

use super::refusal::Refusal;
use super::request::Target;
use super::respond::{self, Response};
use crate::store::{Key, ResourceType};
use crate::world::World;

/// Answers `nodes/NAME/proxy/…`.
pub fn proxy(world: &World, target: &Target, kind: &ResourceType) -> Result<Response, Refusal> {
    if world.store.get(&target.key(kind)).is_none() {
        return Err(Refusal::not_found(kind, &target.name));
    }
    let dns = Key::new("", "services", "kube-system", "kube-dns");
    let dns = world.store.get(&dns);
    let dns: Vec<_> = dns
        .iter()
        .map(|service| service["spec"]["clusterIP"].clone())
        .collect();
    match target.rest.as_str() {
        "configz" => Ok(respond::json(
            200,
            &json!({"kubeletconfig": {"kind": "KubeletConfiguration", "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "enableServer": true, "address": "0.0.0.0", "port": 10_250, "healthzPort": 10_248,
                "healthzBindAddress": "127.0.0.1", "clusterDomain": "cluster.local", "clusterDNS": dns,
                "maxPods": 60, "resolvConf": "/etc/resolv.conf",
                "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock"}}),
        )),
        "healthz" => Ok(respond::plain(200, "text/plain; charset=utf-8", "ok")),
        _ => Ok(respond::no_page()),
    }
}
