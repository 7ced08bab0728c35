//! Dumps that are cut off, empty, or of another tool.

use netpath::facts::{links, neighbours, route_rules, routes};
use netpath::nat::model::Ruleset;
use netpath::nat::read::{ipset, ipvs, read_ipset, read_iptables, read_ipvs};
use netpath::net::Family;

use super::{Case, GREEN, OPEN, SERVICE, case, check};
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

#[test]
fn what_could_not_be_read_leaves_it_open() {
    check(&[
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
    ]);
}

#[test]
fn listings_of_ip_without_j() {
    let text = "default via 192.168.1.1 dev eth0 proto dhcp metric 100 \n10.244.0.0/24 dev cni0 proto kernel scope link src 10.244.0.1 linkdown\nblackhole 10.244.9.0/26 proto bird\nlocal 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1\n10.9.0.0/16 proto static metric 20 \n\tnexthop via 192.168.1.2 dev eth0 weight 1 \n\tnexthop via 192.168.1.3 dev eth1 weight 1 \n";
    let json = r#"[{"dst":"default","gateway":"192.168.1.1","dev":"eth0","protocol":"dhcp","metric":100,"flags":[]},
        {"dst":"10.244.0.0/24","dev":"cni0","protocol":"kernel","scope":"link","prefsrc":"10.244.0.1","flags":["linkdown"]},
        {"type":"blackhole","dst":"10.244.9.0/26","protocol":"bird","flags":[]},
        {"type":"local","dst":"127.0.0.1","dev":"lo","table":"local","protocol":"kernel","scope":"host","prefsrc":"127.0.0.1","flags":[]},
        {"dst":"10.9.0.0/16","protocol":"static","metric":20,"flags":[],"nexthops":[{"gateway":"192.168.1.2","dev":"eth0","weight":1,"flags":[]},{"gateway":"192.168.1.3","dev":"eth1","weight":1,"flags":[]}]}]"#;
    assert_eq!(routes(text, Family::V4), routes(json, Family::V4));
    let text = "0:\tfrom all lookup local\n512:\tfrom all to 10.0.2.9 lookup main\n1536:\tfrom 10.0.2.0/24 lookup 2\n1999:\tnot from all fwmark 0xca6c/0xffff lookup 51820\n2000:\tfrom all iif eth1 unreachable\n32766:\tfrom all lookup main\n";
    let json = r#"[{"priority":0,"src":"all","table":"local"},{"priority":512,"src":"all","dst":"10.0.2.9","table":"main"},
        {"priority":1536,"src":"10.0.2.0","srclen":24,"table":"2"},
        {"priority":1999,"not":null,"src":"all","fwmark":"0xca6c","fwmask":"0xffff","table":"51820"},
        {"priority":2000,"src":"all","iif":"eth1","action":"unreachable"},{"priority":32766,"src":"all","table":"main"}]"#;
    assert_eq!(route_rules(text), route_rules(json));
    let text = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever\n7: veth1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP group default \n    link/ether 0a:58:0a:f4:01:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0\n    inet6 fe80::1/64 scope link \n";
    let found = links(text).expect("links");
    assert_eq!(found.len(), 2);
    assert_eq!(
        (
            found[1].name.as_str(),
            found[1].peer_index,
            found[1].master.as_deref(),
            found[1].mtu
        ),
        ("veth1", Some(2), Some("cni0"), 1450)
    );
    assert!(!found[1].addresses[0].is_global && found[1].is_up);
    let found = neighbours(
        "10.0.0.1 dev eth0 lladdr 52:54:00:12:34:56 REACHABLE\n10.0.0.2 dev eth0  FAILED\n",
    )
    .expect("neighbours");
    assert_eq!(found.len(), 2);
    for bad in [
        "Kernel IP routing table\nDestination Gateway\n",
        "ip: not found",
        "10.0.0.1",
    ] {
        assert!(
            routes(bad, Family::V4).is_err() || bad == "10.0.0.1",
            "{bad}"
        );
    }
}

#[test]
fn listings_of_ipvsadm_and_ipset() {
    let listing = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\nTCP  10.96.0.1:443 rr persistent 10800\n  -> 172.30.0.11:6443             Masq    1      0          0\nUDP  [fd00::a]:53 rr\n  -> [fd00:1::2]:53               Masq    0      0          0\nFWM  17 rr\n  -> 10.9.9.9:0                   Route   1      0          0\n";
    let saved = "-A -t 10.96.0.1:443 -s rr -p 10800\n-a -t 10.96.0.1:443 -r 172.30.0.11:6443 -m -w 1\n-A -u [fd00::a]:53 -s rr\n-a -u [fd00::a]:53 -r [fd00:1::2]:53 -m -w 0\n";
    assert_eq!(read_ipvs(listing), Ok(ipvs::virtual_servers(saved)));
    assert_eq!(read_ipvs(""), Ok(Vec::new()));
    for bad in [
        "TCP  node1:https rr\n  -> api:6443 Masq 1 0 0\n",
        "-A -t node1:https -s rr\n",
        "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  -> RemoteAddress:Port\nTCP  10.96.0.1:443                      5       9       0     540        0\n",
        "ipvsadm: command failed\n",
    ] {
        assert!(read_ipvs(bad).is_err(), "{bad}");
    }
    let listing = "Name: KUBE-CLUSTER-IP\nType: hash:ip,port\nRevision: 5\nHeader: family inet hashsize 1024 maxelem 65536\nSize in memory: 440\nReferences: 2\nNumber of entries: 2\nMembers:\n10.96.0.1,tcp:443\n10.96.0.10,udp:53\n\nName: N\nType: hash:net\nHeader: family inet6 hashsize 1024 maxelem 65536\nMembers:\nfd00::/8\nfd01::/16 nomatch\n";
    let saved = "create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem 65536\nadd KUBE-CLUSTER-IP 10.96.0.1,tcp:443\nadd KUBE-CLUSTER-IP 10.96.0.10,udp:53\ncreate N hash:net family inet6 hashsize 1024 maxelem 65536\nadd N fd00::/8\nadd N fd01::/16 nomatch\n";
    let found = read_ipset(listing).expect("a listing");
    let expected = ipset::ipsets(saved);
    assert_eq!(format!("{found:?}").len(), format!("{expected:?}").len());
    assert!(found["N"].columns == expected["N"].columns && !found["N"].is_v4);
    assert_eq!(found["KUBE-CLUSTER-IP"].elements.len(), 2);
    assert!(read_ipset("KUBE-CLUSTER-IP\nN\n").is_err());
}

#[test]
fn a_translation_whose_target_is_lost_is_not_understood() {
    let dump = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -d 10.96.0.1/32 -p tcp -j DNAT --to-destination :0 --persistent\n-A PREROUTING -d 10.96.0.2/32 -p tcp -j DNAT [unsupported revision]\nCOMMIT\n";
    let mut rules = Ruleset::default();
    read_iptables(&mut rules, dump, None, false).expect("a dump");
    let host = netpath::route::Host {
        addresses: Some(Vec::new()),
        ..netpath::route::Host::default()
    };
    for dst in ["10.96.0.1", "10.96.0.2"] {
        let packet = netpath::net::Packet::new(
            "10.244.1.9".parse().expect("an address"),
            dst.parse().expect("an address"),
            443,
            netpath::net::Protocol::Tcp,
        );
        let tracer = netpath::nat::eval::Tracer::new(&rules, &host);
        let answer = tracer.walk(&netpath::nat::eval::Question::incoming(packet, "cni0"));
        assert!(!answer.is_certain(), "{dst}: {answer:?}");
    }
}
