//! The matrix as it is printed, and what it says changed.

use std::fmt::Write;

use netpath::cluster::ClusterView;
use netpath::net::Protocol;
use netpath::policy::matrix::diff::{Change, Difference, Side, difference};
use netpath::policy::{Policies, UnitMatrix};
use netpath::report::Gaps;
use netpath::report::matrix::MatrixFormat;
use netpath::report::matrix::{MatrixReport, print};
use netpath::terminal::Terminal;

use super::{shop, view};

/// api takes TCP 8080 from web and everything from ops; web may only call api; one block outside.
const POLICIES: [&str; 3] = [
    "{podSelector: {matchLabels: {app: api}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: http}]}, {from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}",
    "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: api}}}]}]}",
    "{podSelector: {matchLabels: {app: planned}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}]}",
];

fn printed(view: &ClusterView, namespace: Option<&str>, format: MatrixFormat) -> String {
    let policies = Policies::compile(view);
    let report = MatrixReport {
        matrix: UnitMatrix::new(view, &policies),
        namespace: namespace.map(str::to_owned),
        port: None,
        gaps: Gaps::of(view, &policies, |_| true),
        policies: &policies,
    };
    let mut out = Vec::new();
    print(&report, format, Terminal::PLAIN, &mut out).expect("a report");
    String::from_utf8(out).expect("text")
}

