//! What kube-proxy ought to have written, against what it wrote and what a kernel did with it.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use netpath::nat::model::Ruleset;
use netpath::nat::proxy::{
    Detector, Expected, Footprint, Mode, NodePortAddresses, Origin, OriginKind, ProxySetup,
    SliceIndex, compare, covered, entries, expect,
};
use netpath::nat::read::{ipset::ipsets, ipvs::virtual_servers, read_iptables};
use netpath::net::parse_prefix;
use netpath::route::Host;
use serde_json::Value;

use crate::nat_corpus::{cases, host, question, rulesets};
use crate::support::corpus;

fn objects<T: serde::de::DeserializeOwned>(case: &Value, key: &str) -> Vec<T> {
    let all = case[key].as_array().into_iter().flatten();
    all.map(|one| serde_json::from_value(one.clone()).unwrap())
        .collect()
}

/// The proxier of a case, as its context says.
fn setup(case: &Value) -> ProxySetup {
    let context = &case["context"];
    let ips = |key: &str| -> Vec<std::net::IpAddr> {
        let all = context[key].as_array().into_iter().flatten();
        all.filter_map(|ip| ip.as_str()?.parse().ok()).collect()
    };
    let mode = Mode::of(case["mode"].as_str().unwrap()).unwrap();
    let primary = context["nodeIP"].as_str().and_then(|ip| ip.parse().ok());
    let listed = context["nodePortAddresses"].as_str().unwrap_or_default();
    let listed: Vec<_> = listed
        .trim_matches(['[', ']'])
        .split(' ')
        .filter_map(|net| parse_prefix(net).ok())
        .collect();
    ProxySetup {
        mode,
        node: context["nodeName"].as_str().unwrap().to_owned(),
        zone: None,
        node_ips: primary.into_iter().collect(),
        local: ips("nodeIPs"),
        detector: match context["localDetector"]["cidr"].as_str() {
            Some(cidr) => Detector::Cidrs(vec![cidr.parse().unwrap()]),
            None => Detector::None,
        },
        masquerade_all: context["masqueradeAll"] == true,
        node_port_addresses: if listed.is_empty() {
            mode.node_port_addresses()
        } else {
            NodePortAddresses::Within(listed)
        },
    }
}

const WITH_PACKETS: [&str; 4] = [
    "k8s-flows-iptables",
    "k8s-flows-nftables",
    "live-kubeproxy-iptables",
    "live-kubeproxy-nftables",
];

