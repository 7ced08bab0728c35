//! The evaluator against what a kernel did with the same rules and packets.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use netpath::facts::{links, routes};
use netpath::nat::eval::{Answer, Fate, Question, Tracer};
use netpath::nat::model::Ruleset;
use netpath::nat::read::{ipset::ipsets, read_iptables, read_nft};
use netpath::net::{Family, Packet};
use netpath::route::{Host, Routing};
use serde_json::Value;

use crate::support::corpus;

/// The namespace that the packets were sent through (README of the corpus), as `ip -j addr` and
/// `ip -j route` print it.
pub fn namespace(context: &Value) -> (Value, Value) {
    let mut outside = vec![
        ("192.168.0.2", 24),
        ("192.168.1.2", 24),
        ("192.168.99.11", 24),
        ("2001:db8::1", 64),
        ("2001:db8:1::2", 64),
    ];
    let node_ips = context["nodeIPs"].as_array().into_iter().flatten();
    for ip in node_ips.filter_map(Value::as_str) {
        if !outside.iter().any(|(own, _)| *own == ip) {
            outside.push((ip, if ip.contains(':') { 128 } else { 32 }));
        }
    }
    let info = |addresses: &[(&str, u8)]| -> Vec<Value> {
        addresses
            .iter()
            .map(|(ip, prefix)| serde_json::json!({"local": ip, "prefixlen": prefix, "scope": "global"}))
            .collect()
    };
    let link = |name: &str, addresses: &[(&str, u8)]| {
        serde_json::json!({"ifname": name, "flags": ["UP", "LOWER_UP"], "mtu": 1500,
            "linkinfo": {"info_kind": "tun"}, "addr_info": info(addresses)})
    };
    let links = serde_json::json!([
        link("lo", &[("127.0.0.1", 8), ("::1", 128)]),
        link("pod0", &[("10.99.99.99", 32), ("fd00:10::9999", 128)]),
        link("ext0", &outside),
    ]);
    let table = serde_json::json!([
        {"dst": "10.0.0.0/8", "dev": "pod0"}, {"dst": "fd00:10::/64", "dev": "pod0"},
        {"dst": "0.0.0.0/0", "dev": "ext0"}, {"dst": "::/0", "dev": "ext0"}]);
    (links, table)
}

/// The same, read.
pub fn host(context: &Value) -> Host {
    let (all, table) = namespace(context);
    Host {
        links: Some(links(&all.to_string()).unwrap()),
        addresses: None,
        routing: Some(Routing::new(
            routes(&table.to_string(), Family::V4).unwrap(),
            Vec::new(),
        )),
    }
}

/// Every way that one case's rules can be given.
pub fn rulesets(case: &Value) -> Vec<(&'static str, Ruleset)> {
    let dumps = &case["ruleset"];
    let mut all = Vec::new();
    for (name, legacy) in [("iptables_save_nft", false), ("iptables_save_legacy", true)] {
        if let Some(text) = dumps[name].as_str() {
            let mut ruleset = Ruleset::default();
            read_iptables(&mut ruleset, text, None, legacy).unwrap();
            all.push((name, ruleset));
        }
    }
    if case["mode"] == "nftables" {
        let mut ruleset = Ruleset::default();
        read_nft(&mut ruleset, dumps["nft_json"].to_string()).unwrap();
        all.push(("nft_json", ruleset));
    }
    for (_, ruleset) in &mut all {
        ruleset.ipsets = dumps["ipset_save"].as_str().map(ipsets);
    }
    all
}

pub fn question(packet: &Value) -> Question {
    let text = |key: &str| packet[key].as_str().unwrap();
    let packet = Packet::new(
        text("src").parse().unwrap(),
        text("dst").parse().unwrap(),
        packet["dport"].as_u64().unwrap().try_into().unwrap(),
        text("proto").parse().unwrap(),
    );
    match text_of_interface(text("in_iface")) {
        None => Question::made_here(packet),
        Some(interface) => Question::incoming(packet, interface),
    }
}

