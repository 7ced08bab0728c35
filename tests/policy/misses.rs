//! Why a rule does not match, and what to change.

use netpath::cluster::ClusterView;
use netpath::policy::{Cause, LeafMiss, PolicyVerdict, PortMissKind, RuleMiss};

use super::{judge, shop};

const WEB: &str = "shop/Pod/web";
const API: &str = "shop/Pod/api";
const PROM: &str = "ops/Pod/prom";

fn nearest(view: &ClusterView, source: &str, port: &str) -> RuleMiss {
    let judgement = judge(view, source, API, port);
    assert_eq!(judgement.ingress.verdict, PolicyVerdict::Deny);
    judgement.ingress.misses[0].clone()
}

fn leaves(miss: &RuleMiss) -> &[LeafMiss] {
    match &miss.cause {
        Cause::Mismatch { peers, .. } => &peers[0].leaves,
        Cause::NoRules { .. } => &[],
    }
}

fn port_kind(miss: &RuleMiss) -> &PortMissKind {
    match &miss.cause {
        Cause::Mismatch {
            port: Some(port), ..
        } => &port.nearest().expect("an entry").1,
        other => panic!("no port misses: {other:?}"),
    }
}

#[test]
fn the_kinds_of_misses_are_told_apart() {
    let named = |label: &str| {
        shop(&[&format!(
            "{{ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{{label}}}}}}}]}}]}}"
        )])
    };
    // A label no namespace carries; the value stands under another key.
    let miss = nearest(&named("name: ops"), PROM, "TCP 80");
    let [LeafMiss::Label(label)] = leaves(&miss) else {
        panic!("{miss:?}")
    };
    assert_eq!(label.carriers, Some(0));
    assert_eq!(
        label.nearest.as_ref().map(|(key, _)| key.as_str()),
        Some("kubernetes.io/metadata.name")
    );
    // One that another namespace carries.
    let miss = nearest(&named("team: red"), PROM, "TCP 80");
    let [LeafMiss::Label(label)] = leaves(&miss) else {
        panic!("{miss:?}")
    };
    assert_eq!(
        (label.carriers, label.has.as_deref()),
        (Some(1), Some("blue"))
    );
    // A pod label.
    let view = shop(&["{ingress: [{from: [{podSelector: {matchLabels: {app: frontend}}}]}]}"]);
    let miss = nearest(&view, WEB, "TCP 80");
    let [LeafMiss::Label(label)] = leaves(&miss) else {
        panic!("{miss:?}")
    };
    assert_eq!(label.has.as_deref(), Some("web"));
    assert!(miss.cause.is_peer_only());
    // Both selectors in one peer.
    let view = shop(&[
        "{ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: web}}}]}]}",
    ]);
    let split = |source| match nearest(&view, source, "TCP 80").cause {
        Cause::Mismatch { peers, .. } => peers[0].split,
        Cause::NoRules { .. } => None,
    };
    assert!(split(PROM).is_some_and(|split| split.namespaces_alone && !split.pods_alone));
    assert!(split(WEB).is_some_and(|split| !split.namespaces_alone && split.pods_alone));
    // A pod in its node's network namespace, whose labels would fit.
    let view = shop(&["{ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}"]);
    let miss = nearest(&view, "shop/Pod/node-agent", "TCP 80");
    assert_eq!(leaves(&miss), [LeafMiss::HostNetwork]);
    // Nodes and the outside.
    assert_eq!(
        leaves(&nearest(&view, "/Node/node1", "TCP 80")),
        [LeafMiss::NotAPod { is_node: true }]
    );
    assert_eq!(
        leaves(&nearest(&view, "ip/9.9.9.9", "TCP 80")),
        [LeafMiss::NotAPod { is_node: false }]
    );
    // Blocks and their holes.
    let view =
        shop(&["{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.1.0/24]}}]}]}"]);
    let miss = nearest(&view, WEB, "TCP 80");
    let [LeafMiss::Excepted { hole, .. }] = leaves(&miss) else {
        panic!()
    };
    assert_eq!(hole.to_string(), "10.1.1.0/24");
    let miss = nearest(&view, "ip/9.9.9.9", "TCP 80");
    assert!(matches!(
        leaves(&miss),
        [LeafMiss::Outside {
            is_other_family: false,
            ..
        }]
    ));
}

#[test]
fn ports_are_told_apart() {
    let rule = |ports: &str| shop(&[&format!("{{ingress: [{{ports: [{ports}]}}]}}")]);
    for (ports, asked, expected) in [
        ("{port: 80}", "TCP 8080", PortMissKind::Number),
        ("{port: 5353}", "UDP 5353", PortMissKind::ProtocolOnly),
        (
            "{port: 5353, protocol: SCTP}",
            "UDP 5353",
            PortMissKind::ProtocolOnly,
        ),
        ("{port: web}", "TCP 8080", PortMissKind::UnknownName),
        ("{port: http}", "TCP 80", PortMissKind::OtherNumber(8080)),
        (
            "{port: 1}, {port: 53}",
            "UDP 53",
            PortMissKind::ProtocolOnly,
        ),
    ] {
        let miss = nearest(&rule(ports), WEB, asked);
        assert_eq!(port_kind(&miss), &expected, "{ports} {asked}");
        assert!(miss.cause.is_port_only());
    }
}

#[test]
fn no_rules_at_all() {
    for (spec, is_written, is_named) in [
        ("{}", false, false),
        ("{policyTypes: [Ingress]}", false, true),
        ("{ingress: []}", true, false),
    ] {
        let miss = nearest(&shop(&[spec]), WEB, "TCP 80");
        assert_eq!(
            miss.cause,
            Cause::NoRules {
                is_written,
                is_named
            },
            "{spec}"
        );
        assert_eq!(miss.rule.rule, None);
    }
}

#[test]
fn the_nearest_miss_comes_first() {
    let far = "{ingress: [{from: [{ipBlock: {cidr: 1.0.0.0/8}}], ports: [{port: 1}]}]}";
    let near =
        "{ingress: [{from: [{podSelector: {matchLabels: {app: other}}}], ports: [{port: 80}]}]}";
    let miss = nearest(&shop(&["{}", far, near]), WEB, "TCP 80");
    assert_eq!(miss.rule.policy.name, "p2");
}
