//! The lab's kube-proxy writes what the real one wrote for the same objects.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;

use crate::support;
use netpath_lab::proxy::{Config, ports, restore_input, ruleset};

/// Rulesets that the real program sent, with the objects it had.
const CORPORA: [(&str, &str); 4] = [
    ("iptables", "nat/live-kubeproxy-iptables"),
    ("iptables", "nat/k8s-flows-iptables"),
    ("nftables", "nat/live-kubeproxy-nftables"),
    ("nftables", "nat/k8s-flows-nftables"),
];

/// A case that still has the rules of a Service whose object is gone already.
const HALF_DELETED: &str = "LargeClusterMode_cea354";

/// Length of a dump of a thousand endpoints and more.
const LARGE: usize = 100_000;

#[test]
fn writes_what_the_real_program_sent() {
    let mut compared = 0;
    let mut wrong = Vec::new();
    for (mode, corpus) in CORPORA {
        let Some(folder) = support::corpus(corpus) else {
            return;
        };
        for entry in std::fs::read_dir(folder).expect("the corpus can be read") {
            let path = entry.expect("an entry of the corpus").path();
            if path.to_string_lossy().contains(HALF_DELETED) {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a case can be read");
            let case: Value = serde_json::from_str(&text).expect("a case is JSON");
            compared += 1;
            if let Some(difference) = compare(mode, &case, &path) {
                wrong.push(difference);
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(compared > 90, "only {compared} cases");
}

fn compare(mode: &str, case: &Value, path: &Path) -> Option<String> {
    let config = config(mode, &case["context"]);
    let services: Vec<_> = typed(&case["services"]);
    let slices: Vec<_> = typed(&case["endpointslices"]);
    let ports = ports(&services, &slices, &config);
    let sent = case["ruleset"]["sent"].as_str().expect("a case has rules");
    let (ours, theirs) = if mode == "iptables" {
        (
            iptables_lines(&restore_input(&ports, &config, &[], &[])),
            iptables_lines(sent),
        )
    } else {
        (
            nft_lines(&ruleset(&ports, &config).join("\n")),
            nft_lines(sent),
        )
    };
    // A partial sync leaves out the chains of Services that did not change.
    let ours: BTreeSet<String> = if mode == "iptables" {
        ours.into_iter()
            .filter(|line| {
                sent.contains(&format!(":{} ", line.split(' ').nth(2).unwrap_or_default()))
            })
            .collect()
    } else {
        ours
    };
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&theirs).collect();
    let same = missing.is_empty() && extra.is_empty();
    (!same).then(|| {
        format!(
            "{}\n  missing {missing:#?}\n  extra {extra:#?}",
            path.display()
        )
    })
}

fn typed<T: serde::de::DeserializeOwned>(list: &Value) -> Vec<T> {
    let items = list.as_array().expect("a list of objects");
    items
        .iter()
        .map(|item| T::deserialize(item).expect("an object of its type"))
        .collect()
}

fn config(mode: &str, context: &Value) -> Config {
    let text = |field: &str| context[field].as_str();
    let addresses: Vec<IpAddr> = context["nodeIPs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one.as_str()?.parse().ok())
        .collect();
    let ranges = text("nodePortAddresses")
        .unwrap_or_default()
        .trim_matches(['[', ']']);
    let range: ipnet::IpNet = ranges.parse().expect("one range of NodePort addresses");
    let loopback: IpAddr = [127, 0, 0, 1].into();
    let chosen = addresses
        .iter()
        .chain([&loopback])
        .filter(|one| range.contains(*one))
        .copied()
        .collect();
    Config {
        ipv6: false,
        node: text("nodeName").unwrap_or_default().to_owned(),
        node_labels: std::collections::BTreeMap::new(),
        node_address: text("nodeIP").and_then(|one| one.parse().ok()),
        cluster: context["localDetector"]["cidr"]
            .as_str()
            .and_then(|one| one.parse().ok()),
        services: text("serviceCIDRs")
            .and_then(|one| one.parse().ok())
            .into_iter()
            .collect(),
        masquerade_all: context["masqueradeAll"] == true,
        localhost_node_ports: mode == "iptables",
        node_port_addresses: (range.prefix_len() > 0).then_some(chosen),
        nfacct: true,
        random_fully: false,
    }
}

/// Rules by chain and place in it; order among Services is arbitrary, so KUBE-SERVICES,
/// KUBE-NODEPORTS and the filter chains are compared as sets.
fn iptables_lines(text: &str) -> BTreeSet<String> {
    let mut table = String::new();
    let mut places = std::collections::BTreeMap::new();
    let mut lines = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with('*') {
            line.clone_into(&mut table);
        }
        let Some(rule) = line.strip_prefix("-A ") else {
            continue;
        };
        let chain = rule.split(' ').next().unwrap_or_default();
        let built_in = ["INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING"].contains(&chain);
        if built_in || rule.contains("sync-proxy") {
            continue;
        }
        let ordered = [
            "KUBE-SVC",
            "KUBE-SVL",
            "KUBE-EXT-",
            "KUBE-FW-",
            "KUBE-SEP",
            "KUBE-POS",
            "KUBE-FOR",
        ];
        let place = places
            .entry(chain.to_owned())
            .and_modify(|place| *place += 1)
            .or_insert(0);
        let place = if ordered.iter().any(|prefix| chain.starts_with(prefix)) {
            *place
        } else {
            0
        };
        let mut rule = rule.replace('"', "");
        // Whether endpoints go without comments was decided by an earlier state of that test.
        if text.len() > LARGE
            && let Some((before, rest)) = rule.split_once(" -m comment --comment ns")
        {
            let after = [" -m ", " -s ", " -j "]
                .iter()
                .filter_map(|word| rest.find(word))
                .min();
            rule = format!("{before}{}", &rest[after.unwrap_or_default()..]);
        }
        lines.insert(format!("{table} {place} {rule}"));
    }
    lines
}

/// Commands, rules with their place in the chain.
fn nft_lines(text: &str) -> BTreeSet<String> {
    let mut places = std::collections::BTreeMap::new();
    let mut lines = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        // The running program leaves emptied chains behind for a while.
        if line.starts_with("add chain")
            && line.contains('/')
            && !text.contains(&format!("{} ", line.replace("chain", "rule")))
        {
            continue;
        }
        let mut words = line.split(' ');
        let place = match (words.nth(1), words.nth(2)) {
            (Some("rule"), Some(chain)) => *places
                .entry(chain)
                .and_modify(|place| *place += 1)
                .or_insert(0),
            _ => 0,
        };
        lines.insert(format!("{place} {line}"));
    }
    lines
}