fn text_of_interface(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

/// What the answer says in the words of the recordings.
#[derive(Debug, Default, PartialEq)]
struct Said {
    actions: BTreeSet<&'static str>,
    /// Endpoint to whether its source is rewritten.
    endpoints: BTreeMap<String, BTreeSet<bool>>,
    masquerade: BTreeSet<bool>,
}

fn said(question: &Question, answer: &Answer) -> Said {
    let mut said = Said::default();
    for outcome in &answer.outcomes {
        let packet = outcome.packet;
        said.actions.insert(match &outcome.fate {
            Fate::Drop => "drop",
            // A reset looks the same from outside, whoever sends it.
            Fate::Reject(with) if &**with == "tcp-reset" => "local",
            Fate::Reject(_) => "reject",
            Fate::Unknown(_) => "unknown",
            Fate::Deliver => "local",
            Fate::Forward(_) if outcome.translated => "dnat",
            Fate::Forward(_) => "forward",
        });
        if matches!(outcome.fate, Fate::Forward(_)) {
            let rewritten = packet.src != question.packet.src;
            said.masquerade.insert(rewritten);
            if outcome.translated {
                let endpoint = std::net::SocketAddr::new(packet.dst, packet.dport);
                said.endpoints
                    .entry(endpoint.to_string())
                    .or_default()
                    .insert(rewritten);
            }
        }
    }
    if !answer.doubts.is_empty() {
        said.actions.insert("unknown");
    }
    said
}

fn bools(value: &Value) -> BTreeSet<bool> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(Value::as_bool).collect()
}

fn recorded(live: &Value) -> Said {
    let mut said = Said::default();
    for action in live["actions"].as_object().unwrap().keys() {
        said.actions.insert(match action.as_str() {
            "dnat" => "dnat",
            "forward" => "forward",
            "local" => "local",
            "drop" => "drop",
            "reject" => "reject",
            other => panic!("{other}"),
        });
    }
    said.masquerade = bools(&live["masquerade"]);
    for endpoint in live["endpoints"].as_object().into_iter().flatten() {
        let rewritten = live["endpoints_masquerade"].get(endpoint.0);
        let rewritten = rewritten.map_or_else(|| said.masquerade.clone(), bools);
        said.endpoints.insert(endpoint.0.clone(), rewritten);
    }
    said
}

/// Cases where the kernel chooses by a hash of the packet with a seed of its own.
const BY_HASH: [&str; 2] = ["dnat-range", "nft-jhash"];

/// Whether the recording is a sample of the answer: the same actions, no endpoint that we do not
/// know, and none missing that 24 to 60 packets would surely have hit. A choice by hash is the same
/// for all packets of one source, so one of its endpoints is all that can show.
fn agree(test: &str, ours: &Said, theirs: &Said, answer: &Answer, live: &Value) -> bool {
    let packets = live["packets"].as_f64().unwrap_or(1.0);
    let by_hash = BY_HASH.contains(&test);
    let plausible = ours.endpoints.iter().all(|(endpoint, _)| {
        let chance: f64 = answer
            .outcomes
            .iter()
            .filter(|one| {
                std::net::SocketAddr::new(one.packet.dst, one.packet.dport).to_string() == *endpoint
            })
            .filter_map(|one| one.probability)
            .sum();
        let hits = live["endpoints"][endpoint].as_f64().unwrap_or_default();
        let (expected, n) = (chance * packets, packets);
        let spread = (n * chance * (1.0 - chance)).sqrt();
        by_hash || (hits - expected).abs() <= 4.5f64.mul_add(spread, 1.0)
    });
    let seen: BTreeMap<_, _> = ours
        .endpoints
        .iter()
        .filter(|(endpoint, _)| theirs.endpoints.contains_key(*endpoint))
        .map(|(endpoint, rewritten)| (endpoint.clone(), rewritten.clone()))
        .collect();
    let masquerade = seen.values().flatten().copied().collect::<BTreeSet<_>>();
    ours.actions == theirs.actions
        && seen == theirs.endpoints
        && plausible
        && (masquerade == theirs.masquerade || ours.masquerade == theirs.masquerade)
}

/// Runs a folder; the differences and the number of packets that were compared.
fn folder(path: &Path) -> (Vec<String>, usize) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (file, case) in cases(path) {
        let host = host(&case["context"]);
        for (dump, ruleset) in rulesets(&case) {
            assert_eq!(ruleset.notes, Vec::<String>::new(), "{file}");
            for flow in case["flows"].as_array().unwrap() {
                let question = question(&flow["packet"]);
                let answer = Tracer::new(&ruleset, &host).walk(&question);
                let (ours, theirs) = (said(&question, &answer), recorded(&flow["live"]));
                count += 1;
                if !agree(
                    case["test"].as_str().unwrap(),
                    &ours,
                    &theirs,
                    &answer,
                    &flow["live"],
                ) {
                    wrong.push(format!(
                        "{file} {dump} {}:\n  ours   {ours:?}\n  kernel {theirs:?}\n  doubts {:?}",
                        flow["name"], answer.doubts
                    ));
                }
            }
        }
    }
    (wrong, count)
}

/// The cases of a folder with their names.
pub fn cases(path: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        (
            name,
            serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap(),
        )
    };
    files.iter().map(read).collect()
}

