//! What no rule of a dump sets, and who moves packets out of sight.

use netpath::cluster::{ClusterView, Resource};
use serde_json::json;

use super::{Case, OPEN, RED, case, check, first_rule};
use crate::nodes::{drop_lines, node};

const MARKED: &str = "-i cni0 -m mark ! --mark 0x1000000/0x1000000 -j DROP";

fn without_kube_proxy(view: &mut ClusterView) {
    for name in ["node1", "node2"] {
        let facts = node(view, name);
        drop_lines(&mut facts.iptables, "KUBE-");
        facts.proxy_mode = None;
    }
}

#[test]
fn marks_that_nobody_sets_are_unknown() {
    check(&[
        case("a rule drops what bears no mark", OPEN, &[], |view| {
            first_rule(
                &mut node(view, "node1").iptables,
                "filter",
                "FORWARD",
                MARKED,
            );
        }),
        case(
            "the same, and no interface has a program",
            RED,
            &["RTE-21"],
            |view| {
                let facts = node(view, "node1");
                first_rule(&mut facts.iptables, "filter", "FORWARD", MARKED);
                facts.attached = Some("[]".to_owned());
            },
        ),
        case(
            "the same, and another rule sets it for others",
            RED,
            &["RTE-21"],
            |view| {
                let rules = &mut node(view, "node1").iptables;
                first_rule(rules, "filter", "FORWARD", MARKED);
                let set = "-i tailscale0 -j MARK --set-xmark 0x1000000/0x1000000";
                first_rule(rules, "mangle", "PREROUTING", set);
            },
        ),
        case("a set that is not in the dump", OPEN, &[], |view| {
            let rule = "-m set --match-set admitted src -j DROP";
            first_rule(&mut node(view, "node1").iptables, "filter", "FORWARD", rule);
        }),
        Case {
            args: &["node/node1", "svc/api"],
            ..case(
                "an extension that only the kernel can evaluate",
                OPEN,
                &[],
                |view| {
                    let rule = "-m cgroup --path kubepods -j DROP";
                    first_rule(&mut node(view, "node1").iptables, "filter", "OUTPUT", rule);
                },
            )
        },
    ]);
}

#[test]
fn dataplanes_are_known_by_their_objects() {
    check(&[
        case("FelixConfiguration says eBPF", OPEN, &[], |view| {
            without_kube_proxy(view);
            let table = view
                .custom
                .entry(Resource::FelixConfigurations)
                .or_default();
            let object = json!({"kind": "FelixConfiguration", "metadata": {"name": "default"}, "spec": {"bpfEnabled": true}});
            table.insert("", "default", object);
        }),
        case("the operator's Installation says BPF", OPEN, &[], |view| {
            without_kube_proxy(view);
            let table = view
                .custom
                .entry(Resource::TigeraInstallations)
                .or_default();
            let object = json!({"kind": "Installation", "metadata": {"name": "default"}, "spec": {"calicoNetwork": {"linuxDataplane": "BPF"}}});
            table.insert("", "default", object);
        }),
        case("cilium-config is there", OPEN, &[], |view| {
            without_kube_proxy(view);
            let map = view.config_maps.iter().next().expect("a ConfigMap").clone();
            view.config_maps.insert("kube-system", "cilium-config", {
                let mut map = map;
                map.metadata.name = Some("cilium-config".to_owned());
                map
            });
        }),
        case(
            "kube-proxy is meant to run and wrote nothing",
            RED,
            &["KPX-01"],
            without_kube_proxy,
        ),
    ]);
}
