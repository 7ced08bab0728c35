//! Small input that multiplies: each bound ends in something that is not known, with its name.

use std::fmt::Write;
use std::time::{Duration, Instant};

use netpath::cluster::snapshot;
use netpath::dns::Corefile;
use netpath::policy::{Policies, UnitMatrix};
use netpath::text::nearest;
use serde_json::{Value, json};

use super::{Folder, print};

/// Generous: a debug build on a busy machine. Unbounded, all of these take minutes, or forever.
const PATIENCE: Duration = Duration::from_secs(60);

fn walk(rules: &str) -> String {
    let folder = Folder::new(&format!("rules-{}", rules.len()));
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let file = folder.0.join("rules.txt");
    std::fs::write(&file, rules).expect("a file");
    let since = Instant::now();
    let words = [
        "rules",
        "--iptables",
        &file.display().to_string(),
        "--from",
        "10.0.0.2:4000",
        "--to",
        "10.0.9.9:80",
        "--in",
        "pod0",
        "-o",
        "json",
    ];
    let text = print(&words);
    assert!(since.elapsed() < PATIENCE, "{:?}", since.elapsed());
    text
}

fn chains(table: &str, hooks: &str, count: usize, body: impl Fn(usize) -> String) -> String {
    // Chains are declared before a rule jumps to them, as iptables-save writes them.
    let (hooks, jump) = hooks.split_at(hooks.find("-A").expect("a rule"));
    let mut text = format!("*{table}\n{hooks}");
    for number in 0..count {
        let _ = writeln!(text, ":C{number} - [0:0]");
    }
    text += jump;
    for number in 0..count - 1 {
        text += &body(number);
    }
    text + "COMMIT\n"
}

const NAT: &str = ":PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n-A PREROUTING -j C0\n";
const FILTER: &str =
    ":INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n-A FORWARD -j C0\n";

#[test]
fn marks_that_double_at_every_rule() {
    let rules = chains("nat", NAT, 33, |number| {
        let (mark, next) = (1_u32 << (number % 31), number + 1);
        let chance = "-m statistic --mode random --probability 0.5";
        format!(
            "-A C{number} {chance} -j MARK --set-xmark {mark:#x}/{mark:#x}\n-A C{number} {chance} -j C{next}\n-A C{number} -j C{next}\n"
        )
    });
    let answer = walk(&rules);
    assert!(answer.contains("the rules branch too often"), "{answer}");
}

#[test]
fn chains_that_are_called_ten_times_each() {
    let rules = chains("filter", FILTER, 30, |number| {
        format!("-A C{number} -j C{}\n", number + 1).repeat(10)
    });
    let answer = walk(&rules);
    assert!(answer.contains("one packet meets more than"), "{answer}");
}

#[test]
fn a_chain_that_calls_itself() {
    let rules = chains("filter", FILTER, 3, |number| {
        format!("-A C{number} -j C{}\n-A C{number} -j C0\n", number + 1)
    });
    let answer = walk(&rules);
    assert!(answer.contains("chain C0 calls itself"), "{answer}");
}

#[test]
fn snippets_that_are_imported_ten_thousand_times() {
    let text = format!(
        "(a) {{\n{}}}\n. {{\n{}}}\n",
        "cache\n".repeat(1_000),
        "import a\n".repeat(10_000)
    );
    let bad = Corefile::parse(&text).expect_err("too much");
    assert!(bad.message.contains("imports make more than"), "{bad}");
    let few = "(a) {\nrewrite name a b\n}\n. {\nimport a\nimport a\n}\n";
    assert_eq!(
        Corefile::parse(few).expect("a Corefile").blocks[0]
            .plugins
            .len(),
        2
    );
}

#[test]
fn names_without_end_are_compared_with_nothing() {
    let since = Instant::now();
    let long = "a".repeat(200_000);
    assert_eq!(nearest(&long, ["api", "web"]), Vec::<&str>::new());
    assert_eq!(nearest("ap", [long.as_str(), "api"]), ["api"]);
    assert!(since.elapsed() < PATIENCE);
}

/// Blocks of one rule are one end, whatever their number; what is outside is no pair with itself.
#[test]
fn an_allow_list_of_four_thousand_blocks_is_one_line() {
    let block = |number: usize| json!({"ipBlock": {"cidr": format!("20.{}.{}.0/24", number / 256, number % 256)}});
    let blocks: Vec<Value> = (0..4_000).map(block).collect();
    let policy = |name: &str, from: &[Value]| {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": from}]}})
    };
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}, "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}});
    let items = [policy("one", &blocks), policy("two", &blocks[..2_000]), pod];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let view = snapshot::parse("blocks", &list).expect("objects");
    let policies = Policies::compile(&view);
    let matrix = UnitMatrix::new(&view, &policies);
    let outside: Vec<&str> = matrix
        .units
        .iter()
        .filter(|unit| unit.is_outside())
        .map(|unit| unit.object.name.as_str())
        .collect();
    assert_eq!(
        outside,
        [
            "20.0.0.0/24 and 1999 more",
            "20.7.208.0/24 and 1999 more",
            "elsewhere"
        ]
    );
    let folder = Folder::new("blocks");
    std::fs::create_dir_all(&folder.0).expect("a folder");
    let file = folder.0.join("objects.json");
    std::fs::write(&file, list).expect("a file");
    let csv = print(&[
        "matrix",
        "-A",
        "--snapshot",
        &file.display().to_string(),
        "-o",
        "csv",
    ]);
    // Head, the pod to itself, and to and from three ends.
    assert_eq!(csv.lines().count(), 1 + 1 + 6, "{csv}");
}
