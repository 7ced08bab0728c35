//! The first fix, done as it is printed.

use std::process::Command;

use anyhow::Result;

use super::answer::Answer;
use crate::Lab;
use crate::control::Request;
use crate::proxy::State;
use crate::scenario::{Act, Injection};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Repair {
    Done,
    /// It only says what to look at.
    NoCommand,
}

/// Runs the commands of the deciding cause that change something.
pub fn repair(lab: &Lab, answer: &Answer) -> Result<Repair> {
    let mut done = Repair::NoCommand;
    for command in &answer.commands {
        if restarts_proxy(command) {
            restart_proxies(lab)?;
        } else if let Some(words) = command
            .strip_prefix("kubectl ")
            .filter(|words| changes(words))
        {
            let script = format!("kubectl {words}");
            Command::new("sh")
                .args(["-c", &script])
                .env("KUBECONFIG", lab.kubeconfig())
                .output()?;
        } else if let Some((node, script)) = on_a_node(command, answer) {
            lab.run(&node, &script)?;
        } else {
            continue;
        }
        done = Repair::Done;
    }
    // What the controllers make of it.
    lab.ask(&Request::Inject { list: Vec::new() })?;
    Ok(done)
}

/// Whether a kubectl command changes objects, and needs nobody to type.
fn changes(words: &str) -> bool {
    let verbs = [
        "patch", "scale", "label", "annotate", "delete", "apply", "create", "expose", "rollout",
        "set",
    ];
    let mut plain = words
        .split_whitespace()
        .filter(|word| !word.starts_with('-'));
    // `-n NAMESPACE verb` has the verb third.
    let verb = plain.find(|word| verbs.contains(word));
    verb.is_some() && !words.contains('<')
}

fn restarts_proxy(command: &str) -> bool {
    command.contains("kube-proxy")
        && ["delete", "restart"]
            .iter()
            .any(|verb| command.contains(verb))
}

/// As its DaemonSet would: the lab has no pods of kube-proxy.
fn restart_proxies(lab: &Lab) -> Result<()> {
    let list = ["node1", "node2"].map(|node| Injection {
        name: String::new(),
        only: None,
        act: Act::Proxy {
            proxy: node.to_owned(),
            state: State::Running,
            flush: false,
            hostname: None,
        },
    });
    lab.inject(&list)
}

/// A command of the node itself: plain, or behind `kubectl debug node/NAME … --`.
fn on_a_node(command: &str, answer: &Answer) -> Option<(String, String)> {
    let tools = [
        "iptables -",
        "ip6tables -",
        "ip route ",
        "ip rule ",
        "ip link ",
        "ip neigh ",
        "bridge ",
        "nft ",
        "sysctl -w",
    ];
    let looks = [" show", " get", " list", "-S", "-L", "save"];
    let (node, script) = match command.split_once(" -- ") {
        Some((debug, script)) => {
            let (_, after) = debug.split_once("node/")?;
            (after.split_whitespace().next()?.to_owned(), script)
        }
        None => (
            answer.blamed.as_ref()?.strip_prefix("Node/")?.to_owned(),
            command,
        ),
    };
    let script = script.trim_start_matches("chroot /host ");
    let is_known = tools.iter().any(|tool| script.starts_with(tool));
    (is_known && !looks.iter().any(|word| script.contains(word))).then(|| (node, script.to_owned()))
}
