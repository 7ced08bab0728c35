//! Truth tables of the dialects beyond NetworkPolicy, from what their documentation says.
//!
//! The world is that of `mod.rs`: shop has web (node1), api (node2) and node-agent (hostNetwork,
//! node1), ops has prom (node2).

mod calico;
mod cilium;
mod cluster_network_policy;

use netpath::cluster::{ClusterView, Resource, Unread};
use netpath::policy::{Doubt, Policies};

use super::{WORLD, judge, view};

const WEB: &str = "shop/Pod/web";
const API: &str = "shop/Pod/api";
const PROM: &str = "ops/Pod/prom";
const AGENT: &str = "shop/Pod/node-agent";
const NODE1: &str = "/Node/node1";
const OUTSIDE: &str = "ip/8.8.8.8";

/// `source | destination | port | egress ingress`
type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

fn check(world: &ClusterView, rows: &[Row<'_>]) {
    for (source, destination, port, expected) in rows {
        let judgement = judge(world, source, destination, port);
        let found = format!("{} {}", judgement.egress.verdict, judgement.ingress.verdict);
        assert_eq!(
            &found, expected,
            "{source} > {destination} {port}: {judgement:#?}"
        );
    }
}

fn world(objects: &str) -> ClusterView {
    view(&format!("{WORLD}---\n{objects}"))
}

/// A world whose policies have no fault.
fn sound(objects: &str) -> ClusterView {
    let world = world(objects);
    let compiled = Policies::compile(&world);
    assert_eq!(compiled.problems(), [], "{objects}");
    world
}

fn cnp(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

fn np(spec: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: np, namespace: shop}}\nspec: {spec}\n"
    )
}

const ALL: &str = "subject: {namespaces: {}}";
