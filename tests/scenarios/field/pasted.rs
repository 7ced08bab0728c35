//! Dumps that are cut off, empty, or of another tool.

use super::{Case, GREEN, OPEN, SERVICE, case};
use crate::nodes::{node, pod};
use netpath::cluster::ClusterView;

/// Both nodes' file, changed.
fn both(view: &mut ClusterView, change: impl Fn(&mut netpath::cluster::NodeFacts)) {
    for name in ["node1", "node2"] {
        change(node(view, name));
    }
}

fn half(text: &mut Option<String>) {
    let text = text.as_mut().expect("a file");
    text.truncate(text.len() / 2);
}

pub fn what_could_not_be_read_leaves_it_open() -> Vec<Case> {
    vec![
        case("iptables-save cut off", OPEN, &[], |view| {
            half(&mut node(view, "node1").iptables);
        }),
        case("the last node's iptables-save cut off", OPEN, &[], |view| {
            half(&mut node(view, "node2").iptables);
        }),
        case("iptables-save in one line", OPEN, &[], |view| {
            let rules = &mut node(view, "node1").iptables;
            *rules = rules.as_ref().map(|text| text.replace('\n', " "));
        }),
        case("iptables -S", OPEN, &[], |view| {
            node(view, "node1").iptables = Some("-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-N KUBE-FORWARD\n-A FORWARD -j KUBE-FORWARD\n".to_owned());
        }),
        case("iptables -L", OPEN, &[], |view| {
            node(view, "node1").iptables = Some("Chain INPUT (policy ACCEPT)\ntarget     prot opt source               destination\n".to_owned());
        }),
        case("an empty iptables-save", OPEN, &[], |view| {
            let facts = node(view, "node1");
            facts.iptables = Some(String::new());
            facts.nft_json = None;
        }),
        case("routes cut off", OPEN, &[], |view| {
            half(&mut node(view, "node1").routes);
        }),
        case("neighbours cut off", OPEN, &[], |view| {
            half(&mut node(view, "node2").neighbours);
        }),
        case(
            "ip6tables-save cut off matters to nobody here",
            GREEN,
            &[],
            |view| {
                half(&mut node(view, "node1").ip6tables);
            },
        ),
        case("no nft on the node", GREEN, &[], |view| {
            node(view, "node1").nft_json = Some("sh: 1: nft: not found\n".to_owned());
        }),
        Case {
            recording: "ok-pod-to-service-nft",
            args: SERVICE,
            ..case("nft JSON cut off", OPEN, &[], |view| {
                both(view, |facts| half(&mut facts.nft_json));
            })
        },
        Case {
            recording: "ok-pod-to-service-nft",
            ..case("nft as text, named as JSON", OPEN, &[], |view| {
                both(view, |facts| {
                    facts.nft_json =
                        Some("table ip kube-proxy {\n\tchain services {\n\t}\n}\n".to_owned());
                });
            })
        },
        Case {
            recording: "ok-pod-to-service-nft",
            ..case("nft as text alone", OPEN, &[], |view| {
                both(view, |facts| {
                    facts.nft_json = None;
                    facts.nft_text = Some("table ip kube-proxy {\n}\n".to_owned());
                });
            })
        },
        case("sockets of netstat", GREEN, &[], |view| {
            let sockets = "Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address           Foreign Address         State\ntcp6       0      0 :::9090                 :::*                    LISTEN\n";
            for ((_, name), facts) in &mut view.facts.pods {
                if name.starts_with("api-") {
                    facts.sockets = Some(sockets.to_owned());
                }
            }
        }),
        case("sockets without their protocol", GREEN, &[], |view| {
            pod(view, "api-54dbf8cbb5-jf4st").sockets =
                Some("LISTEN 0 4096 *:9090 *:*\n".to_owned());
        }),
        case("routes as text", GREEN, &[], |view| {
            node(view, "node1").routes = Some("10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1 \n10.244.2.0/24 via 172.30.0.12 dev eth0 \n172.30.0.0/24 dev eth0 proto kernel scope link src 172.30.0.11 \n".to_owned());
        }),
    ]
}
