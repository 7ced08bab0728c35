//! What a fix promises, it does.

use netpath::cluster::ClusterView;
use netpath::net::Protocol;
use netpath::policy::{Closing, Direction, Ends, Policies, PolicyVerdict, Question};
use serde_json::Value;

use super::{judge, shop};

const WEB: &str = "shop/Pod/web";
const API: &str = "shop/Pod/api";
const PROM: &str = "ops/Pod/prom";

/// The promise of a fix: applied, it admits what was denied.
#[test]
fn every_fix_works() {
    let specs = [
        "{}",
        "{ingress: []}",
        "{policyTypes: [Ingress]}",
        "{ingress: [{ports: [{port: 80}]}]}",
        "{ingress: [{ports: [{port: nothing}]}]}",
        "{ingress: [{from: [{podSelector: {matchLabels: {app: none}}}]}]}",
        "{ingress: [{from: [{podSelector: {matchLabels: {app: none}}}], ports: [{port: 9}]}]}",
        "{ingress: [{from: [{namespaceSelector: {matchLabels: {a: b}}, podSelector: {}}], ports: [{port: 443}, {}]}]}",
        "{ingress: [{from: [{ipBlock: {cidr: 172.16.0.0/12}}]}]}",
    ];
    for spec in specs {
        for source in [
            WEB,
            PROM,
            "shop/Pod/node-agent",
            "ip/8.8.8.8",
            "shop/Deployment/planned",
        ] {
            for port in ["TCP 443", "UDP 53"] {
                let mut view = shop(&[spec]);
                let judgement = judge(&view, source, API, port);
                if judgement.ingress.verdict != PolicyVerdict::Deny {
                    continue;
                }
                for miss in &judgement.ingress.misses {
                    let fix = miss.fix.as_ref().expect("a fix");
                    let policy = view.network_policies.get("shop", "p0").expect("the policy");
                    let mut object = serde_json::to_value(policy).expect("JSON");
                    apply(&mut object, &fix.patch);
                    let policy = serde_json::from_value(object).expect("still a policy");
                    view.network_policies.insert("shop", "p0", policy);
                    let mended = judge(&view, source, API, port);
                    assert_eq!(
                        mended.ingress.verdict,
                        PolicyVerdict::Allow,
                        "{spec} {source} {port}: {fix:?}"
                    );
                }
            }
        }
    }
}

/// Policies of each dialect that deny something.
fn denying() -> [String; 14] {
    let subject = "subject: {namespaces: {}}";
    let admin = |kind: &str, version: &str, spec: &str| {
        format!(
            "apiVersion: policy.networking.k8s.io/{version}\nkind: {kind}\nmetadata: {{name: default}}\nspec: {{{spec}}}\n"
        )
    };
    let calico = |spec: &str| {
        format!(
            "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: g}}\nspec: {{namespaceSelector: all(), {spec}}}\n"
        )
    };
    let cilium = |spec: &str| {
        format!(
            "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: c, namespace: shop}}\nspec: {{endpointSelector: {{}}, {spec}}}\n"
        )
    };
    let deny = "ingress: [{action: Deny, from: [{namespaces: {}}]}]";
    let missing = "ingress: [{action: Allow, from: [{namespaces: {matchLabels: {a: b}}}]}, {action: Deny, from: [{namespaces: {}}]}]";
    let out = "egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]";
    [
        admin(
            "AdminNetworkPolicy",
            "v1alpha1",
            &format!("priority: 1, {subject}, {deny}"),
        ),
        admin(
            "AdminNetworkPolicy",
            "v1alpha1",
            &format!("priority: 1, {subject}, {missing}"),
        ),
        admin(
            "AdminNetworkPolicy",
            "v1alpha1",
            &format!("priority: 1, {subject}, {out}"),
        ),
        admin(
            "BaselineAdminNetworkPolicy",
            "v1alpha1",
            &format!("{subject}, {deny}"),
        ),
        admin(
            "ClusterNetworkPolicy",
            "v1alpha2",
            &format!("tier: Admin, priority: 1, {subject}, {deny}"),
        ),
        admin(
            "ClusterNetworkPolicy",
            "v1alpha2",
            &format!("tier: Baseline, priority: 1, {subject}, {out}"),
        ),
        calico("ingress: [{action: Deny}]"),
        calico("types: [Ingress, Egress]"),
        calico("ingress: [{action: Allow, source: {nets: [1.0.0.0/8]}}]"),
        cilium("ingress: [{}]"),
        cilium("egress: [{}]"),
        cilium("egress: [{toEntities: [all]}], egressDeny: [{toEntities: [all]}]"),
        cilium("ingress: [{fromEndpoints: [{matchLabels: {a: b}}]}]"),
        cilium("ingressDeny: [{fromEndpoints: [{matchLabels: {a: b}}]}]"),
    ]
}

