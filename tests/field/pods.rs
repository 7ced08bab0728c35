//! The pods' own networks, at both ends, with the real packet.

use super::{Case, GREEN, OPEN, RED, case, check};
use crate::nodes::{ask, pod, recording, replace, replace_first};
use netpath::cluster::snapshot;

const TO_POD: &[&str] = &["pod/client-1", "pod/api-54dbf8cbb5-jf4st:9090"];
const OUT: &str = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n";

#[test]
fn routes_and_rules_of_both_pods() {
    check(&[
        case(
            "the client has no default route",
            RED,
            &["SRC-10"],
            |view| {
                let facts = pod(view, "client-1");
                replace_first(
                    &mut facts.routes,
                    "{\"dst\":\"default\",\"gateway\":\"10.244.1.1\",\"dev\":\"eth0\",\"flags\":[]},",
                    "",
                );
            },
        ),
        Case {
            args: TO_POD,
            ..case(
                "the server has no default route",
                RED,
                &["SRC-10"],
                |view| {
                    let facts = pod(view, "api-54dbf8cbb5-jf4st");
                    replace_first(
                        &mut facts.routes,
                        "{\"dst\":\"default\",\"gateway\":\"10.244.2.1\",\"dev\":\"eth0\",\"flags\":[]},",
                        "",
                    );
                },
            )
        },
        case("a rule of OUTPUT in the client", RED, &["DST-05"], |view| {
            let rules = format!(
                "{OUT}-A OUTPUT -d 10.96.0.0/12 -p tcp -m tcp --dport 8080 -j DROP\nCOMMIT\n"
            );
            pod(view, "client-1").iptables = Some(rules);
        }),
        case(
            "a rule of OUTPUT that names the client",
            RED,
            &["DST-05"],
            |view| {
                let rules = format!(
                    "{OUT}-A OUTPUT -s 10.244.1.9/32 -d 10.96.6.170/32 -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n"
                );
                pod(view, "client-1").iptables = Some(rules);
            },
        ),
        Case {
            args: TO_POD,
            ..case(
                "a rule of INPUT that names the client",
                RED,
                &["DST-05"],
                |view| {
                    let rules = format!(
                        "{OUT}-A INPUT -s 10.244.1.0/24 -p tcp -m tcp --dport 9090 -j DROP\nCOMMIT\n"
                    );
                    pod(view, "api-54dbf8cbb5-jf4st").iptables = Some(rules);
                },
            )
        },
        Case {
            args: TO_POD,
            ..case(
                "a rule of INPUT that names somebody else",
                GREEN,
                &[],
                |view| {
                    let rules = format!(
                        "{OUT}-A INPUT -s 10.244.7.0/24 -p tcp -m tcp --dport 9090 -j DROP\nCOMMIT\n"
                    );
                    pod(view, "api-54dbf8cbb5-jf4st").iptables = Some(rules);
                },
            )
        },
        Case {
            args: TO_POD,
            ..case(
                "the server's answers are dropped",
                RED,
                &["DST-05"],
                |view| {
                    let rules = format!(
                        "{OUT}-A OUTPUT -d 10.244.1.9/32 -p tcp -m tcp --sport 9090 -j DROP\nCOMMIT\n"
                    );
                    pod(view, "api-54dbf8cbb5-jf4st").iptables = Some(rules);
                },
            )
        },
    ]);
}

#[test]
fn what_the_client_says_of_itself() {
    check(&[
        case(
            "the client has another address than its status",
            RED,
            &["DST-09"],
            |view| {
                replace(
                    &mut pod(view, "client-1").addresses,
                    "10.244.1.9",
                    "10.244.1.88",
                );
            },
        ),
        case(
            "a mesh that redirects what the pod sends",
            GREEN,
            &[],
            |view| {
                let rules = "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n:ISTIO_OUTPUT - [0:0]\n:ISTIO_REDIRECT - [0:0]\n-A OUTPUT -p tcp -j ISTIO_OUTPUT\n-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN\n-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN\n-A ISTIO_OUTPUT -j ISTIO_REDIRECT\n-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001\nCOMMIT\n";
                pod(view, "client-1").iptables = Some(rules.to_owned());
            },
        ),
        case("the client's routes cut off", OPEN, &[], |view| {
            let routes = &mut pod(view, "client-1").routes;
            let text = routes.as_mut().expect("routes");
            text.truncate(text.len() / 2);
        }),
        case("an empty listing of routes", GREEN, &[], |view| {
            pod(view, "client-1").routes = Some(String::new());
        }),
    ]);
}

/// What was looked at is not listed as not looked at.
#[test]
fn sockets_that_were_read_are_not_left_open() {
    let Some(folder) = recording("ok-pod-to-service") else {
        return;
    };
    let view = snapshot::load(&folder).expect("a recording");
    let report = ask(&view, &["pod/client-1", "svc/api"]);
    let open = &report.not_looked_at;
    assert!(!open.iter().any(|one| one.contains("listens")), "{open:?}");
}