/// For every recorded packet to an address of a Service: what we expect is what happened.
#[test]
fn expectations_are_what_a_kernel_did() {
    let Some(root) = corpus("nat") else { return };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for name in WITH_PACKETS {
        for (file, case) in cases(&root.join(name)) {
            let (services, slices): (Vec<Service>, Vec<EndpointSlice>) =
                (objects(&case, "services"), objects(&case, "endpointslices"));
            let setup = setup(&case);
            let entries = entries(&services, &SliceIndex::new(&slices), &setup);
            for flow in case["flows"].as_array().unwrap() {
                let question = question(&flow["packet"]);
                let packet = question.packet;
                let found = entries.iter().find(|entry| {
                    (entry.address, entry.number, entry.protocol)
                        == (packet.dst, packet.dport, packet.protocol)
                });
                let Some(entry) = found else { continue };
                let is_node = question.in_interface.is_none();
                let origin = Origin {
                    kind: if is_node {
                        OriginKind::Node
                    } else {
                        OriginKind::Outside
                    },
                    ip: packet.src,
                    interface: question.in_interface.clone(),
                };
                count += 1;
                let live = &flow["live"];
                let endpoints: BTreeSet<String> = live["endpoints"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .cloned()
                    .collect();
                let actions: Vec<&str> = live["actions"]
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(String::as_str)
                    .collect();
                let expected = expect(entry, &origin, &setup);
                let right = match &expected {
                    Expected::Reject => actions == ["reject"],
                    Expected::Drop => actions == ["drop"],
                    Expected::Nothing => actions == ["forward"],
                    Expected::Forward(all) => {
                        let known: BTreeSet<String> = all.keys().map(ToString::to_string).collect();
                        let masquerade = all.iter().all(|(endpoint, masquerade)| {
                            let seen = live["endpoints_masquerade"].get(endpoint.to_string());
                            let seen = seen.or_else(|| {
                                endpoints
                                    .contains(&endpoint.to_string())
                                    .then(|| &live["masquerade"])
                            });
                            // The node's own address may be the one that masquerading would pick.
                            seen.is_none_or(|seen| {
                                let seen: Vec<bool> = seen
                                    .as_array()
                                    .unwrap()
                                    .iter()
                                    .filter_map(Value::as_bool)
                                    .collect();
                                is_node || masquerade.is_none_or(|wanted| seen == [wanted])
                            })
                        });
                        actions == ["dnat"]
                            && endpoints.is_subset(&known)
                            && masquerade
                            && (known.len() > 4 || endpoints == known)
                    }
                };
                if !right {
                    wrong.push(format!(
                        "{file} {} {entry}: {expected:?}\n   {live}",
                        flow["name"]
                    ));
                }
            }
        }
    }
    println!(
        "{count} packets to Services compared, {} wrong",
        wrong.len()
    );
    assert!(count > 1000);
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// Rules that kube-proxy wrote for just these objects show no difference at all.
#[test]
fn right_rules_show_no_difference() {
    let Some(root) = corpus("nat") else { return };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for name in WITH_PACKETS {
        for (file, case) in cases(&root.join(name)) {
            let host = Host {
                addresses: Some(setup(&case).local),
                ..Host::default()
            };
            for (dump, ruleset) in rulesets(&case) {
                let drift = drift(&case, &ruleset, &host);
                count += drift.entries;
                wrong.extend(
                    drift
                        .differences
                        .iter()
                        .map(|one| format!("{file} {dump}: {one:?}")),
                );
            }
        }
    }
    println!("{count} entries compared, {} differences", wrong.len());
    assert!(count > 300);
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

fn drift(case: &Value, ruleset: &Ruleset, host: &Host) -> netpath::nat::proxy::Drift {
    let (services, slices): (Vec<Service>, Vec<EndpointSlice>) =
        (objects(case, "services"), objects(case, "endpointslices"));
    let setup = setup(case);
    compare(
        &services,
        &SliceIndex::new(&slices),
        ruleset,
        host,
        &setup,
        &covered(ruleset, setup.mode),
    )
}

/// Every virtual server and every set is read, and the virtual servers are those of the Services.
#[test]
fn ipvs_states_are_read_and_match_their_services() {
    let Some(root) = corpus("nat") else { return };
    let (mut wrong, mut servers, mut sets, mut members) = (Vec::new(), 0, 0, 0);
    for (file, case) in cases(Path::new(&root.join("ipvs-states"))) {
        let dumps = &case["ruleset"];
        let mut ruleset = Ruleset::default();
        if let Some(text) = dumps["iptables_save_legacy"].as_str() {
            read_iptables(&mut ruleset, text, None, true).unwrap();
        }
        assert_eq!(ruleset.notes, Vec::<String>::new());
        let text = dumps["ipvsadm_save_n"].as_str().unwrap();
        let read = virtual_servers(text);
        let count = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
        let behind: usize = read.iter().map(|server| server.real_servers.len()).sum();
        assert_eq!((read.len(), behind), (count("-A "), count("-a ")), "{file}");
        servers += read.len();
        let recorded = case["virtual_servers"].as_array().unwrap();
        assert_eq!(recorded.len(), read.len(), "{file}");
        ruleset.virtual_servers = Some(read);
        if let Some(text) = dumps["ipset_save"].as_str() {
            let read = ipsets(text);
            let count = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
            let held: usize = read.values().map(|set| set.elements.len()).sum();
            assert_eq!(
                (read.len(), held),
                (count("create "), count("add ")),
                "{file}"
            );
            assert!(
                read.values()
                    .flat_map(|set| set.elements.data())
                    .all(|data| *data == netpath::nat::model::Data::None),
                "{file}"
            );
            sets += read.len();
            members += held;
            ruleset.ipsets = Some(read);
        }
        let mut host = host(&case["context"]);
        host.routing = None;
        let drift = drift(&case, &ruleset, &host);
        wrong.extend(
            drift
                .differences
                .iter()
                .map(|one| format!("{file}: {one:?}")),
        );
    }
    println!(
        "{servers} virtual servers, {sets} sets with {members} members, {} differences",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// The setup of kube-proxy can be read off its rules.
#[test]
fn the_detector_shows_in_the_rules() {
    let Some(root) = corpus("nat") else { return };
    for name in WITH_PACKETS {
        for (file, case) in cases(&root.join(name)) {
            for (dump, ruleset) in rulesets(&case) {
                let known = setup(&case);
                let footprint = Footprint::of(&ruleset);
                let has_services = footprint
                    .layers
                    .iter()
                    .any(|layer| layer.services > 0 && layer.entries > 0);
                let has_cluster_ips = case["services"].as_array().unwrap().len() > 1;
                let found = Detector::of_rules(&ruleset);
                if !known.masquerade_all
                    && has_services
                    && has_cluster_ips
                    && found != Detector::None
                {
                    assert_eq!(found, known.detector, "{file} {dump}");
                }
                if has_services {
                    assert_eq!(
                        footprint.mode(netpath::net::Family::V4),
                        Some(known.mode),
                        "{file} {dump}"
                    );
                    let jumps = footprint
                        .layers
                        .iter()
                        .flat_map(|layer| &layer.missing_jumps);
                    assert_eq!(jumps.count(), 0, "{file} {dump}");
                }
            }
        }
    }
}

/// Takes an endpoint out, puts a stale one in, and so on: each change shows as what it is.
#[test]
fn every_kind_of_difference_is_told() {
    let Some(root) = corpus("nat") else { return };
    let path = root.join("k8s-flows-iptables");
    let (_, case) = cases(&path)
        .into_iter()
        .find(|(name, _)| name == "TestExternalTrafficPolicyLocal.json")
        .unwrap();
    let text = case["ruleset"]["iptables_save_nft"].as_str().unwrap();
    let host = Host {
        addresses: Some(setup(&case).local),
        ..Host::default()
    };
    let told = |text: &str| -> BTreeSet<String> {
        let mut ruleset = Ruleset::default();
        read_iptables(&mut ruleset, text, None, false).unwrap();
        let drift = drift(&case, &ruleset, &host);
        drift
            .differences
            .iter()
            .map(|one| one.kind.name().to_owned())
            .collect()
    };
    let without = |part: &str| -> String {
        assert!(text.contains(part), "{part}");
        let kept = text.split_inclusive('\n');
        kept.filter(|line| !line.contains(part)).collect()
    };
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(told(text), set(&[]));
    assert_eq!(told(&without("-m statistic")), set(&["endpoint missing"]));
    assert_eq!(
        told(&text.replace(
            "--to-destination 10.180.0.1:80",
            "--to-destination 10.180.9.9:80"
        )),
        set(&["wrong DNAT target"])
    );
    assert_eq!(
        told(&without("cluster IP\" -m tcp --dport 80 -j KUBE-SVC")),
        set(&["service missing"])
    );
    assert_eq!(
        told(&text.replace("0.5000", "0.9000")),
        set(&["uneven shares"])
    );
    assert_eq!(
        told(&without("-j MASQUERADE")),
        set(&["masquerade missing"])
    );
    assert_eq!(
        told(&text.replace("! -s 10.0.0.0/8 -d 172.30.0.41/32", "-d 172.30.0.41/32")),
        set(&["masquerade unexpected"])
    );
    // Chains that nobody jumps to are normal; without them the Service is gone.
    let renamed = text.replace("-A KUBE-SVC-", "-A KUBE-SVC-GONE-");
    assert!(
        told(&renamed).contains("service missing"),
        "{:?}",
        told(&renamed)
    );
    let more = "-A KUBE-SERVICES -d 172.30.0.99/32 -p tcp -m tcp --dport 80 -j ACCEPT\n-A KUBE-SERVICES -m comment";
    let stale = text.replace("-A KUBE-SERVICES -m comment", more);
    assert_eq!(told(&stale), set(&["rules of no Service"]));
    let refused = without("cluster IP\" -m tcp --dport 80 -j KUBE-SVC").replacen(
        "COMMIT",
        "-A KUBE-SERVICES -d 172.30.0.41/32 -p tcp -m tcp --dport 80 -j REJECT\nCOMMIT",
        1,
    );
    assert_eq!(told(&refused), set(&["refused although endpoints exist"]));
}