#[test]
fn a_namespace_is_a_grid() {
    let text = printed(&shop(&POLICIES), Some("shop"), MatrixFormat::Text);
    let expected = "\
who may talk to whom   namespace shop · 4 workloads

     from ↓  to →             1  2  3  4  5  6  7
  1  deploy/planned           ·  ·  ·  ·  ·  ●  ·
  2  pod/api                  ●  ·  ●  ●  ●  ●  ●
  3  pod/node-agent           ●  ·  ●  ●  ●  ●  ●
  4  pod/web                  ·  a  ·  ·  ·  ·  ·
  5  ops/pod/prom             ●  ●  ●  ●
  6  outside 203.0.113.0/24   ●  ·  ●  ●
  7  outside                  ●  ·  ●  ●

  ● everything   · nothing
  a TCP 8080

";
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn every_form_says_the_same() {
    let view = shop(&POLICIES);
    let csv = printed(&view, Some("shop"), MatrixFormat::Csv);
    for line in [
        "pod/web,pod/api,some,TCP 8080",
        "pod/web,ops/pod/prom,none,none",
        "ops/pod/prom,pod/api,all,all",
        "deploy/planned,outside 203.0.113.0/24,all,all",
        "deploy/planned,outside,none,none",
    ] {
        assert!(csv.contains(&format!("{line}\r\n")), "{line}\n{csv}");
    }
    // Five ends times seven, both ways, without those that were not asked for.
    assert_eq!(csv.lines().count(), 1 + 7 * 7 - 3 * 3);
    let json: serde_json::Value =
        serde_json::from_str(&printed(&view, None, MatrixFormat::Json)).expect("JSON");
    let at = |name: &str| {
        let groups = json["groups"].as_array().expect("groups");
        let is_it = |group: &serde_json::Value| group["members"][0]["name"] == name;
        groups.iter().position(is_it).expect("a group")
    };
    let set = &json["pairs"][at("web")][at("api")];
    let set = &json["portSets"][usize::try_from(set.as_u64().expect("a position")).expect("small")];
    assert_eq!(set["verdict"], "some");
    assert_eq!(set["ports"][0]["ports"], "8080");
    let mermaid = printed(&view, Some("shop"), MatrixFormat::Mermaid);
    assert!(mermaid.contains("n3 -->|\"TCP 8080\"| n1"), "{mermaid}");
    let svg = printed(&view, Some("shop"), MatrixFormat::Svg);
    assert!(
        svg.contains("<title>pod/web → pod/api: TCP 8080</title>"),
        "{svg}"
    );
    assert_eq!(svg.matches("<rect").count(), 7 * 7 - 3 * 3 + 5);
}

/// A thousand workloads are summarised by namespace; the sums are those of the single pairs.
#[test]
fn many_workloads_are_summarised() {
    let mut yaml = String::new();
    for namespace in ["left", "right"] {
        for number in 0..40 {
            let app = number % 2;
            let _ = writeln!(
                yaml,
                "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: {namespace}, labels: {{app: a{app}, n: n{number}}}}}\nspec: {{containers: [{{name: c}}]}}"
            );
            let _ = writeln!(
                yaml,
                "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: n{number}, namespace: {namespace}}}\nspec: {{podSelector: {{matchLabels: {{n: n{number}, app: a0}}}}, ingress: [{{from: [{{podSelector: {{matchLabels: {{n: n{number}}}}}}}]}}]}}"
            );
        }
    }
    let text = printed(&view(&yaml), None, MatrixFormat::Text);
    // Half of the pods take only what comes from themselves.
    assert!(text.contains("  1  left           ▒  ▒  ●"), "{text}");
    let closed = 2 * 20 * 80;
    let open = 81 * 81 - closed;
    let total = format!("6561 pairs: {open} open, {closed} closed");
    assert!(text.contains(&total), "{total}\n{text}");
}

fn compared(before: &ClusterView, after: &ClusterView) -> Difference {
    let policies = [before, after].map(Policies::compile);
    let matrices = [
        UnitMatrix::beside(before, &policies[0], &policies[1]),
        UnitMatrix::beside(after, &policies[1], &policies[0]),
    ];
    let side = |view, at: usize| Side {
        view,
        policies: &policies[at],
        matrix: &matrices[at],
    };
    difference(&side(before, 0), &side(after, 1))
}

/// Source, destination, what opened, what closed, the object and its change.
type Told = (String, String, String, String, Vec<(String, Change)>);

fn told(difference: &Difference) -> Vec<Told> {
    let pairs = difference.pairs.iter();
    pairs
        .map(|pair| {
            let causes = pair.because.iter();
            (
                pair.source.name.clone(),
                pair.destination.name.clone(),
                pair.opened.to_string(),
                pair.closed.to_string(),
                causes
                    .map(|cause| (cause.object.to_string(), cause.change))
                    .collect(),
            )
        })
        .collect()
}

#[test]
fn what_opened_and_closed_names_the_object() {
    let wider = POLICIES[0].replace("port: http", "port: http}, {port: 9090");
    let (before, after) = (shop(&POLICIES), shop(&[&wider, POLICIES[1], POLICIES[2]]));
    let p0 = |change| vec![("NetworkPolicy/shop/p0".to_owned(), change)];
    let web_to_api = |opened: &str, closed: &str, because| {
        let (opened, closed) = (opened.to_owned(), closed.to_owned());
        ("web".to_owned(), "api".to_owned(), opened, closed, because)
    };
    assert_eq!(
        told(&compared(&before, &after)),
        [web_to_api("TCP 9090", "none", p0(Change::Changed))]
    );
    assert_eq!(
        told(&compared(&after, &before)),
        [web_to_api("none", "TCP 9090", p0(Change::Changed))]
    );
    assert!(compared(&before, &before).pairs.is_empty());
    // A policy that appears.
    let closed = told(&compared(&shop(&[]), &shop(&POLICIES[..1])));
    assert!(closed.iter().any(
        |told| told == &web_to_api("none", "TCP 1-8079,8081-65535 UDP SCTP", p0(Change::Added))
    ));
    assert!(closed.iter().all(|told| told.4 == p0(Change::Added)));
}

#[test]
fn what_is_not_a_policy_can_be_the_cause() {
    let policy = "{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}";
    let before = shop(&[policy]);
    let mut after = before.clone();
    let mut namespace = after.namespaces.get("", "ops").expect("ops").clone();
    namespace.metadata.labels = None;
    after.namespaces.insert("", "ops", namespace);
    let changed = told(&compared(&before, &after));
    let ops = vec![("Namespace/ops".to_owned(), Change::Changed)];
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0].4, ops);
    // A pod that got another label.
    let mut after = before.clone();
    let mut pod = after.pods.get("shop", "api").expect("api").clone();
    pod.metadata.labels = None;
    after.pods.insert("shop", "api", pod);
    let changed = told(&compared(&before, &after));
    let api = vec![("Pod/shop/api".to_owned(), Change::Changed)];
    assert!(
        !changed.is_empty() && changed.iter().all(|told| told.4 == api),
        "{changed:?}"
    );
}

