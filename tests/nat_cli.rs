//! `kubectl netpath rules`, the program itself, against the corpora: JSON lines in, JSON lines out.
//!
//! ```text
//!  case ─► files as the tools write them ─► kubectl-netpath rules … --packets F ─► answers ─► table
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::nat_corpus::{cases, namespace};
use crate::support::corpus;

/// What became of one folder.
#[derive(Default)]
struct Row {
    dumps: usize,
    packets: usize,
    right: usize,
    unknown: usize,
}

/// One answer in the words of the recordings.
#[derive(Debug, Default, PartialEq)]
struct Said {
    actions: BTreeSet<String>,
    /// Endpoint to its share.
    shares: BTreeMap<String, f64>,
    /// Endpoint to whether its source is rewritten.
    endpoints: BTreeMap<String, BTreeSet<bool>>,
    /// Over all that passes.
    masquerade: BTreeSet<bool>,
}

/// Whether an answer is what a flow was recorded to be; the case's name for what only samples show.
type Compare = fn(&Value, &Said, &Value) -> bool;

/// A folder, what its packets are compared with, and what that is called.
const FOLDERS: [(&str, &str, Compare); 7] = [
    ("k8s-flows-iptables", "Kubernetes", as_kubernetes_says),
    ("k8s-flows-nftables", "Kubernetes", as_kubernetes_says),
    ("k8s-flows-iptables", "a kernel", as_the_kernel_did),
    ("k8s-flows-nftables", "a kernel", as_the_kernel_did),
    ("live-kubeproxy-iptables", "a kernel", as_the_kernel_did),
    ("live-kubeproxy-nftables", "a kernel", as_the_kernel_did),
    ("constructs", "a kernel", as_the_kernel_did),
];

/// A packet that is answered "unknown" is not right.
#[test]
fn every_packet_of_every_folder_is_right() {
    let Some(root) = corpus("nat") else { return };
    let mut table = String::new();
    let mut wrong = Vec::new();
    for (name, truth, compare) in FOLDERS {
        let row = folder(&root.join(name), compare, &mut wrong);
        writeln!(
            table,
            "{name:24} as {truth:10} {:4} dumps {:5} packets {:5} right {:3} unknown",
            row.dumps, row.packets, row.right, row.unknown
        )
        .expect("a string takes all");
    }
    println!("{table}");
    assert!(
        wrong.is_empty(),
        "{} wrong\n{table}\n{}",
        wrong.len(),
        wrong.into_iter().take(30).collect::<Vec<_>>().join("\n")
    );
}

fn folder(path: &Path, compare: Compare, wrong: &mut Vec<String>) -> Row {
    let mut row = Row::default();
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("nat_cli");
    fs::create_dir_all(&place).expect("a folder for the files");
    for (file, case) in cases(path) {
        let flows = case["flows"].as_array().expect("a case has flows");
        for (dump, args) in dumps(&place, &case, compare) {
            row.dumps += 1;
            let answers = ask(&args, flows);
            assert_eq!(answers.len(), flows.len(), "{file} {dump}");
            for (flow, answer) in flows.iter().zip(&answers) {
                row.packets += 1;
                let said = Said::of(&flow["packet"], answer);
                let unknown = said.actions.contains("unknown");
                row.unknown += usize::from(unknown);
                if !unknown && compare(&case["test"], &said, flow) {
                    row.right += 1;
                } else {
                    wrong.push(format!(
                        "{file} {dump} {}\n  {answer}\n  {} {}",
                        flow["name"], flow["expect"], flow["live"]
                    ));
                }
            }
        }
    }
    row
}

/// The command lines that describe a case, one for each way in which its rules were dumped. Kubernetes'
/// own tables know no routes.
fn dumps(place: &Path, case: &Value, compare: Compare) -> Vec<(&'static str, Vec<String>)> {
    let write = |name: &str, text: &str| {
        let path = place.join(name);
        fs::write(&path, text).expect("a file is written");
        path.to_string_lossy().into_owned()
    };
    let rules = &case["ruleset"];
    let mut common = Vec::new();
    if std::ptr::fn_addr_eq(compare, as_kubernetes_says as Compare) {
        let ips = case["context"]["nodeIPs"].as_array().into_iter().flatten();
        let ips: Vec<&str> = ips.filter_map(Value::as_str).collect();
        common.extend(["--local".to_owned(), ips.join(",")]);
    } else {
        let (links, routes) = namespace(&case["context"]);
        let files = [
            ("--addr", "addr.json", links),
            ("--route", "route.json", routes),
        ];
        for (flag, name, content) in files {
            common.extend([flag.to_owned(), write(name, &content.to_string())]);
        }
    }
    if let Some(text) = rules["ipset_save"].as_str() {
        common.extend(["--ipset".to_owned(), write("ipset-save.txt", text)]);
    }
    let mut all = Vec::new();
    for (key, name) in [
        ("iptables_save_nft", "iptables-save.txt"),
        ("iptables_save_legacy", "iptables-legacy-save.txt"),
    ] {
        if let Some(text) = rules[key].as_str() {
            all.push((key, "--iptables", write(name, text)));
        }
    }
    if case["mode"] == "nftables" {
        let text = rules["nft_json"].to_string();
        all.push(("nft_json", "--nft", write("nft-ruleset.json", &text)));
    }
    all.into_iter()
        .map(|(key, flag, path)| {
            let own = [flag.to_owned(), path];
            (key, own.into_iter().chain(common.clone()).collect())
        })
        .collect()
}

