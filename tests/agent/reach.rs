//! Which cause shows as which failure, and when: connections and datagrams.

use std::net::{TcpListener, UdpSocket};

use netpath_protocol::{Failure, Outcome};

use super::ground::{Said, agent, at, chain, on_own_ground, sh, told};

fn connect(to: &str, timeout_ms: u32) -> String {
    format!(
        r#"{{"kind":"connect","to":"{to}","attempts":1,"spacingMs":0,"timeoutMs":{timeout_ms},"untilOpen":true}}"#
    )
}

fn udp(to: &str, timeout_ms: u32) -> String {
    format!(
        r#"{{"kind":"udp","to":"{to}","payload":"6e6574","attempts":1,"spacingMs":0,"timeoutMs":{timeout_ms}}}"#
    )
}

/// Connects once to each address, and expects a failure in a second after the start.
fn expect_connects(place: &str, cases: &[(&str, Option<Failure>, u64)]) -> Said {
    let tasks: Vec<String> = cases.iter().map(|(to, ..)| connect(to, 5000)).collect();
    let said = agent(place, &tasks.join(","));
    for (number, (to, failure, seconds)) in cases.iter().enumerate() {
        let (found, after) = told(&said.attempts(number)[0]);
        assert_eq!(found, *failure, "{to} after {after} ms");
        let expected = seconds * 1000..seconds * 1000 + 900;
        assert!(expected.contains(&after), "{to} after {after} ms");
    }
    said
}

/// A rule for every packet that the router passes on to a port.
fn filter(place: &str, hook: &str, rules: &[(&str, &str)]) {
    let mut script =
        format!("nft -f - <<E\ntable inet t {{ chain c {{ type filter hook {hook} priority 0;\n");
    for (matched, verdict) in rules {
        script += &format!("{matched} {verdict}\n");
    }
    script += "}\n}\nE\n";
    sh(&format!(
        "nsenter --net=/run/netns/{place} sh -euc '{script}'"
    ));
}

on_own_ground! {
    /// The measured table of errors over IPv4 and TCP.
    fn causes_over_tcp() {
        chain(&["client", "router", "server"]);
        let _open = at("server", || TcpListener::bind("10.0.2.2:80").unwrap());
        let _loopback = at("server", || TcpListener::bind("127.0.0.1:81").unwrap());
        filter("router", "forward", &[
            ("tcp dport 90", "reject with icmp type port-unreachable"),
            ("tcp dport 91", "reject with tcp reset"),
            ("tcp dport 92", "reject with icmp type host-prohibited"),
            ("tcp dport 93", "reject with icmp type admin-prohibited"),
            ("tcp dport 94", "drop"),
        ]);
        filter("client", "output", &[("tcp dport 95", "drop")]);
        let cases = [
            ("10.0.2.2:80", None, 0),
            ("10.0.2.2:81", Some(Failure::Refused), 0),
            ("10.0.2.2:82", Some(Failure::Refused), 0),
            ("10.0.2.2:90", Some(Failure::Refused), 0),
            ("10.0.2.2:91", Some(Failure::Refused), 0),
            ("10.0.2.2:92", Some(Failure::HostUnreachable), 0),
            ("10.0.2.2:93", Some(Failure::HostUnreachable), 0),
            ("10.0.2.2:94", Some(Failure::Timeout), 5),
            ("10.0.2.2:95", Some(Failure::Timeout), 5),
            // Nobody has this address: the neighbour is asked three times, a second apart.
            ("10.0.1.99:80", Some(Failure::HostUnreachable), 3),
        ];
        let said = expect_connects("client", &cases);
        let local = said.attempts(7)[0].local.expect("a source is picked at once");
        assert_eq!(local.ip().to_string(), "10.0.1.1");
    }
}

