//! The files of the corpus of hostile input, each asked as a user would.

use std::process::Command;

use super::{assert_harmless, hostile, print};

const FORMATS: [&str; 4] = ["text", "wide", "json", "yaml"];

#[test]
fn names_and_messages_move_no_cursor_and_write_no_line() {
    for (file, source, destination) in [
        ("inject/forge.json", "external", "svc/web"),
        ("inject/ansi.json", "client-1", "svc/api"),
        ("inject/shell.json", "client-1", "svc/api"),
        ("inject/fw", "client-1", "svc/api"),
        ("traversal/world.json", "client-1", "svc/api"),
        ("twin/world.json", "client-1", "svc/api"),
        ("limits/corefile-bomb.json", "client-1", "svc/api"),
    ] {
        let Some(path) = hostile(file) else { return };
        let path = path.display().to_string();
        let words = [source, destination, "-n", "shop", "--snapshot", &path, "-o"];
        for format in FORMATS {
            let text = print(&[&words[..], &[format]].concat());
            assert_harmless(&text, &format!("{file} {format}"));
            let forged = text
                .lines()
                .find(|line| line.trim_start().starts_with("curl"));
            assert_eq!(forged, None, "{file} {format}");
        }
        for format in ["text", "json", "csv", "mermaid", "svg"] {
            let text = print(&["matrix", "-A", "--snapshot", &path, "-o", format]);
            assert_harmless(&text, &format!("{file} matrix {format}"));
        }
    }
}

/// Every command that is proposed is run by a shell whose tools do nothing: whatever else happens is the
/// doing of what came from outside.
#[test]
fn a_proposed_command_runs_nothing_but_itself() {
    let Some(shell) = hostile("inject/shell.json") else {
        return;
    };
    let Some(rules) = hostile("inject/fw") else {
        return;
    };
    let mut seen = 0;
    for path in [shell, rules] {
        let path = path.display().to_string();
        let words = [
            "client-1",
            "svc/api",
            "-n",
            "shop",
            "--snapshot",
            &path,
            "-o",
            "json",
        ];
        let report: serde_json::Value = serde_json::from_str(&print(&words)).expect("a report");
        let findings = report["findings"].as_array().expect("findings").iter();
        let commands =
            findings.flat_map(|one| one["fix"]["commands"].as_array().expect("commands"));
        for command in commands {
            let command = command.as_str().expect("a command");
            let script =
                format!("kubectl() {{ :; }}; iptables() {{ :; }}; nft() {{ :; }}\n{command}");
            // Without a PATH nothing else can be found.
            let output = Command::new("/bin/sh")
                .args(["-c", &script])
                .env("PATH", "")
                .output();
            let output = output.expect("a shell");
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && complaint.is_empty(),
                "{command}: {complaint}"
            );
            seen += 1;
        }
    }
    assert!(seen > 0);
    for marker in ["/tmp/netpath-pwned", "/tmp/netpath-pwned2"] {
        assert!(!std::path::Path::new(marker).exists(), "{marker}");
    }
}

/// A name that leads elsewhere is none, and what bears it is told of.
#[test]
fn names_that_climb_are_rejected() {
    let Some(path) = hostile("traversal/world.json") else {
        return;
    };
    let view = netpath::cluster::snapshot::load(&path).expect("a snapshot");
    assert!(!view.rejected.is_empty());
    let names = view
        .pods
        .iter()
        .map(|pod| netpath::cluster::Named::name(pod).to_owned());
    let nodes = view
        .nodes
        .iter()
        .map(|node| netpath::cluster::Named::name(node).to_owned());
    assert!(names.chain(nodes).all(|name| !name.contains(['/', '\\'])));
}

/// A policy that cannot be trusted to be one may still be one: the answer stays open.
#[test]
fn a_policy_with_an_impossible_name_is_not_passed_over() {
    let Some(path) = hostile("inject/shell.json") else {
        return;
    };
    let path = path.display().to_string();
    let words = ["client-1", "svc/api", "-n", "shop", "--snapshot", &path];
    let text = print(&words);
    assert!(
        text.contains("Undetermined") || text.contains("Unreachable"),
        "{text}"
    );
}
