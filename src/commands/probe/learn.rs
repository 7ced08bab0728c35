//! What was learned: answers and facts, put where the next round and the report find them.

use super::Known;
use crate::cluster::Unread;
use crate::facts::conntrack;
use crate::observe::{Step, Tapped, Vantage};
use crate::probe::Answers;
use crate::probe::dataplane::Said;
use crate::text::count;

/// The file with the connections that a node remembers.
const CONNECTIONS: &str = "conntrack.txt";

/// Puts what agents of the dataplane said where the report finds it.
pub(super) fn remember(known: &mut Known<'_>, answers: Vec<(String, Said)>) {
    for (node, said) in answers {
        let vantage = Vantage::Node(node);
        for (file, text) in said.files {
            known.world.learn(&vantage, file, text);
        }
        known.world.miss(said.unread);
    }
}

/// Puts answers and facts where the next round and the report find them.
pub(super) fn learn(known: &mut Known<'_>, answers: Answers, steps: &[Step]) {
    for (vantage, why) in answers.notes {
        known.world.miss([Unread {
            what: format!("probe in {vantage} itself"),
            why,
            grant: "patch pods/ephemeralcontainers and create pods/exec there".to_owned(),
            resource: None,
            namespace: String::new(),
        }]);
    }
    for seen in &answers.seen {
        tracing::trace!("{} to {:?}: {:?}", seen.vantage, seen.task, seen.outcome);
    }
    tracing::debug!("learned {}", count(answers.seen.len(), "answer"));
    known.observations.seen.extend(answers.seen);
    // Nodes remember the connections of our own probes, too.
    let own = known.observations.own_sockets();
    for (vantage, fact) in answers.facts {
        match fact.missing {
            Some(why) => known.world.miss(missing(&vantage, &fact.file, why)),
            None if fact.file == CONNECTIONS => {
                let text = conntrack::without(&fact.text, &own);
                known.world.learn(&vantage, &fact.file, text);
            }
            None => known.world.learn(&vantage, &fact.file, fact.text),
        }
    }
    for (vantage, error) in answers.failed {
        tracing::warn!("nothing from {vantage}: {error}");
        known.observations.failed.push((vantage, error));
    }
    // A vantage that neither answered nor failed would be asked for ever.
    for step in steps {
        let is_answered = known.observations.has_seen(&step.vantage)
            || known.observations.has_failed(&step.vantage);
        debug_assert!(is_answered, "{} was lost", step.vantage);
    }
}

/// Facts that decide something and could not be gathered. Of rules one kind is enough, and a node
/// without kube-proxy, legacy tables or IPVS lacks nothing.
fn missing(vantage: &Vantage, file: &str, why: String) -> Option<Unread> {
    let what = match (vantage, file) {
        (Vantage::Node(_), "nft-ruleset.json" | "iptables-save.txt") => "packet rules",
        (_, "ip-addr.json" | "ip-route.json") => "interfaces and routes",
        (_, "sockets.txt") => "sockets",
        _ => return None,
    };
    Some(Unread {
        what: format!("{what} of {vantage} ({file})"),
        why,
        grant: "the tool on the node, or a pod there that has it".to_owned(),
        resource: None,
        namespace: String::new(),
    })
}

/// Nodes whose taps do not count, and a probe that could not be made.
pub(super) fn blind(tapped: &Tapped) -> Vec<Unread> {
    let unread = |what: String, why: &str| Unread {
        what,
        why: why.to_owned(),
        grant: "a Pod with hostNetwork and the capability NET_RAW there".to_owned(),
        resource: None,
        namespace: String::new(),
    };
    let nodes = tapped.nodes.iter();
    let nodes = nodes.filter_map(|tap| {
        Some(unread(
            format!("tap on node {}", tap.node),
            tap.blind.as_deref()?,
        ))
    });
    let probe = tapped.attempts.as_ref().err();
    let probe =
        probe.map(|why| unread(format!("tapped probe from {}", tapped.tapping.source), why));
    nodes.chain(probe).collect()
}
