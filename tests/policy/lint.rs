//! What in a policy never comes to bear.

use netpath::cluster::ClusterView;
use netpath::policy::{Direction, End, Ends, Idle, Lint, lint};
use netpath::world::World;

use super::{WORLD, shop, view};

fn lint_of(view: &ClusterView, ends: &[&End]) -> Vec<Lint> {
    let world = World::of(view);
    lint(world.policies(), ends, || world.linter())
}

/// The lints of policies on the way from web to api: the policy's name, the field, why.
fn lints(policies: &[&str]) -> Vec<(String, String, Idle)> {
    let view = shop(policies);
    let ends = Ends::new(&view);
    let ends =
        ["shop/Pod/web", "shop/Pod/api"].map(|name| ends.named(name).expect("a pod")[0].clone());
    let ends: Vec<_> = ends.iter().collect();
    let found = lint_of(&view, &ends);
    let told = |Lint {
                    policy,
                    field,
                    idle,
                }| (policy.name, field, idle);
    found.into_iter().map(told).collect()
}

#[test]
fn each_kind_is_found_where_it_stands() {
    let no_port = |protocol| Idle::NoSuchPort("https".to_owned(), Some(protocol));
    for (policy, field, idle) in [
        (
            "{podSelector: {matchLabels: {app: nobody}}}",
            "spec.podSelector",
            Idle::SelectsNothing,
        ),
        (
            "{podSelector: {}, ingress: [{from: [{podSelector: {}}, {podSelector: {matchLabels: {app: nobody}}}]}]}",
            "spec.ingress[0].from[1]",
            Idle::NoSuchPod,
        ),
        (
            "{podSelector: {}, policyTypes: [Egress], egress: [{}, {ports: [{port: http}, {port: https}]}]}",
            "spec.egress[1].ports[1]",
            no_port(netpath::net::Protocol::Tcp),
        ),
        (
            // dns is there for UDP alone.
            "{podSelector: {matchLabels: {app: api}}, ingress: [{ports: [{port: http}, {port: https, protocol: UDP}, {port: dns, protocol: UDP}]}]}",
            "spec.ingress[0].ports[1]",
            no_port(netpath::net::Protocol::Udp),
        ),
        (
            "{podSelector: {}, policyTypes: [Ingress], ingress: [{}], egress: [{}]}",
            "spec.egress",
            Idle::LeftOut(Direction::Egress),
        ),
        (
            "{podSelector: {}, ingress: [{}], egress: []}",
            "spec.egress",
            Idle::NotClosed,
        ),
        (
            "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{}]}",
            "spec.policyTypes",
            Idle::AllClosed(Direction::Egress),
        ),
    ] {
        let expected = ("p0".to_owned(), field.to_owned(), idle);
        assert_eq!(lints(&[policy]), [expected], "{policy}");
    }
    let missing = lints(&[
        "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {name: ops}}}]}]}",
    ]);
    let [(_, field, Idle::NoSuchNamespace(requirement))] = missing.as_slice() else {
        panic!("{missing:?}");
    };
    assert_eq!(
        (field.as_str(), requirement.to_string().as_str()),
        ("spec.ingress[0].from[0]", "name=ops")
    );
}

#[test]
fn sound_policies_and_strangers_are_left_alone() {
    let policies = [
        // Selects a workload that has no pod yet.
        "{podSelector: {matchLabels: {app: planned}}}",
        // A default deny is meant.
        "{podSelector: {}, policyTypes: [Ingress, Egress]}",
        "{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24}}, {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]}]}",
        // Absence holds wherever the key is absent.
        "{podSelector: {}, ingress: [{from: [{podSelector: {matchExpressions: [{key: legacy, operator: DoesNotExist}]}}]}]}",
        "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: http}]}]}",
    ];
    assert_eq!(lints(&policies), []);
    // A policy of a namespace that the path does not touch.
    let elsewhere = format!(
        "{WORLD}---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: x, namespace: ops}}\nspec: {{podSelector: {{matchLabels: {{app: nobody}}}}}}\n"
    );
    let view = view(&elsewhere);
    let web = Ends::new(&view).named("shop/Pod/web").expect("web");
    assert_eq!(lint_of(&view, &[&web[0]]), []);
}

/// What was not read whole may hold the pod that is missed.
#[test]
fn what_was_not_read_is_not_missed() {
    let mut view = shop(&[
        "{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: nobody}}}]}]}",
        "{podSelector: {matchLabels: {app: nobody}}}",
    ]);
    view.cover(netpath::cluster::Coverage::default());
    let ends = Ends::new(&view);
    let web = ends.named("shop/Pod/web").expect("web");
    assert_eq!(lint_of(&view, &[&web[0]]), []);
}

/// Blocks of Service addresses are never seen by policies.
#[test]
fn service_ranges_are_told() {
    let yaml = format!(
        "{WORLD}---\napiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {{name: kubernetes}}\nspec: {{cidrs: [10.96.0.0/12]}}\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p, namespace: shop}}\nspec: {{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{ipBlock: {{cidr: 10.96.0.0/16}}}}, {{ipBlock: {{cidr: 10.0.0.0/8}}}}]}}]}}\n"
    );
    let view = view(&yaml);
    let web = Ends::new(&view).named("shop/Pod/web").expect("web");
    let found = lint_of(&view, &[&web[0]]);
    let net = "10.96.0.0/16".parse().expect("a CIDR");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].idle, Idle::ServiceRange(net));
}
