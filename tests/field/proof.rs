//! Proved means that the packet ends nowhere.

use netpath::cluster::ClusterView;

use super::{
    Case, GREEN, METADATA, OPEN, RED, RED_OR_HALF, add_link, append, case, check, first_rule,
};
use crate::nodes::{give_host_port, node};

const NOTRACK: &str = "*raw\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.10/32 -p udp -m udp --dport 53 -m comment --comment \"NodeLocal DNS Cache: skip conntrack\" -j NOTRACK\nCOMMIT";

/// NodeLocal DNSCache on the DNS Service's own address.
fn cache(view: &mut ClusterView) {
    let facts = node(view, "node1");
    append(&mut facts.iptables, NOTRACK);
    add_link(&mut facts.addresses, "nodelocaldns", "10.96.0.10");
}

/// A rule that sends calls of the metadata service to an agent.
fn agent(view: &mut ClusterView, to: &str) {
    let rule = format!(
        "-d 169.254.169.254/32 -i cni0 -p tcp -m tcp --dport 80 -j DNAT --to-destination {to}"
    );
    first_rule(
        &mut node(view, "node1").iptables,
        "nat",
        "PREROUTING",
        &rule,
    );
}

#[test]
fn what_is_taken_on_purpose_is_followed_to_its_end() {
    check(&[
        case("a DNS cache on the Service's address", GREEN, &[], |view| {
            cache(view);
            let sockets = &mut node(view, "node1").sockets;
            append(sockets, "udp UNCONN 0 0 10.96.0.10:53 0.0.0.0:*");
        }),
        case("the same, sockets not gathered", GREEN, &[], |view| {
            cache(view);
            node(view, "node1").sockets = None;
        }),
        case("the same, and nothing listens", RED, &["DNS-17"], cache),
        Case {
            args: METADATA,
            ..case("kube2iam listens on the node", GREEN, &[], |view| {
                agent(view, "172.30.0.11:8181");
                append(
                    &mut node(view, "node1").sockets,
                    "tcp LISTEN 0 4096 *:8181 *:*",
                );
            })
        },
        Case {
            args: METADATA,
            ..case("kiam on an address of its own", GREEN, &[], |view| {
                agent(view, "169.254.169.252:988");
                let facts = node(view, "node1");
                add_link(&mut facts.addresses, "metadata0", "169.254.169.252");
                append(
                    &mut facts.sockets,
                    "tcp LISTEN 0 4096 169.254.169.252:988 0.0.0.0:*",
                );
            })
        },
        Case {
            args: METADATA,
            ..case("an agent that is gone", RED, &["KPX-08"], |view| {
                agent(view, "172.30.0.11:8181");
            })
        },
        Case {
            args: METADATA,
            ..case(
                "an agent whose sockets were not gathered",
                OPEN,
                &[],
                |view| {
                    agent(view, "172.30.0.11:8181");
                    node(view, "node1").sockets = None;
                },
            )
        },
        Case {
            args: &["pod/client-1", "ip/203.0.113.9:443"],
            ..case("a transparent proxy on the node", OPEN, &[], |view| {
                let facts = node(view, "node1");
                let rule = "-i cni0 -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3129";
                first_rule(&mut facts.iptables, "nat", "PREROUTING", rule);
                append(&mut facts.sockets, "tcp LISTEN 0 4096 *:3129 *:*");
            })
        },
        case("a proxy in front of a Service", OPEN, &[], |view| {
            let facts = node(view, "node1");
            let rule = "-d 10.96.6.170/32 -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 15001";
            first_rule(&mut facts.iptables, "nat", "PREROUTING", rule);
            append(&mut facts.sockets, "tcp LISTEN 0 4096 *:15001 *:*");
        }),
    ]);
}

/// Host port 8088 of a pod on node2, with what portmap wrote for it and for earlier pods.
fn host_port(view: &mut ClusterView, targets: &[&str]) {
    give_host_port(view, "api-54dbf8cbb5-jf4st", 8088);
    let mut chains = ":CNI-HOSTPORT-DNAT - [0:0]\n".to_owned();
    let mut rules = "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT\n".to_owned();
    for (number, target) in targets.iter().enumerate() {
        let chain = format!("CNI-DN-{number}");
        chains.push_str(&format!(":{chain} - [0:0]\n"));
        rules.push_str(&format!("-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 8088 -j {chain}\n-A {chain} -p tcp -m tcp --dport 8088 -j DNAT --to-destination {target}\n"));
    }
    let dump = node(view, "node2").iptables.as_mut().expect("rules");
    let nat = dump.find("*nat\n").expect("nat") + "*nat\n".len();
    let commit = nat + dump[nat..].find("COMMIT").expect("its end");
    dump.insert_str(commit, &rules);
    dump.insert_str(nat, &chains);
}

#[test]
fn host_ports_are_a_hop_of_the_path() {
    let of = |what, verdicts, codes, change| Case {
        args: &["external/172.30.0.200", "node/node2:8088"],
        recording: "ok-nodeport-from-outside",
        ..case(what, verdicts, codes, change)
    };
    check(&[
        of("the pod's own chain", GREEN, &[], |view| {
            host_port(view, &["10.244.2.9:9090"]);
        }),
        of("a stale chain in front", RED_OR_HALF, &["EXT-10"], |view| {
            host_port(view, &["10.244.2.59:9090", "10.244.2.9:9090"]);
        }),
        of("a stale chain behind", GREEN, &[], |view| {
            host_port(view, &["10.244.2.9:9090", "10.244.2.59:9090"]);
        }),
        of("a stale chain alone", RED_OR_HALF, &["EXT-10"], |view| {
            host_port(view, &["10.244.2.59:9090"]);
        }),
        of(
            "another pod wants the port, too",
            RED_OR_HALF,
            &["EXT-10"],
            |view| {
                host_port(view, &["10.244.2.10:5432", "10.244.2.9:9090"]);
            },
        ),
    ]);
}
