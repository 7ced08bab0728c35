//! Echo, packet sizes, routers on the way, who refused, and the facts of a node.

use std::net::{IpAddr, TcpListener};

use netpath::net::Family;
use netpath_protocol::{Failure, IcmpError, MtuReply, Outcome, TraceHop};

use super::ground::{Said, agent, at, chain, on_own_ground, sh};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn mtu_of(said: &Said, task: usize) -> &MtuReply {
    match said.outcome(task) {
        Outcome::PathMtu(reply) => reply,
        other => panic!("no size: {other:?}"),
    }
}

fn trace_of(said: &Said, task: usize) -> &[TraceHop] {
    match said.outcome(task) {
        Outcome::Trace(hops) => hops,
        other => panic!("no trace: {other:?}"),
    }
}

/// Rules for the packets that a place passes on.
fn forward(place: &str, rules: &str) {
    sh(&format!(
        "nsenter --net=/run/netns/{place} nft '
         table inet t {{
           chain c {{
             type filter hook forward priority 0
             {rules}
           }}
         }}'"
    ));
}

/// Waits until packets pass: a fresh link takes a moment to be known on both sides.
fn until_reached(place: &str, to: &str) {
    let echo =
        format!(r#"{{"kind":"echo","to":"{to}","attempts":1,"spacingMs":0,"timeoutMs":500}}"#);
    for _ in 0..20 {
        if agent(place, &echo).attempts(0)[0].error.is_none() {
            return;
        }
    }
    panic!("{to} is not reached");
}

on_own_ground! {
    /// Echo requests in both families; silence and errors are told apart.
    fn echo_requests() {
        chain(&["client", "router", "server"]);
        forward("router", "ip daddr 10.0.9.2 drop");
        sh("ip -n router route add unreachable 10.9.1.0/24
            ip -n client route add 10.9.0.0/16 via 10.0.1.2
            ip -n client route add 10.0.9.0/24 via 10.0.1.2
            ip -n router route add 10.0.9.0/24 via 10.0.2.2");
        let echo = |to: &str| {
            format!(r#"{{"kind":"echo","to":"{to}","attempts":2,"spacingMs":100,"timeoutMs":700}}"#)
        };
        until_reached("client", "fd00:2::2");
        let said = agent("client", &["10.0.2.2", "fd00:2::2", "10.9.1.1", "10.0.9.2"].map(echo).join(","));
        for task in [0, 1] {
            let attempts = said.attempts(task);
            assert_eq!(attempts.len(), 2);
            assert!(attempts.iter().all(|one| one.error.is_none() && one.received >= 64), "{attempts:?}");
        }
        let refused = &said.attempts(2)[0];
        assert_eq!(refused.error, Some(Failure::HostUnreachable));
        assert_eq!(refused.icmp.map(|icmp| icmp.from), Some(ip("10.0.1.2")));
        assert_eq!(said.attempts(3)[1].error, Some(Failure::Timeout));
    }
}

on_own_ground! {
    /// A limit that nobody tells of is found all the same; one that a router tells of names the router.
    fn the_largest_packet_that_passes() {
        chain(&["client", "router", "server"]);
        forward("router", "meta length > 1437 drop");
        let size = |to: &str| format!(r#"{{"kind":"pathMtu","to":"{to}","timeoutMs":300}}"#);
        let said = agent("client", &size("10.0.2.2:80"));
        let hole = mtu_of(&said, 0);
        assert_eq!(hole.interface, Some(1500));
        assert_eq!((hole.passed, hole.failed, hole.said_so), (Some(1437), Some(1438), false), "{hole:?}");
        assert!(hole.is_black_hole());
        sh("ip -n router link set server mtu 1400");
        until_reached("client", "fd00:2::2");
        let said = agent("client", &["[fd00:2::2]:80", "10.0.1.2:80"].map(size).join(","));
        let told = mtu_of(&said, 0);
        assert_eq!((told.passed, told.failed, told.said_so), (Some(1400), Some(1401), true), "{told:?}");
        assert_eq!(told.by, Some(ip("fd00:1::2")));
        let free = mtu_of(&said, 1);
        assert_eq!((free.passed, free.failed), (Some(1500), None), "{free:?}");
    }
}

on_own_ground! {
    /// Routers by name, over UDP and TCP, without any capability.
    fn routers_on_the_way() {
        chain(&["client", "one", "two", "server"]);
        let _open = at("server", || TcpListener::bind("10.0.3.2:80").expect("free"));
        forward("two", "tcp dport 90 reject with icmp type admin-prohibited");
        until_reached("client", "fd00:3::2");
        let trace = |to: &str, tcp: bool| {
            format!(r#"{{"kind":"trace","to":"{to}","tcp":{tcp},"maxHops":6,"timeoutMs":1000}}"#)
        };
        let tasks = [
            trace("10.0.3.2:33434", false),
            trace("10.0.3.2:80", true),
            trace("10.0.3.2:90", true),
            trace("[fd00:3::2]:33434", false),
        ];
        let said = agent("client", &tasks.join(","));
        let expected = [
            ["10.0.1.2", "10.0.2.2", "10.0.3.2"],
            ["10.0.1.2", "10.0.2.2", "10.0.3.2"],
            ["10.0.1.2", "10.0.2.2", "10.0.2.2"],
            ["fd00:1::2", "fd00:2::2", "fd00:3::2"],
        ];
        for (task, expected) in expected.iter().enumerate() {
            let hops = trace_of(&said, task);
            let names: Vec<String> =
                hops.iter().map(|hop| hop.address.map_or_else(String::new, |ip| ip.to_string())).collect();
            assert_eq!(names, expected, "{hops:?}");
            assert_eq!(hops[2].arrived, task != 2);
            let refusal = hops[2].icmp.map(|icmp| icmp.words());
            assert_eq!(refusal, (task == 2).then_some("administratively prohibited"));
        }
    }
}

on_own_ground! {
    /// A refused connection names who refused: the pod itself resets, a firewall sends ICMP.
    fn who_refuses_a_connection() {
        chain(&["client", "router", "server"]);
        forward("router", "tcp dport 90 reject with icmpx type port-unreachable");
        until_reached("client", "fd00:2::2");
        let connect = |to: &str| {
            format!(r#"{{"kind":"connect","to":"{to}","attempts":1,"spacingMs":0,"timeoutMs":2000,"untilOpen":true}}"#)
        };
        let addresses = ["10.0.2.2:90", "10.0.2.2:81", "[fd00:2::2]:90", "[fd00:2::2]:81"];
        let said = agent("client", &addresses.map(connect).join(","));
        let by = |task: usize| -> Option<IcmpError> {
            let attempt = &said.attempts(task)[0];
            assert_eq!(attempt.error, Some(Failure::Refused), "{task}");
            attempt.icmp
        };
        assert_eq!(by(0).map(|icmp| icmp.from), Some(ip("10.0.1.2")));
        assert_eq!(by(1), None);
        assert_eq!(by(2).map(|icmp| icmp.from), Some(ip("fd00:1::2")));
        assert_eq!(by(3), None);
    }
}

on_own_ground! {
    /// What the agent gathers is what the readers of snapshots understand.
    fn facts_of_a_node() {
        chain(&["node", "peer"]);
        forward("node", "tcp dport 90 drop;");
        sh("ip -n node link add br0 type bridge
            ip -n node link add v1 type veth peer name v2
            ip -n node link set v1 master br0
            ip -n node link set br0 up; ip -n node link set v1 up
            ip -n node link set v1 type bridge_slave hairpin on
            ip -n node link add vx type vxlan id 7 local 10.0.1.1 dstport 8472 nolearning
            ip -n node link set vx up
            bridge -n node fdb append 0a:58:0a:f4:02:00 dev vx dst 10.0.1.2
            ip -n node route add blackhole 10.66.0.0/16
            ip -n node route add 10.77.0.0/16 via 10.0.1.2 table 99 metric 5
            ip -n node rule add fwmark 0x80/0xf0 lookup 99 priority 77
            ip -n node neigh add 10.0.1.9 lladdr 02:00:00:00:00:09 dev peer nud permanent");
        let said = agent("node", r#"{"kind":"nodeFacts"}"#);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
        assert!(said.hello.capabilities.iter().any(|name| name == "NET_ADMIN"), "{:?}", said.hello);
        let fact = |name: &str| said.fact(name).unwrap_or_else(|why| panic!("{name}: {why}"));
        let links = netpath::facts::links(&fact("ip-addr.json")).expect("links");
        let tunnel = links.iter().find_map(|link| link.overlay()).expect("the tunnel");
        assert_eq!((tunnel.id, tunnel.port, tunnel.local), (Some(7), Some(8472), Some(ip("10.0.1.1"))));
        let ports = netpath::facts::bridge_ports(&fact("bridge-link.json")).expect("ports");
        assert_eq!(ports.len(), 1);
        assert_eq!((ports[0].device.as_str(), ports[0].bridge.as_str(), ports[0].hairpin), ("v1", "br0", Some(true)));
        let routes = netpath::facts::routes(&fact("ip-route.json"), Family::V4).expect("routes");
        let own = |net: &str| routes.iter().find(|route| route.destination.to_string() == net).expect("the route");
        assert_eq!(own("10.66.0.0/16").kind, netpath::facts::RouteKind::Blackhole);
        let far = own("10.77.0.0/16");
        assert_eq!((far.table.0, far.metric, far.hops[0].gateway), (99, 5, Some(ip("10.0.1.2"))));
        assert_eq!(far.hops[0].device, "peer");
        let rules = netpath::facts::route_rules(&fact("ip-rule.json")).expect("rules");
        let marked = rules.iter().find(|rule| rule.priority == 77).expect("the rule");
        assert_eq!((marked.mark, marked.opaque.as_deref()), (Some((0x80, 0xf0)), None));
        let neighbours = netpath::facts::neighbours(&fact("ip-neigh.json")).expect("neighbours");
        let nine = neighbours.iter().find(|one| one.ip == ip("10.0.1.9")).expect("the neighbour");
        assert_eq!((nine.state, nine.device.as_str()), (netpath::facts::NeighbourState::Permanent, "peer"));
        let entries = netpath::facts::forwarding_entries(&fact("bridge-fdb.json")).expect("entries");
        let entry = entries.iter().find(|one| one.mac == "0a:58:0a:f4:02:00").expect("the entry");
        assert_eq!((entry.destination, entry.device.as_str()), (Some(ip("10.0.1.2")), "vx"));
        assert!(fact("sysctl.txt").contains("net.ipv4.ip_forward = 1"));
        assert!(fact("nft-ruleset.json").contains("\"rule\""));
        assert!(said.fact("proxy-mode.txt").is_err_and(|why| why.contains("kube-proxy")));
        assert!(netpath::facts::routes(&fact("ip6-route.json"), Family::V6).is_ok_and(|all| !all.is_empty()));
    }
}
