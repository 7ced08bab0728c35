//! Files that are no dumps, half of one, or made to be slow.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Said, rules, write};

const DUMP: &str = "\
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
-A FORWARD -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT
-A FORWARD -d 10.0.0.2/32 -m weird --moon full -j ACCEPT
COMMIT
";

fn file(name: &str, content: impl AsRef<[u8]>) -> String {
    write("rules_hostile", name, content)
}

/// One packet from somewhere else.
fn walk(flag: &str, path: &str, to: &str) -> Said {
    let packet = ["--from", "10.9.9.9", "--to", to, "--in", "eth0"];
    rules(
        &[
            &[flag, path, "--local", "192.168.0.1", "-o", "json"],
            &packet[..],
        ]
        .concat(),
    )
}

fn answer(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|_| panic!("{}{}", said.stdout, said.stderr))
}

fn actions(answer: &Value) -> Vec<&str> {
    let outcomes = answer["outcomes"].as_array().expect("outcomes");
    let actions = outcomes.iter().filter_map(|one| one["action"].as_str());
    actions.collect()
}

#[test]
fn what_is_no_dump_is_one_message_and_code_two() {
    let noise: Vec<u8> = (0..5000u32)
        .map(|number| (number * 7919 % 251) as u8)
        .collect();
    let nft_text = "table ip nat {\n chain a {\n accept\n }\n}\n";
    for (flag, name, content) in [
        ("--iptables", "noise", noise.as_slice()),
        ("--iptables", "nft.txt", nft_text.as_bytes()),
        ("--iptables", "html", b"<html>403 Forbidden</html>\n"),
        (
            "--iptables",
            "cut",
            b"ptables-save v1.8.9\n:INPUT ACCEPT [0:0]\n-A INPUT -j DROP\n",
        ),
        ("--nft", "noise", &noise),
        ("--nft", "nft.txt", nft_text.as_bytes()),
        ("--nft", "empty", b""),
        ("--nft", "list", b"[1, 2]"),
        ("--nft", "other", br#"{"tables": []}"#),
        (
            "--nft",
            "half",
            br#"{"nftables": [{"table": {"family": "ip","#,
        ),
        ("--nft", "deep", "[".repeat(100_000).as_bytes()),
    ] {
        let path = file(name, content);
        let said = walk(flag, &path, "10.0.0.1:80");
        let lines: Vec<&str> = said.stderr.lines().collect();
        assert_eq!(
            said.code,
            Some(2),
            "{flag} {name}: {}{}",
            said.stdout,
            said.stderr
        );
        assert!(said.stdout.is_empty(), "{flag} {name}: {}", said.stdout);
        assert_eq!(lines.len(), 2, "{flag} {name}: {}", said.stderr);
        assert!(
            lines[0].starts_with(&format!("error: {path}: not the output of")),
            "{lines:?}"
        );
        assert!(
            lines[1].starts_with("hint: write the file with"),
            "{lines:?}"
        );
    }
}

#[test]
fn a_file_that_is_not_there_is_one_message_and_code_two() {
    let dump = file("dump", DUMP);
    for args in [
        vec![
            "--iptables",
            "/nowhere/dump",
            "--from",
            "10.0.0.1",
            "--to",
            "10.0.0.2:80",
        ],
        vec![
            "--iptables",
            "/",
            "--from",
            "10.0.0.1",
            "--to",
            "10.0.0.2:80",
        ],
        vec!["--iptables", &dump, "--packets", "/nowhere/packets"],
        vec!["--iptables", &dump],
        vec!["--from", "10.0.0.1", "--to", "10.0.0.2:80"],
        vec!["--iptables", &dump, "--drift"],
        vec![
            "--iptables",
            &dump,
            "--from",
            "10.0.0.1",
            "--to",
            "[fd00::1]:80",
        ],
    ] {
        let said = rules(&args);
        assert_eq!(said.code, Some(2), "{args:?}: {}", said.stdout);
        assert!(said.stdout.is_empty(), "{args:?}: {}", said.stdout);
        let errors = said
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{args:?}: {}", said.stderr);
    }
}

/// What is missing could decide otherwise: the answer is open, and says why.
#[test]
fn half_a_dump_leaves_it_open() {
    let half = DUMP.replace("COMMIT\n", "-A FORWARD -d 10.0.0.3");
    let said = walk("--iptables", &file("half", half), "10.0.0.1:80");
    assert_eq!(
        (actions(&answer(&said)), said.code),
        (vec!["unknown"], Some(3))
    );
    assert_eq!(
        said.stderr,
        "warning: iptables-save ends before table filter is complete\n"
    );
    let noise = DUMP.replace("-A FORWARD -d 10.0.0.2", "-X oops\n-A FORWARD -d 10.0.0.2");
    let said = walk("--iptables", &file("noisy", noise), "10.0.0.9:80");
    assert_eq!(actions(&answer(&said)), ["drop"]);
    assert_eq!(
        said.stderr,
        "warning: iptables-save line 6, table filter: not a rule: -X oops\n"
    );
    // No table at all is what iptables-save prints on a node without rules.
    let said = walk("--iptables", &file("nothing", "# nothing\n"), "10.0.0.1:80");
    assert_eq!(
        (actions(&answer(&said)), said.code),
        (vec!["accept"], Some(0))
    );
}

/// An unknown match makes unknown what happens to the packets that get as far, and to no others.
#[test]
fn what_is_not_understood_concerns_the_packets_it_could_touch() {
    let path = file("weird", DUMP);
    for (to, expected, doubts) in [
        ("10.0.0.1:80", vec!["accept"], 0),
        ("10.0.0.2:80", vec!["accept", "drop"], 1),
        ("10.0.0.3:80", vec!["drop"], 0),
    ] {
        let answer = answer(&walk("--iptables", &path, to));
        let mut actions = actions(&answer);
        actions.sort_unstable();
        assert_eq!(actions, expected, "{to}");
        assert_eq!(
            answer["unknown"].as_array().map(Vec::len),
            Some(doubts),
            "{answer}"
        );
    }
    let rule = |field: &str, statement: Value| {
        json!({"rule": {"family": "ip", "table": "t", "chain": "c", "expr": [
            {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": field}},
            statement]}})
    };
    let listing = json!({"nftables": [
        {"metainfo": {"version": "9"}}, {"table": {"family": "ip", "name": "t"}},
        {"chain": {"family": "ip", "table": "t", "name": "c", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
        rule("10.0.0.2", json!({"moonphase": {"is": "full"}})), rule("10.0.0.3", json!({"drop": null})),
        {"rule": 7}, "what", {"flowtable": {}}]});
    let path = file("weird.json", listing.to_string());
    for (to, expected) in [
        ("10.0.0.1:80", vec!["accept"]),
        ("10.0.0.2:80", vec!["accept", "unknown"]),
        ("10.0.0.3:80", vec!["drop"]),
    ] {
        let answer = answer(&walk("--nft", &path, to));
        let mut actions = actions(&answer);
        actions.sort_unstable();
        assert_eq!(actions, expected, "{to}: {answer}");
    }
}

/// A question that is none costs itself alone.
#[test]
fn every_question_gets_its_answer_in_order() {
    let packets = file(
        "packets",
        "{\"src\": \"10.9.9.9\", \"dst\": \"10.0.0.1\", \"dport\": 80, \"in_iface\": \"eth0\"}\n\nnonsense\n\
         {\"src\": \"10.9.9.9\", \"dst\": \"10.0.0.9\", \"dport\": 80, \"in_iface\": \"eth0\"}\n",
    );
    let dump = file("dump", DUMP);
    let said = rules(&[
        "--iptables",
        &dump,
        "--local",
        "192.168.0.1",
        "--packets",
        &packets,
    ]);
    let lines: Vec<Value> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(said.code, Some(0));
    assert_eq!(lines.len(), 3, "{}", said.stdout);
    assert_eq!(actions(&lines[0]), ["accept"]);
    assert!(lines[1]["error"].is_string() && actions(&lines[1]).is_empty());
    assert_eq!(actions(&lines[2]), ["drop"]);
}

/// Work is bounded, whatever the rules are.
#[test]
fn rules_made_to_be_slow_end_soon() {
    let start = "*filter\n:FORWARD ACCEPT [0:0]\n";
    let mut doubts = start.to_owned();
    let mut choices = start.to_owned();
    for number in 0..20_000 {
        writeln!(doubts, "-A FORWARD -m string --string w{number} -j DROP").expect("room");
        writeln!(
            choices,
            "-A FORWARD -m statistic --mode random --probability 0.5 -j MARK --set-xmark {number:#x}/{number:#x}"
        )
        .expect("room");
    }
    // Every chain calls the next one twenty times; the last one calls the first.
    let mut calls = start.to_owned();
    for number in 0..30 {
        writeln!(calls, ":C{number} - [0:0]").expect("room");
    }
    calls.push_str("-A FORWARD -j C0\n");
    for number in 0..30 {
        for _ in 0..20 {
            writeln!(calls, "-A C{number} -j C{}", (number + 1) % 30).expect("room");
        }
    }
    let mut long = start.to_owned();
    writeln!(
        long,
        "-A FORWARD -m comment --comment \"{}\" -j DROP",
        "x".repeat(20_000_000)
    )
    .expect("room");
    for (name, text) in [
        ("doubts", doubts),
        ("choices", choices),
        ("calls", calls),
        ("long", long),
    ] {
        let path = file(name, text + "COMMIT\n");
        let started = Instant::now();
        let said = walk("--iptables", &path, "10.0.0.1:80");
        let taken = started.elapsed();
        assert!(
            said.code.is_some_and(|code| code != 2),
            "{name}: {}",
            said.stderr
        );
        assert!(taken < Duration::from_secs(60), "{name}: {taken:?}");
        println!("{name}: {taken:?}");
    }
}
