//! The resolv.conf kubelet gives a pod. Source: kubelet v1.36 `network/dns/dns.go`.

use k8s_openapi::api::core::v1::{Node, Pod, PodDNSConfig, Service};

use super::store::{Key, Store};
use serde::Deserialize;

/// Annotations of a Node that stand for settings of its kubelet.
pub const CLUSTER_DNS: &str = "lab.netpath/cluster-dns";
pub const CLUSTER_DOMAIN: &str = "lab.netpath/cluster-domain";

/// What kubelet's own configuration says on one node.
#[derive(Debug, Clone)]
pub struct Kubelet {
    pub cluster_dns: String,
    pub cluster_domain: String,
    /// The node's own resolver.
    pub upstream: String,
}

// === impl Kubelet ===

impl Kubelet {
    /// Of a node: the Service kube-dns and `cluster.local`, unless the Node is annotated otherwise.
    pub fn of(store: &Store, node: &str, outside: &str) -> Self {
        let dns = store.get(&Key::new("", "services", "kube-system", "kube-dns"));
        let dns = dns.and_then(|object| Service::deserialize(&*object).ok());
        let dns = dns.and_then(|service| service.spec?.cluster_ip);
        let node = store.get(&Key::new("", "nodes", "", node));
        let node = node.and_then(|object| Node::deserialize(&*object).ok());
        let annotations = node
            .and_then(|node| node.metadata.annotations)
            .unwrap_or_default();
        let default_dns = dns
            .filter(|address| address != "None")
            .unwrap_or_else(|| "10.96.0.10".to_owned());
        Self {
            cluster_dns: annotations.get(CLUSTER_DNS).cloned().unwrap_or(default_dns),
            cluster_domain: annotations
                .get(CLUSTER_DOMAIN)
                .cloned()
                .unwrap_or_else(|| "cluster.local".to_owned()),
            upstream: outside.to_owned(),
        }
    }

    /// The node's own file.
    pub fn node_file(&self) -> String {
        format!(
            "nameserver {}\noptions timeout:1 attempts:2\n",
            self.upstream
        )
    }

    /// The pod's file.
    pub fn pod_file(&self, pod: &Pod) -> String {
        let spec = pod.spec.clone().unwrap_or_default();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
        let policy = match spec.dns_policy.as_deref().unwrap_or("ClusterFirst") {
            "ClusterFirst" if spec.host_network == Some(true) => "Default",
            policy => policy,
        };
        let domain = &self.cluster_domain;
        let (servers, searches, options) = match policy {
            "None" => (Vec::new(), Vec::new(), Vec::new()),
            "Default" => (
                vec![self.upstream.clone()],
                Vec::new(),
                words("timeout:1 attempts:2"),
            ),
            _ => {
                let searches = vec![
                    format!("{namespace}.svc.{domain}"),
                    format!("svc.{domain}"),
                    domain.clone(),
                ];
                (vec![self.cluster_dns.clone()], searches, words("ndots:5"))
            }
        };
        write(servers, searches, options, spec.dns_config)
    }
}

/// The file, with the pod's own dnsConfig laid over what the policy gives.
fn write(
    mut servers: Vec<String>,
    mut searches: Vec<String>,
    mut options: Vec<String>,
    own: Option<PodDNSConfig>,
) -> String {
    let own = own.unwrap_or_default();
    append(&mut servers, own.nameservers.unwrap_or_default());
    append(&mut searches, own.searches.unwrap_or_default());
    for option in own.options.into_iter().flatten() {
        let Some(name) = option.name else { continue };
        options.retain(|one| one.split(':').next() != Some(&name));
        options.push(
            option
                .value
                .map_or_else(|| name.clone(), |value| format!("{name}:{value}")),
        );
    }
    let mut file = String::new();
    if !searches.is_empty() {
        file += &format!("search {}\n", searches.join(" "));
    }
    for server in servers {
        file += &format!("nameserver {server}\n");
    }
    if !options.is_empty() {
        file += &format!("options {}\n", options.join(" "));
    }
    file
}

fn append(list: &mut Vec<String>, more: Vec<String>) {
    for one in more {
        if !list.contains(&one) {
            list.push(one);
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}
