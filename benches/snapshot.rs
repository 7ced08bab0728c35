//! A large cluster: 10,000 pods, 5,000 Services, 1,000 policies. What it takes to load a snapshot of it,
//! and what one question costs then.
//!
//! `cargo bench --bench snapshot`.

use std::fmt::Write as _;

use divan::{AllocProfiler, Bencher, black_box};
use netpath::cluster::{ClusterView, snapshot};
use netpath::commands::examine;
use netpath::observe::Observations;
use netpath::target::{HttpAsked, Request};
use netpath::world::World;

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

const PODS: u32 = 10_000;
const SERVICES: u32 = 5_000;
const POLICIES: u32 = 1_000;
const NAMESPACES: u32 = 50;

fn main() {
    println!("{} bytes of YAML", objects().len());
    divan::main();
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_yaml(bencher: Bencher<'_, '_>) {
    let text = objects();
    bencher.bench_local(|| black_box(load(&text)));
}

/// The same objects as JSON, as `kubectl get -o json` prints them.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_json(bencher: Bencher<'_, '_>) {
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List",
        "items": snapshot::objects(&objects()).expect("our own objects")});
    let text = list.to_string();
    bencher.bench_local(|| black_box(load(&text)));
}

/// From what was typed to the report.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn one_pair(bencher: Bencher<'_, '_>) {
    let view = load(&objects());
    let request = Request {
        source: "pod/pod-4321".parse().expect("a target"),
        destination: "svc/svc-2107:80".parse().expect("a target"),
        source_namespace: "ns-21".to_owned(),
        destination_namespace: "ns-7".to_owned(),
        protocol: None,
        http: HttpAsked::default(),
    };
    bencher.bench_local(|| {
        let report = examine(&World::of(&view), &request, &Observations::default());
        let report = report.expect("both ends are there");
        assert!(!report.paths.is_empty(), "there is a way");
        black_box(report)
    });
}

fn load(text: &str) -> ClusterView {
    snapshot::parse("objects.yaml", text).expect("our own objects")
}

/// The cluster as one YAML stream.
fn objects() -> String {
    let mut text = String::new();
    write(&mut text).expect("a string takes everything");
    text
}

fn write(text: &mut String) -> std::fmt::Result {
    for node in 0..100 {
        writeln!(
            text,
            "---\napiVersion: v1\nkind: Node\nmetadata: {{name: node-{node}}}\nspec: {{podCIDR: 10.{node}.0.0/16}}\n\
             status: {{conditions: [{{type: Ready, status: \"True\"}}], addresses: [{{type: InternalIP, address: 192.168.0.{}}}]}}",
            node + 1
        )?;
    }
    for namespace in 0..NAMESPACES {
        writeln!(
            text,
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: ns-{namespace}, labels: {{team: t{}}}}}",
            namespace % 7
        )?;
    }
    for pod in 0..PODS {
        let (namespace, node) = (pod % NAMESPACES, pod % 100);
        writeln!(
            text,
            "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: pod-{pod}\n  namespace: ns-{namespace}\n  labels: {{app: app-{}, tier: t{}}}\n\
             spec:\n  nodeName: node-{node}\n  containers:\n  - name: main\n    image: example.org/main:1\n    ports: [{{name: http, containerPort: 8080}}]\n\
             status:\n  phase: Running\n  podIP: {ip}\n  podIPs: [{{ip: {ip}}}]\n  conditions: [{{type: Ready, status: \"True\"}}]",
            pod / NAMESPACES % 100,
            pod % 3,
            ip = address(pod)
        )?;
    }
    for service in 0..SERVICES {
        let namespace = service % NAMESPACES;
        let ip = format!("172.20.{}.{}", service / 250, service % 250 + 1);
        writeln!(
            text,
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: svc-{service}, namespace: ns-{namespace}}}\n\
             spec: {{type: ClusterIP, clusterIP: {ip}, clusterIPs: [{ip}], selector: {{app: app-{app}}}, ports: [{{name: http, port: 80, targetPort: http, protocol: TCP}}]}}\n\
             ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n\
             metadata: {{name: svc-{service}-x, namespace: ns-{namespace}, labels: {{kubernetes.io/service-name: svc-{service}}}}}\n\
             ports: [{{name: http, protocol: TCP, port: 8080}}]\nendpoints:",
            app = service / NAMESPACES
        )?;
        // Its pods: two, as every label has two in its namespace.
        for pod in [service, service + SERVICES] {
            writeln!(
                text,
                "- {{addresses: [{}], nodeName: node-{}, conditions: {{ready: true}}, targetRef: {{kind: Pod, name: pod-{pod}, namespace: ns-{namespace}}}}}",
                address(pod),
                pod % 100
            )?;
        }
    }
    for policy in 0..POLICIES {
        writeln!(
            text,
            "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: policy-{policy}, namespace: ns-{}}}\n\
             spec:\n  podSelector: {{matchLabels: {{app: app-{}}}}}\n  policyTypes: [Ingress]\n  ingress:\n\
             \x20 - from: [{{namespaceSelector: {{matchLabels: {{team: t{}}}}}}}, {{podSelector: {{matchLabels: {{tier: t1}}}}}}]\n    ports: [{{port: http}}, {{port: 9000, endPort: 9100}}]",
            policy % NAMESPACES,
            policy / NAMESPACES * 5,
            policy % 7
        )?;
    }
    Ok(())
}

/// The address of a pod.
fn address(pod: u32) -> String {
    format!("10.{}.{}.{}", pod % 100, pod / 25_000, pod / 100 + 2)
}