const FOLDERS: [&str; 5] = [
    "k8s-flows-iptables",
    "k8s-flows-nftables",
    "live-kubeproxy-iptables",
    "live-kubeproxy-nftables",
    "constructs",
];

#[test]
fn folders_agree_with_the_kernel() {
    let Some(root) = corpus("nat") else { return };
    let mut all = Vec::new();
    for name in FOLDERS {
        let (wrong, count) = folder(&root.join(name));
        println!("{name}: {count} packets, {} wrong", wrong.len());
        all.extend(wrong);
    }
    assert!(
        all.is_empty(),
        "{}\n{}",
        all.len(),
        all.into_iter().take(40).collect::<Vec<_>>().join("\n")
    );
}

/// Kubernetes' own truth tables, with nothing known of the node but its addresses.
#[test]
fn flows_of_kubernetes_are_as_expected() {
    let Some(root) = corpus("nat") else { return };
    let mut wrong = Vec::new();
    for name in ["k8s-flows-iptables", "k8s-flows-nftables"] {
        for (file, case) in cases(&root.join(name)) {
            let ips = case["context"]["nodeIPs"].as_array().unwrap().iter();
            let host = Host {
                addresses: Some(
                    ips.map(|ip| ip.as_str().unwrap().parse().unwrap())
                        .collect(),
                ),
                ..Host::default()
            };
            for (dump, ruleset) in rulesets(&case) {
                for flow in case["flows"].as_array().unwrap() {
                    let question = question(&flow["packet"]);
                    let answer = Tracer::new(&ruleset, &host).walk(&question);
                    let expect = &flow["expect"];
                    let (ours, theirs) = (as_expected(&answer), expectation(expect));
                    if ours != theirs || !answer.is_certain() {
                        wrong.push(format!(
                            "{file} {dump} {}: {ours:?} {theirs:?} {:?}",
                            flow["name"], answer.doubts
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// Action, endpoints, and whether any source is rewritten.
type Expected = (BTreeSet<&'static str>, BTreeSet<String>, bool);

fn as_expected(answer: &Answer) -> Expected {
    let actions = answer.outcomes.iter().map(|one| match &one.fate {
        Fate::Drop => "drop",
        Fate::Reject(_) => "reject",
        Fate::Unknown(_) => "unknown",
        Fate::Forward(_) | Fate::Deliver if one.translated => "dnat",
        Fate::Forward(_) | Fate::Deliver => "none",
    });
    let translated = answer.outcomes.iter().filter(|one| one.translated);
    let endpoints = translated
        .clone()
        .map(|one| std::net::SocketAddr::new(one.packet.dst, one.packet.dport).to_string());
    (
        actions.collect(),
        endpoints.collect(),
        translated.clone().any(|one| one.masqueraded),
    )
}

fn expectation(expect: &Value) -> Expected {
    let action = match expect["action"].as_str().unwrap() {
        "dnat" => "dnat",
        "drop" => "drop",
        "reject" => "reject",
        "none" | "accept" => "none",
        other => panic!("{other}"),
    };
    let endpoints = expect["endpoints"].as_array().into_iter().flatten();
    let endpoints = endpoints.map(|one| one.as_str().unwrap().replace(", ", ""));
    (
        BTreeSet::from([action]),
        endpoints.collect(),
        expect["masquerade"] == true,
    )
}

/// Every rule that the trail names was counted by the kernel for the same packet.
#[test]
fn trails_name_rules_that_the_kernel_counted() {
    let Some(root) = corpus("nat") else { return };
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for name in FOLDERS {
        for (file, case) in cases(&root.join(name)) {
            let host = host(&case["context"]);
            for (_, ruleset) in rulesets(&case)
                .iter()
                .filter(|(dump, _)| *dump == "iptables_save_nft")
            {
                for flow in case["flows"].as_array().unwrap() {
                    let counted = &flow["live"]["rules_with_nonzero_counter_after_first_packet"];
                    let Some(counted) = counted.as_array() else {
                        continue;
                    };
                    let answer = Tracer::new(ruleset, &host).walk(&question(&flow["packet"]));
                    let [only] = answer.outcomes.as_slice() else {
                        continue;
                    };
                    compared += 1;
                    for step in only.trail.iter().filter(|step| step.text.starts_with("-A")) {
                        if !counted.iter().any(|rule| *rule == step.to_string()) {
                            wrong.push(format!("{file} {}: {step}", flow["name"]));
                        }
                    }
                }
            }
        }
    }
    println!("{compared} trails compared");
    assert!(compared == 0 || compared > 500);
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}
