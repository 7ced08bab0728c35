//! The target parser against the language spelled out, and against mangled text.

use std::net::IpAddr;

use netpath::target::{Kind, PortSpec, Spec, Target};
use proptest::prelude::*;

/// Every spelling of a kind that design and kubectl know.
const KINDS: [(&str, Kind); 41] = [
    ("pod", Kind::Pod),
    ("pods", Kind::Pod),
    ("po", Kind::Pod),
    ("svc", Kind::Service),
    ("service", Kind::Service),
    ("services", Kind::Service),
    ("deploy", Kind::Deployment),
    ("deployment", Kind::Deployment),
    ("deployments", Kind::Deployment),
    ("deployments.apps", Kind::Deployment),
    ("deployment.v1.apps", Kind::Deployment),
    ("sts", Kind::StatefulSet),
    ("statefulset", Kind::StatefulSet),
    ("statefulsets", Kind::StatefulSet),
    ("ds", Kind::DaemonSet),
    ("daemonset", Kind::DaemonSet),
    ("daemonsets", Kind::DaemonSet),
    ("rs", Kind::ReplicaSet),
    ("replicaset", Kind::ReplicaSet),
    ("replicasets", Kind::ReplicaSet),
    ("job", Kind::Job),
    ("jobs", Kind::Job),
    ("cj", Kind::CronJob),
    ("cronjob", Kind::CronJob),
    ("cronjobs", Kind::CronJob),
    ("node", Kind::Node),
    ("nodes", Kind::Node),
    ("no", Kind::Node),
    ("ing", Kind::Ingress),
    ("ingress", Kind::Ingress),
    ("ingresses", Kind::Ingress),
    ("gateway", Kind::Gateway),
    ("gateways", Kind::Gateway),
    ("gtw", Kind::Gateway),
    ("httproute", Kind::HttpRoute),
    ("httproutes", Kind::HttpRoute),
    ("Pod", Kind::Pod),
    ("SVC", Kind::Service),
    ("Deployment", Kind::Deployment),
    ("services.v1.", Kind::Service),
    ("pods.v1.", Kind::Pod),
];
const NAMES: [&str; 4] = ["a", "web-0", "x9", "0a"];

fn ports() -> [(String, Option<PortSpec>); 4] {
    let number = |number: u16| (format!(":{number}"), Some(PortSpec::Number(number)));
    [
        (String::new(), None),
        number(1),
        number(65535),
        (":http".to_owned(), Some(PortSpec::Name("http".to_owned()))),
    ]
}

/// The whole language over a small vocabulary, each word with what it means.
fn language() -> Vec<(String, Spec, Option<PortSpec>)> {
    let mut words = Vec::new();
    for (port_text, port) in ports() {
        for name in NAMES {
            let bare = Spec::Bare(name.to_owned());
            words.push((format!("{name}{port_text}"), bare, port.clone()));
            for (spelling, kind) in KINDS {
                for namespace in [None, Some("shop")] {
                    let prefix = namespace.map_or_else(String::new, |name| format!("{name}/"));
                    let spec = Spec::Object {
                        kind,
                        namespace: namespace.map(str::to_owned),
                        name: name.to_owned(),
                    };
                    let text = format!("{prefix}{spelling}/{name}{port_text}");
                    words.push((text, spec, port.clone()));
                }
            }
        }
        let named = matches!(port, Some(PortSpec::Name(_)));
        for address in ["10.0.0.1", "fd00::1", "::"] {
            let ip: IpAddr = address.parse().expect("an address");
            let text = match (port.is_some(), ip) {
                (true, IpAddr::V6(_)) => format!("[{address}]{port_text}"),
                _ => format!("{address}{port_text}"),
            };
            if !named {
                let spec = Spec::Address(ip);
                words.push((format!("ip/{text}"), spec.clone(), port.clone()));
                words.push((text, spec, port.clone()));
            }
        }
        for host in ["shop.example", "api", "db-0.db.data"] {
            let spec = Spec::Name(host.to_owned());
            words.push((format!("dns/{host}{port_text}"), spec, port.clone()));
        }
    }
    words.push(("external".to_owned(), Spec::External(None), None));
    let client = Spec::External(Some([192, 0, 2, 1].into()));
    words.push(("external/192.0.2.1".to_owned(), client, None));
    words
}

#[test]
fn every_word_of_the_language_means_what_it_says() {
    for (text, spec, port) in language() {
        let target: Target = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((&target.spec, &target.port), (&spec, &port), "{text}");
        let again: Target = target
            .to_string()
            .parse()
            .unwrap_or_else(|error| panic!("{text} prints as {target}: {error}"));
        assert_eq!(again, target, "{text} prints as {target}");
    }
}

/// Pieces that meet in targets, rightly or wrongly.
const PIECES: [&str; 22] = [
    "pod", "svc", "shop", "web-0", "/", "//", ":", "80", "0", "65536", "http", "[", "]", "fd00::1",
    "10.0.0.1", ".", "dns", "ip", "external", "://", "%", "Ä",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Mangled text is refused with a way out, or means something that prints back to itself.
    #[test]
    fn mangled_text_is_refused_or_stable(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..8),
    ) {
        let text = pieces.concat();
        match text.parse::<Target>() {
            Ok(target) => {
                let printed = target.to_string();
                let again = printed.parse::<Target>();
                prop_assert_eq!(again.as_ref(), Ok(&target), "{} prints as {}", text, printed);
            }
            Err(error) => {
                prop_assert!(!error.problem.is_empty() && !error.hint.is_empty(), "{}", text);
            }
        }
    }

    #[test]
    fn any_text_at_all_is_survived(text in "\\PC{0,40}") {
        let _ = text.parse::<Target>();
    }
}
