//! What is said of several recordings with facts of nodes at once. The scenarios themselves are folders.

use libtest_mimic::Trial;
use netpath::cluster::{ClusterView, Facts};
use netpath::path::Basis;
use netpath::report::PathReport;

use super::expectation::faults;
use super::folder;
use super::harness::check;
use super::scenario::Scenario;

pub fn trials() -> Vec<Trial> {
    vec![
        check(
            "nodes/recorded-faults-have-proof-and-a-way-out",
            recorded_faults_have_proof_and_a_way_out,
        ),
        check(
            "nodes/what-was-not-gathered-is-not-claimed",
            what_was_not_gathered_is_not_claimed,
        ),
        check(
            "nodes/sockets-that-were-read-are-not-left-open",
            sockets_that_were_read_are_not_left_open,
        ),
    ]
}

fn recorded(name: &str) -> Scenario {
    Scenario::read(&folder("recorded").join(name))
}

fn codes(report: &PathReport) -> Vec<&str> {
    let found = faults(report).into_iter();
    found.map(|finding| finding.code.as_str()).collect()
}

fn recorded_faults_have_proof_and_a_way_out() {
    for name in [
        "bridge-nf-off-same-node",
        "foreign-dnat-grabs-the-service",
        "listens-on-loopback-only",
        "nodeport-dropped-by-host-firewall",
        "one-endpoint-dead",
        "service-rules-flushed",
    ] {
        let report = recorded(name).ask().expect("an answer");
        let whole = report
            .findings
            .first()
            .is_some_and(|first| !first.evidence.is_empty() && !first.fix.commands.is_empty());
        let is_one = faults(&report).len() == 1 && report.basis.contains(&Basis::Node);
        assert!(whole && is_one, "{name}: {:?}", report.findings);
    }
}

/// Where a node was not looked at, nothing is claimed of it, and the report says so.
fn what_was_not_gathered_is_not_claimed() {
    let flushed = recorded("service-rules-flushed");
    let ask = |change: &dyn Fn(&mut ClusterView)| {
        let mut view = flushed.view();
        change(&mut view);
        flushed.expected.ask(&view).expect("an answer")
    };
    let report = ask(&|view| view.facts = Facts::default());
    assert_eq!(format!("{:?}", report.verdict), "Reachable");
    assert_eq!(report.basis, [Basis::Api]);

    let report = ask(&|view| drop(view.facts.nodes.remove("node1")));
    assert_eq!(codes(&report), [""; 0]);
    let mut open = report.not_looked_at.iter();
    assert!(open.any(|what| what.ends_with("on node1")));

    // A dump of another backend than kube-proxy's says nothing of its rules.
    for text in [None, Some("Cannot open netlink socket")] {
        let report = ask(&|view| {
            let node = view.facts.nodes.get_mut("node1").expect("node1");
            node.iptables = text.map(str::to_owned);
        });
        assert_eq!(codes(&report), [""; 0]);
    }
}

/// What was looked at is not listed as not looked at.
fn sockets_that_were_read_are_not_left_open() {
    let report = recorded("ok-pod-to-service").ask().expect("an answer");
    let open = &report.not_looked_at;
    assert!(!open.iter().any(|one| one.contains("listens")), "{open:?}");
}
