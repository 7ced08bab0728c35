//! Policies: verdicts, explanations, corpora.

mod corpora;
mod dialects;
mod fixes;
mod hostile;
mod lint;
mod matrix;
mod misses;
mod properties;
pub mod random;
mod verdicts;

use netpath::cluster::{Builder, ClusterView, snapshot};
use netpath::net::Protocol;
use netpath::policy::{Ends, Judgement, Policies, Question};

/// A view of the objects in a YAML text.
fn view(yaml: &str) -> ClusterView {
    let mut builder = Builder::default();
    for object in snapshot::objects(yaml).expect("YAML") {
        builder.add(object);
    }
    builder.finish()
}

/// Judges a flow between two named ends: `TCP 80`.
fn judge(view: &ClusterView, source: &str, destination: &str, port: &str) -> Judgement {
    let ends = Ends::new(view);
    let (source, destination) = (
        ends.named(source).expect("the source"),
        ends.named(destination).expect("the destination"),
    );
    let (protocol, number) = port.split_once(' ').expect("PROTOCOL NUMBER");
    Policies::compile(view).judge(&Question {
        source: &source[0],
        destination: &destination[0],
        protocol: protocol.parse::<Protocol>().expect("a protocol"),
        port: number.parse().expect("a number"),
        family: None,
    })
}

/// Two namespaces: `shop` with the pods web, api (named port http 8080/TCP and dns 5353/UDP) and
/// node-agent (hostNetwork, on node1), `ops` with prom. web is on node1, api on node2, prom on node2.
const WORLD: &str = r"
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: red}}}
- {apiVersion: v1, kind: Namespace, metadata: {name: ops, labels: {team: blue}}}
- {apiVersion: v1, kind: Node, metadata: {name: node1, labels: {zone: a}}, spec: {podCIDR: 10.1.1.0/24}, status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}}
- {apiVersion: v1, kind: Node, metadata: {name: node2, labels: {zone: b}}, spec: {podCIDR: 10.1.2.0/24}, status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}}
- apiVersion: v1
  kind: Pod
  metadata: {name: web, namespace: shop, labels: {app: web, tier: front, pod-template-hash: abc}}
  spec: {nodeName: node1, containers: [{name: c}]}
  status: {phase: Running, podIPs: [{ip: 10.1.1.5}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: api, namespace: shop, labels: {app: api}}
  spec:
    nodeName: node2
    containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]
    initContainers: [{name: sidecar, restartPolicy: Always, ports: [{name: dns, containerPort: 5353, protocol: UDP}]}]
  status: {phase: Running, podIPs: [{ip: 10.1.2.5}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: node-agent, namespace: shop, labels: {app: web}}
  spec: {nodeName: node1, hostNetwork: true, containers: [{name: c}]}
  status: {phase: Running, podIPs: [{ip: 192.168.0.1}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: prom, namespace: ops, labels: {app: prom}}
  spec: {nodeName: node2, containers: [{name: c}]}
  status: {phase: Running, podIPs: [{ip: 10.1.2.6}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: planned, namespace: shop}
  spec:
    selector: {matchLabels: {app: planned}}
    template: {metadata: {labels: {app: planned}}, spec: {containers: [{name: c}]}}
";

/// The world with policies of namespace shop: each entry is the body of `spec`.
fn shop(policies: &[&str]) -> ClusterView {
    let mut text = WORLD.to_owned();
    for (position, spec) in policies.iter().enumerate() {
        let object = format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: p{position}, namespace: shop}}\nspec: {spec}\n"
        );
        text.push_str(&object);
    }
    view(&text)
}