/// One port counts alone.
#[test]
fn one_port_makes_it_yes_or_no() {
    let view = shop(&POLICIES);
    let policies = Policies::compile(&view);
    let report = MatrixReport {
        matrix: UnitMatrix::new(&view, &policies),
        namespace: Some("shop".to_owned()),
        port: Some((Protocol::Tcp, 8080)),
        gaps: Gaps::default(),
        policies: &policies,
    };
    let mut out = Vec::new();
    print(&report, MatrixFormat::Text, Terminal::PLAIN, &mut out).expect("a report");
    let text = String::from_utf8(out).expect("text");
    assert!(
        text.contains("  4  pod/web                  ·  ●  ·  ·"),
        "{text}"
    );
}

/// What stays open says why, with a pair where it does.
#[test]
fn what_is_not_known_says_why() {
    let policies = [
        "{podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}",
    ];
    let text = printed(&shop(&policies), Some("shop"), MatrixFormat::Text);
    for expected in [
        "  2  pod/api              ?",
        "? not known",
        "\n  ? pod/api → deploy/planned: an address block is asked for, and Deployment/shop/planned has no address yet\n",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&printed(&shop(&policies), Some("shop"), MatrixFormat::Json))
            .expect("JSON");
    let [reason] = json["reasons"].as_array().expect("reasons").as_slice() else {
        panic!("{json}");
    };
    let group = |end: &str| {
        let at = usize::try_from(reason[end].as_u64().expect("a position")).expect("small");
        json["groups"][at]["members"][0]["name"].clone()
    };
    assert_eq!(
        (group("from"), group("to")),
        ("api".into(), "planned".into())
    );
    let why = reason["why"].as_str().expect("text");
    assert!(why.contains("has no address yet"), "{why}");
    let settled = printed(&shop(&POLICIES), Some("shop"), MatrixFormat::Json);
    assert!(!settled.contains("reasons"), "{settled}");
}

/// So does a summary, of which the single pairs are not shown.
#[test]
fn what_is_not_known_says_why_in_a_summary() {
    let mut yaml = String::from(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: planned, namespace: left}\nspec: {selector: {matchLabels: {app: planned}}, template: {metadata: {labels: {app: planned}}, spec: {containers: [{name: c}]}}}\n",
    );
    for number in 0..50 {
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: right, labels: {{n: n{number}}}}}\nspec: {{containers: [{{name: c}}]}}\nstatus: {{phase: Running, podIP: 192.168.0.{number}, podIPs: [{{ip: 192.168.0.{number}}}]}}\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: n{number}, namespace: right}}\nspec: {{podSelector: {{matchLabels: {{n: n{number}}}}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 10.{number}.0.0/16}}}}]}}]}}"
        );
    }
    let view = view(&yaml);
    for (namespace, pair) in [
        (None, "right/pod/p0 → left/deploy/planned"),
        (Some("right"), "pod/p0 → left/deploy/planned"),
    ] {
        let text = printed(&view, namespace, MatrixFormat::Text);
        let expected = format!(
            "\n  ? {pair}: an address block is asked for, and Deployment/left/planned has no address yet\n"
        );
        assert!(text.contains(&expected), "{expected} in\n{text}");
    }
}

/// Pods of one workload that policies tell apart have a line each.
#[test]
fn pods_that_differ_are_told_apart() {
    let mut yaml = String::new();
    for (name, color) in [("a", "blue"), ("b", "blue"), ("c", "green")] {
        let _ = writeln!(
            yaml,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: x-{name}, namespace: shop, labels: {{color: {color}}}, ownerReferences: [{{apiVersion: apps/v1, kind: StatefulSet, name: x, uid: u, controller: true}}]}}\nspec: {{containers: [{{name: c}}]}}"
        );
    }
    yaml += "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: {podSelector: {matchLabels: {color: green}}}\n";
    let text = printed(&view(&yaml), Some("shop"), MatrixFormat::Text);
    let expected = "
  1  sts/x (2 of 3 pods)   ●  ·  ●
  2  sts/x (1 of 3 pods)   ●  ·  ●
  3  outside               ●  ·
";
    assert!(text.contains(expected), "{text}");
}