/// The same for every other dialect: what denies, then the object whose kind is asked for.
#[test]
fn fixes_speak_the_language_of_their_policy() {
    let mut mended = 0;
    for object in denying() {
        let ends = ["shop/Pod/web", API, PROM, "ip/8.8.8.8", "/Node/node1"];
        let pairs = ends
            .iter()
            .flat_map(|one| ends.iter().map(move |other| (one, other)));
        for (source, destination) in pairs.filter(|(one, other)| one != other) {
            let mut world = super::view(&format!("{}---\n{object}", super::WORLD));
            let judgement = judge(&world, source, destination, "TCP 443");
            for side in judgement
                .directions()
                .filter(|side| side.verdict == PolicyVerdict::Deny)
            {
                let Some(fix) = side.opening() else {
                    // No cluster-wide rule can name who is not a pod as a source.
                    assert!(
                        object.contains("policy.networking"),
                        "{object} {source} > {destination}"
                    );
                    continue;
                };
                let table = world
                    .custom
                    .get_mut(&fix.policy.resource)
                    .expect("its table");
                let (namespace, name) = (fix.policy.namespace.clone(), fix.policy.name.clone());
                let mut object = table.get(&namespace, &name).expect("the policy").clone();
                apply(&mut object, &fix.patch);
                table.insert(namespace, name, object.clone());
                let again = judge(&world, source, destination, "TCP 443");
                let again = again
                    .directions()
                    .find(|found| found.direction == side.direction);
                assert_eq!(
                    again.map(|side| side.verdict),
                    Some(PolicyVerdict::Allow),
                    "{object} {source} > {destination} {fix:?}"
                );
                mended += 1;
            }
        }
    }
    assert!(mended > 60, "{mended}");
}

/// What closes a flow really closes it.
#[test]
fn closing_works() {
    let union = "{ingress: [{from: [{podSelector: {}}]}, {ports: [{port: 443}]}]}";
    let mut view = shop(&[union, "{ingress: [{}]}"]);
    let closing = close(&view, WEB).expect("a way");
    let Closing::Rules(fixes) = closing else {
        panic!("{closing:?}")
    };
    assert_eq!(fixes.len(), 2);
    for fix in fixes {
        let name = fix.policy.name.clone();
        let policy = view
            .network_policies
            .get("shop", &name)
            .expect("the policy");
        let mut object = serde_json::to_value(policy).expect("JSON");
        apply(&mut object, &fix.patch);
        let policy = serde_json::from_value(object).expect("still a policy");
        view.network_policies.insert("shop", name, policy);
    }
    assert_eq!(
        judge(&view, WEB, API, "TCP 443").ingress.verdict,
        PolicyVerdict::Deny
    );
    // Where no policy isolates, one must come.
    let mut open = shop(&[]);
    let Some(Closing::Policy { object, .. }) = close(&open, WEB) else {
        panic!()
    };
    let policy = serde_json::from_value(object).expect("a policy");
    open.network_policies.insert("shop", "new", policy);
    assert_eq!(
        judge(&open, WEB, API, "TCP 443").ingress.verdict,
        PolicyVerdict::Deny
    );
}

fn close(view: &ClusterView, source: &str) -> Option<Closing> {
    let ends = Ends::new(view);
    let (source, destination) = (
        ends.named(source).expect("it"),
        ends.named(API).expect("it"),
    );
    Policies::compile(view).closing(
        Direction::Ingress,
        &Question {
            source: &source[0],
            destination: &destination[0],
            protocol: Protocol::Tcp,
            port: 443,
            family: None,
        },
    )
}

/// As much of RFC 6902 as a fix uses: `add` at a member or in a list, `remove` from a list.
fn apply(object: &mut Value, patch: &Value) {
    for change in patch.as_array().expect("a list of steps") {
        let target = change["path"].as_str().expect("a path");
        let (parent, last) = target.rsplit_once('/').expect("a pointer");
        let parent = object.pointer_mut(parent).expect("the parent exists");
        let value = change["value"].clone();
        match (change["op"].as_str(), parent) {
            (Some("add"), Value::Array(items)) if last == "-" => items.push(value),
            (Some("add"), Value::Array(items)) => {
                items.insert(last.parse().expect("an index"), value);
            }
            (Some("add"), Value::Object(fields)) => drop(fields.insert(last.to_owned(), value)),
            (Some("remove"), Value::Array(items)) => {
                drop(items.remove(last.parse().expect("an index")));
            }
            (op, other) => panic!("{op:?} {target} in {other}"),
        }
    }
}
