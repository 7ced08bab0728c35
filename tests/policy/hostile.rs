//! Policies nobody should write: one message each, and the rest is judged as ever.

use std::fmt::Write;

use netpath::cluster::ClusterView;
use netpath::policy::{Bulk, Ends, Policies, PolicyVerdict, UnitMatrix, lint};
use netpath::world::World;

use super::{WORLD, judge, shop, view};

const WEB: &str = "shop/Pod/web";
const API: &str = "shop/Pod/api";

/// The field of every message.
fn fields(view: &ClusterView) -> Vec<String> {
    let policies = Policies::compile(view);
    let problems = policies.problems().iter();
    problems.map(|problem| problem.field.clone()).collect()
}

/// Every fault of one policy is told once, at its place; what is sound in it still counts.
#[test]
fn every_fault_is_one_message_and_the_rest_is_judged() {
    let world = shop(&["{podSelector: {matchLabels: {app: api}}, policyTypes: [Ingress], ingress: [
        {from: [{ipBlock: {cidr: 10.0.0.0/40}}], ports: [{port: 1}]},
        {from: [{ipBlock: {cidr: 10.0.0.0/8, except: [nonsense]}}], ports: [{port: 2}]},
        {from: [{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}], ports: [{port: 3}]},
        {from: [{podSelector: {matchExpressions: [{key: app, operator: Like, values: [w]}]}}], ports: [{port: 4}]},
        {ports: [{port: 100, endPort: 99}]},
        {ports: [{port: -1}]},
        {ports: [{port: http, endPort: 9000}]},
        {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 8080}]}]}"]);
    assert_eq!(
        fields(&world),
        [
            "spec.ingress[0].from[0].ipBlock.cidr",
            "spec.ingress[1].from[0].ipBlock.except[0]",
            "spec.ingress[2].from[0]",
            "spec.ingress[3].from[0].podSelector",
            "spec.ingress[4].ports[0]",
            "spec.ingress[5].ports[0]",
            "spec.ingress[6].ports[0]",
        ]
    );
    let verdict = |source, port| judge(&world, source, API, port).ingress.verdict;
    assert_eq!(verdict(WEB, "TCP 8080"), PolicyVerdict::Allow);
    // Each doubtful rule is about its own port, but for those whose port is in doubt.
    assert_eq!(verdict(WEB, "TCP 1"), PolicyVerdict::Unknown);
    assert_eq!(verdict(WEB, "UDP 1"), PolicyVerdict::Deny);
    // Other policies are none the wiser.
    assert_eq!(
        judge(&world, API, WEB, "TCP 80").verdict(),
        PolicyVerdict::Allow
    );
}

/// Objects that are no policies at all, beside one that is.
#[test]
fn wrecks_beside_a_sound_policy() {
    let mut yaml = WORLD.to_owned();
    for (number, wreck) in [
        "spec: {ingress: 7}",
        "spec: [1, 2]",
        "spec: {podSelector: {matchLabels: [a]}}",
        "spec: {ingress: [{from: {podSelector: {}}}]}",
        "spec: {ingress: [{ports: [{port: {}}]}]}",
    ]
    .iter()
    .enumerate()
    {
        let _ = writeln!(
            yaml,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: w{number}, namespace: shop}}\n{wreck}"
        );
    }
    yaml += "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: sound, namespace: ops}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n";
    let world = view(&yaml);
    let told = Policies::compile(&world).problems().len();
    assert_eq!(told, 5);
    // In their namespace all is open to doubt; elsewhere nothing is.
    assert_eq!(
        judge(&world, WEB, API, "TCP 80").ingress.verdict,
        PolicyVerdict::Unknown
    );
    assert_eq!(
        judge(&world, "ip/1.1.1.1", "ops/Pod/prom", "TCP 80")
            .ingress
            .verdict,
        PolicyVerdict::Deny
    );
}

/// Ten thousand peers, all different: judged, tabulated and looked over, and the last one counts.
#[test]
fn ten_thousand_peers() {
    let mut peers = String::new();
    for number in 0..10_000 {
        let _ = match number % 3 {
            0 => write!(
                peers,
                "{{podSelector: {{matchLabels: {{app: x{number}}}}}}}, "
            ),
            1 => write!(
                peers,
                "{{namespaceSelector: {{matchLabels: {{team: x{number}}}}}}}, "
            ),
            _ => write!(
                peers,
                "{{ipBlock: {{cidr: 11.{}.{}.0/24}}}}, ",
                number / 256,
                number % 256
            ),
        };
    }
    let policy = format!(
        "{{podSelector: {{matchLabels: {{app: api}}}}, ingress: [{{from: [{peers}{{podSelector: {{matchLabels: {{app: web}}}}}}]}}]}}"
    );
    let world = shop(&[&policy]);
    assert_eq!(
        judge(&world, WEB, API, "TCP 80").ingress.verdict,
        PolicyVerdict::Allow
    );
    assert_eq!(
        judge(&world, "ops/Pod/prom", API, "TCP 80").ingress.verdict,
        PolicyVerdict::Deny
    );
    assert_eq!(
        judge(&world, "ip/11.0.2.7", API, "TCP 80").ingress.verdict,
        PolicyVerdict::Allow
    );
    let policies = Policies::compile(&world);
    // A part of the outside for every block.
    let matrix = UnitMatrix::new(&world, &policies);
    assert_eq!(
        matrix.units.iter().filter(|unit| unit.is_outside()).count(),
        3333 + 1
    );
    let api = Ends::new(&world).named(API).expect("api");
    let whole = World::of(&world);
    assert_eq!(lint(&policies, &[&api[0]], || whole.linter()).len(), 6667);
}

/// Nesting and length that would exhaust a careless reader.
#[test]
fn deep_and_long_texts() {
    let deep = format!("{}all(){}", "(".repeat(50_000), ")".repeat(50_000));
    let long = format!("app in {{{}}}", vec!["'x'"; 50_000].join(", "));
    for (selector, expected) in [(deep, PolicyVerdict::Unknown), (long, PolicyVerdict::Allow)] {
        let world = view(&format!(
            "{WORLD}---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: p}}\nspec: {{selector: \"{selector}\", types: [Ingress], ingress: [{{action: Deny}}]}}\n"
        ));
        assert_eq!(judge(&world, WEB, API, "TCP 80").ingress.verdict, expected);
    }
}

/// Questions that are none get an answer each, in order.
#[test]
fn questions_that_make_no_sense() {
    let world = shop(&[]);
    let whole = World::of(&world);
    let mut bulk = Bulk::new(whole.policies(), whole.ends());
    for line in [
        "",
        "{",
        "[]",
        r#"{"src": "shop/Pod/web"}"#,
        r#"{"src": "shop/Pod/web", "dst": "shop/Pod/nobody", "port": 80}"#,
        r#"{"src": "shop/Pod/web", "dst": "ip/300.1.1.1", "port": 80}"#,
        r#"{"src": "shop/Pod/web", "dst": "shop/Pod/api", "port": 70000}"#,
        r#"{"src": "shop/Pod/web", "dst": "shop/Pod/api", "port": 80, "protocol": "QUIC"}"#,
    ] {
        let answer = bulk.answer(line);
        assert!(
            answer.error && answer.verdict == PolicyVerdict::Unknown && !answer.why.is_empty(),
            "{line}"
        );
    }
    let sound = r#"{"src": "shop/Pod/web", "dst": "shop/Pod/api", "port": 80}"#;
    assert_eq!(bulk.answer(sound).verdict, PolicyVerdict::Allow);
}
