//! What was gathered on nodes and inside pods: the plain output of ordinary tools, unparsed.
//!
//! The form is that of a snapshot's `nodes/NODE/` and `pods/NAMESPACE/POD/` folders, so that facts
//! gathered live and facts somebody collected with a shell loop are the same thing.

use std::collections::BTreeMap;

/// Facts of all nodes and pods that were looked at.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// By node name.
    pub nodes: BTreeMap<String, NodeFacts>,
    /// By namespace and pod name.
    pub pods: BTreeMap<(String, String), PodFacts>,
}

macro_rules! fact_files {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $file:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: Option<String>,)* }

        impl $name {
            /// The file names of the folder, in the order of the fields.
            pub const FILES: &[&str] = &[$($file,)*];

            /// The text gathered under a file name.
            #[must_use]
            pub fn get(&self, file: &str) -> Option<&str> {
                match file { $($file => self.$field.as_deref(),)* _ => None }
            }

            /// Keeps the text of one file; `false` when no fact has that name.
            pub fn set(&mut self, file: &str, text: String) -> bool {
                match file { $($file => self.$field = Some(text),)* _ => return false }
                true
            }
        }
    };
}

fact_files! {
    /// What one node holds.
    NodeFacts {
        iptables: "iptables-save.txt",
        ip6tables: "ip6tables-save.txt",
        iptables_legacy: "iptables-legacy-save.txt",
        nft_json: "nft-ruleset.json",
        nft_text: "nft-ruleset.txt",
        ipset: "ipset-save.txt",
        ipvs: "ipvsadm-save.txt",
        addresses: "ip-addr.json",
        routes: "ip-route.json",
        routes6: "ip6-route.json",
        rules: "ip-rule.json",
        neighbours: "ip-neigh.json",
        bridge_fdb: "bridge-fdb.json",
        bridge_links: "bridge-link.json",
        sysctls: "sysctl.txt",
        conntrack: "conntrack.txt",
        conntrack_stats: "conntrack-stat.txt",
        attached: "bpf-net.json",
        sockets: "sockets.txt",
        proxy_mode: "proxy-mode.txt",
        bpf_pins: "bpf-pins.txt",
        cilium_status: "cilium/status.json",
        cilium_services: "cilium/service-list.json",
        cilium_lb_map: "cilium/bpf-lb-list.json",
        cilium_endpoints: "cilium/endpoint-list.json",
        cilium_policy_maps: "cilium/bpf-policy-get-all.json",
        cilium_ipcache: "cilium/bpf-ipcache-list.json",
        cilium_metrics_before: "cilium/bpf-metrics-before.json",
        cilium_metrics_after: "cilium/bpf-metrics-after.json",
        cilium_drops: "cilium/monitor-drop.jsonl",
        calico_nat: "calico/nat-dump.json",
        calico_nat_text: "calico/nat-dump.txt",
        ovn_load_balancers: "ovn/load-balancers.json",
    }
}

fact_files! {
    /// What one pod's network namespace holds.
    PodFacts {
        resolv_conf: "resolv.conf",
        sockets: "sockets.txt",
        addresses: "ip-addr.json",
        routes: "ip-route.json",
        iptables: "iptables-save.txt",
        nft_json: "nft-ruleset.json",
    }
}

// === impl Facts ===

impl Facts {
    /// The facts of one pod.
    #[must_use]
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&PodFacts> {
        self.pods.get(&(namespace.to_owned(), name.to_owned()))
    }
}