/// Runs the program with the packets of the flows; its answers in order.
fn ask(args: &[String], flows: &[Value]) -> Vec<Value> {
    let packets = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("nat_cli/packets.jsonl");
    let lines: Vec<String> = flows
        .iter()
        .map(|flow| flow["packet"].to_string())
        .collect();
    fs::write(&packets, lines.join("\n")).expect("a file is written");
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .arg("rules")
        .args(args)
        .arg("--packets")
        .arg(&packets)
        .output()
        .expect("the program runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaint.is_empty(),
        "{args:?}: {complaint}"
    );
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let answers = text.lines().map(serde_json::from_str);
    answers
        .collect::<Result<_, _>>()
        .expect("every line is JSON")
}

// === impl Said ===

impl Said {
    fn of(packet: &Value, answer: &Value) -> Self {
        let mut said = Self::default();
        for outcome in answer["outcomes"].as_array().expect("outcomes") {
            let mut action = outcome["action"].as_str().expect("an action");
            if action == "reject" && outcome["why"] == "tcp-reset" {
                // A reset looks the same from outside, whoever sends it.
                action = "local";
            }
            said.actions.insert(action.to_owned());
            if !matches!(action, "dnat" | "accept") {
                continue;
            }
            let rewritten = outcome["masquerade"] == true;
            assert!(rewritten || outcome["source"] == packet["src"], "{answer}");
            said.masquerade.insert(rewritten);
            if let Some(endpoint) = outcome["endpoint"].as_str() {
                let share = outcome["probability"].as_f64().unwrap_or_default();
                *said.shares.entry(endpoint.to_owned()).or_default() += share;
                let all = said.endpoints.entry(endpoint.to_owned()).or_default();
                all.insert(rewritten);
            }
        }
        if answer["unknown"] != serde_json::json!([]) {
            said.actions.insert("unknown".to_owned());
        }
        said
    }
}

/// Action, set of endpoints, and whether any source is rewritten.
fn as_kubernetes_says(_: &Value, said: &Said, flow: &Value) -> bool {
    let expect = &flow["expect"];
    let wanted = expect["action"].as_str().expect("an action");
    let action = match wanted {
        "none" | "accept" => said.actions.len() == 1 && !said.actions.contains("dnat"),
        other => said.actions == BTreeSet::from([other.to_owned()]),
    };
    let endpoints = expect["endpoints"].as_array().into_iter().flatten();
    let endpoints: BTreeSet<&str> = endpoints.filter_map(Value::as_str).collect();
    let ours: BTreeSet<&str> = said.endpoints.keys().map(String::as_str).collect();
    let masquerade = said.endpoints.values().flatten().any(|one| *one);
    action
        && ours == endpoints
        && (wanted != "dnat" || masquerade == (expect["masquerade"] == true))
}

/// Cases where the kernel chooses by a hash of the packet with a seed of its own: one endpoint is all
/// that packets of one source can show.
const BY_HASH: [&str; 2] = ["dnat-range", "nft-jhash"];

/// The same actions, the same endpoints, each with the same masquerading.
fn as_the_kernel_did(test: &Value, said: &Said, flow: &Value) -> bool {
    let live = &flow["live"];
    let actions = live["actions"].as_object().expect("actions").keys();
    let actions: BTreeSet<&str> = actions
        .map(|action| {
            if action == "forward" {
                "accept"
            } else {
                action
            }
        })
        .collect();
    let bools = |value: &Value| -> BTreeSet<bool> {
        let all = value.as_array().into_iter().flatten();
        all.filter_map(Value::as_bool).collect()
    };
    let seen = live["endpoints"].as_object().into_iter().flatten();
    let seen: BTreeMap<&str, BTreeSet<bool>> = seen
        .map(|(endpoint, _)| {
            let own = &live["endpoints_masquerade"][endpoint];
            let own = if own.is_null() {
                &live["masquerade"]
            } else {
                own
            };
            (endpoint.as_str(), bools(own))
        })
        .collect();
    let by_hash = test.as_str().is_some_and(|test| BY_HASH.contains(&test));
    let packets = live["packets"].as_f64().unwrap_or(1.0);
    // What so few packets may well miss may be missing.
    let chance_to_miss = |endpoint: &str| (1.0 - said.shares[endpoint]).powf(packets);
    let ours = said.endpoints.iter().filter(|(endpoint, _)| {
        seen.contains_key(endpoint.as_str()) || !(by_hash || chance_to_miss(endpoint) > 1e-4)
    });
    let ours: BTreeMap<&str, BTreeSet<bool>> = ours
        .map(|(endpoint, rewritten)| (endpoint.as_str(), rewritten.clone()))
        .collect();
    said.actions
        .iter()
        .map(String::as_str)
        .collect::<BTreeSet<_>>()
        == actions
        && ours == seen
        && bools(&live["masquerade"]).is_subset(&said.masquerade)
}