on_own_ground! {
    /// Routes that lead nowhere. Apart from the rejected packets: the kernel counts both kinds of
    /// errors to a host against one limit, so that one kind would silence the other.
    fn routes_that_lead_nowhere() {
        chain(&["client", "router"]);
        sh("ip -n router route add unreachable 10.9.1.0/24
            ip -n router route add prohibit 10.9.2.0/24
            ip -n router route add blackhole 10.9.3.0/24
            ip -n client route add 10.9.0.0/16 via 10.0.1.2
            ip -n client route add blackhole 10.8.1.0/24
            ip -n client route add prohibit 10.8.2.0/24");
        expect_connects("client", &[
            ("10.9.1.1:80", Some(Failure::HostUnreachable), 0),
            ("10.9.2.1:80", Some(Failure::HostUnreachable), 0),
            ("10.9.3.1:80", Some(Failure::Timeout), 5),
            ("10.9.4.1:80", Some(Failure::NetUnreachable), 0),
            ("10.7.0.1:80", Some(Failure::NetUnreachable), 0),
            ("10.8.1.1:80", Some(Failure::Other { text: "EINVAL".into() }), 0),
            ("10.8.2.1:80", Some(Failure::Denied), 0),
        ]);
    }
}

on_own_ground! {
    /// IPv6 names the same causes differently.
    fn causes_over_tcp_and_ipv6() {
        chain(&["client", "router", "server"]);
        let _open = at("server", || TcpListener::bind("[fd00:2::2]:80").unwrap());
        filter("router", "forward", &[
            ("tcp dport 90", "reject with icmpv6 type port-unreachable"),
            ("tcp dport 91", "reject with icmpv6 type admin-prohibited"),
            ("tcp dport 92", "reject with icmpv6 type addr-unreachable"),
            ("tcp dport 93", "reject with icmpv6 type no-route"),
            ("tcp dport 94", "drop"),
        ]);
        let cases = [
            ("[fd00:2::2]:80", None),
            ("[fd00:2::2]:81", Some(Failure::Refused)),
            ("[fd00:2::2]:90", Some(Failure::Refused)),
            ("[fd00:2::2]:91", Some(Failure::Denied)),
            ("[fd00:2::2]:92", Some(Failure::HostUnreachable)),
            ("[fd00:2::2]:93", Some(Failure::NetUnreachable)),
            ("[fd00:2::2]:94", Some(Failure::Timeout)),
            ("[fd00:9::2]:80", Some(Failure::NetUnreachable)),
        ];
        let tasks: Vec<String> = cases.iter().map(|(to, ..)| connect(to, 2500)).collect();
        let said = agent("client", &tasks.join(","));
        for (number, (to, failure)) in cases.iter().enumerate() {
            let (found, after) = told(&said.attempts(number)[0]);
            assert_eq!(found, *failure, "{to} after {after} ms");
        }
    }
}

on_own_ground! {
    /// Datagrams: the error queue tells what an ordinary socket never hears.
    fn causes_over_udp() {
        chain(&["client", "router", "server"]);
        let echo = at("server", || UdpSocket::bind("10.0.2.2:80").unwrap());
        std::thread::spawn(move || {
            let mut room = [0; 64];
            while let Ok((length, from)) = echo.recv_from(&mut room) {
                let _ = echo.send_to(&room[..length - 1], from);
            }
        });
        filter("router", "forward", &[
            ("udp dport 90", "reject with icmp type port-unreachable"),
            ("udp dport 91", "reject with icmp type host-unreachable"),
            ("udp dport 92", "reject with icmp type net-unreachable"),
            ("udp dport 93", "reject with icmp type admin-prohibited"),
            ("udp dport 94", "drop"),
        ]);
        filter("client", "output", &[("udp dport 95", "drop")]);
        let server = Some(("10.0.2.2", 3, 3));
        let router = |code| Some(("10.0.1.2", 3, code));
        let cases = [
            ("10.0.2.2:80", None, None, 0),
            ("10.0.2.2:81", Some(Failure::Refused), server, 0),
            ("10.0.2.2:90", Some(Failure::Refused), router(3), 0),
            ("10.0.2.2:91", Some(Failure::HostUnreachable), router(1), 0),
            ("10.0.2.2:92", Some(Failure::NetUnreachable), router(0), 0),
            ("10.0.2.2:93", Some(Failure::HostUnreachable), router(13), 0),
            ("10.0.2.2:94", Some(Failure::Timeout), None, 4),
            ("10.0.2.2:95", Some(Failure::Denied), None, 0),
            ("10.0.1.99:80", Some(Failure::HostUnreachable), Some(("10.0.1.1", 3, 1)), 3),
        ];
        let tasks: Vec<String> = cases.iter().map(|(to, ..)| udp(to, 4000)).collect();
        let said = agent("client", &tasks.join(","));
        for (number, (to, failure, icmp, seconds)) in cases.iter().enumerate() {
            let attempt = &said.attempts(number)[0];
            let (found, after) = told(attempt);
            assert_eq!(found, *failure, "{to} after {after} ms");
            assert!((seconds * 1000..seconds * 1000 + 900).contains(&after), "{to} after {after} ms");
            let heard = attempt.icmp.map(|icmp| (icmp.from.to_string(), icmp.icmp_type, icmp.code));
            let expected = icmp.map(|(from, kind, code): (&str, u8, u8)| (from.to_owned(), kind, code));
            assert_eq!(heard, expected, "{to}");
        }
        assert_eq!(said.attempts(0)[0].received, 2);
    }
}

on_own_ground! {
    /// A path that loses large packets: the connection opens, and then nothing comes.
    fn a_black_hole_for_large_packets() {
        chain(&["client", "router", "server"]);
        filter("router", "forward", &[("meta length > 1300", "drop")]);
        let listener = at("server", || TcpListener::bind("10.0.2.2:80").unwrap());
        std::thread::spawn(move || super::servers::http(&listener, 200_000));
        let http = |padding: u32, path: &str| {
            format!(
                r#"{{"kind":"http","to":"10.0.2.2:80","host":"x","path":"{path}","tls":false,"padding":{padding},"timeoutMs":2500}}"#
            )
        };
        let said = agent("client", &[http(0, "/small"), http(0, "/large"), http(5000, "/small")].join(","));
        let replies: Vec<_> = (0..3)
            .map(|task| match said.outcome(task) {
                Outcome::Http(reply) => reply,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((replies[0].status, &replies[0].error), (Some(204), &None));
        assert_eq!(replies[0].unacknowledged, Some(0));
        // Asked, and heard: the answer is what does not come.
        assert!(replies[1].connect_us.is_some() && replies[1].received < 1300);
        assert_eq!((&replies[1].error, replies[1].unacknowledged), (&Some(Failure::Timeout), Some(0)));
        // The request itself never arrives as a whole.
        assert_eq!((replies[2].status, &replies[2].error), (None, &Some(Failure::Timeout)));
        assert!(replies[2].unacknowledged > Some(1000), "{:?}", replies[2]);
    }
}
