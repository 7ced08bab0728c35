//! A suite of 200 URLs over 50 Gateways and 500 routes: `cargo bench --bench doors`.

use std::fmt::Write;

use divan::{Bencher, black_box};
use netpath::cluster::snapshot;
use netpath::commands::examine;
use netpath::observe::Observations;
use netpath::target::{HttpAsked, Request};
use netpath::world::World;

const GATEWAYS: usize = 50;
const ROUTES: usize = 500;
const URLS: usize = 200;

fn main() {
    divan::main();
}

#[divan::bench]
fn a_suite_of_urls(bencher: Bencher<'_, '_>) {
    let text = cluster();
    let requests: Vec<Request> = (0..URLS).map(request).collect();
    bencher.bench_local(|| {
        let view = snapshot::parse("objects.yaml", &text).expect("our own objects");
        let world = World::of(&view);
        for request in &requests {
            let report = examine(&world, request, &Observations::default()).expect("an answer");
            assert!(!report.paths.is_empty(), "there is a way");
            black_box(report);
        }
    });
}

fn request(index: usize) -> Request {
    let host = index * 7 % ROUTES;
    Request {
        source: "external".parse().expect("a target"),
        destination: format!("https://app-{host}.example/cart")
            .parse()
            .expect("a target"),
        source_namespace: "default".to_owned(),
        destination_namespace: "default".to_owned(),
        protocol: None,
        http: HttpAsked::default(),
    }
}

/// One class; Gateways with two listeners each and a Service and a pod of their own; routes that each lead
/// to a Service with one endpoint.
fn cluster() -> String {
    let mut text = String::from(
        "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\nstatus: {addresses: [{type: InternalIP, address: 172.30.0.11}], conditions: [{type: Ready, status: 'True'}]}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: edge}\nspec: {controllerName: gateway.example/controller}\n",
    );
    for index in 0..GATEWAYS {
        write!(text, "---\n{{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {{name: g{index}, namespace: edge}}, spec: {{gatewayClassName: edge, listeners: [{{name: http, port: 80, protocol: HTTP, allowedRoutes: {{namespaces: {{from: All}}}}}}, {{name: https, port: 443, protocol: HTTPS, tls: {{certificateRefs: [{{name: c}}]}}, allowedRoutes: {{namespaces: {{from: All}}}}}}]}}}}
---
{{apiVersion: v1, kind: Service, metadata: {{name: g{index}, namespace: edge, labels: {{gateway.networking.k8s.io/gateway-name: g{index}}}}}, spec: {{type: LoadBalancer, clusterIP: 10.96.1.{index}, ipFamilies: [IPv4], selector: {{gateway.networking.k8s.io/gateway-name: g{index}}}, ports: [{{name: https, port: 443, targetPort: 443}}]}}, status: {{loadBalancer: {{ingress: [{{ip: 203.0.113.{index}}}]}}}}}}
---
{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: g{index}, namespace: edge, labels: {{kubernetes.io/service-name: g{index}}}}}, addressType: IPv4, ports: [{{name: https, port: 443}}], endpoints: [{{addresses: [10.244.1.{index}], nodeName: n1, conditions: {{ready: true}}, targetRef: {{kind: Pod, name: g{index}, namespace: edge}}}}]}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: g{index}, namespace: edge, labels: {{gateway.networking.k8s.io/gateway-name: g{index}}}}}, spec: {{nodeName: n1, containers: [{{name: proxy}}]}}, status: {{phase: Running, podIP: 10.244.1.{index}, podIPs: [{{ip: 10.244.1.{index}}}], conditions: [{{type: Ready, status: 'True'}}]}}}}
")
        .expect("a string grows");
    }
    for index in 0..ROUTES {
        let (gateway, high, low) = (index % GATEWAYS, index / 250, index % 250);
        write!(text, "---\n{{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {{name: r{index}, namespace: app}}, spec: {{parentRefs: [{{name: g{gateway}, namespace: edge}}], hostnames: [app-{index}.example], rules: [{{matches: [{{path: {{value: /}}}}], backendRefs: [{{name: s{index}, port: 80}}]}}]}}}}
---
{{apiVersion: v1, kind: Service, metadata: {{name: s{index}, namespace: app}}, spec: {{clusterIP: 10.97.{high}.{low}, ipFamilies: [IPv4], ports: [{{name: http, port: 80, targetPort: 80}}]}}}}
---
{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: s{index}, namespace: app, labels: {{kubernetes.io/service-name: s{index}}}}}, addressType: IPv4, ports: [{{name: http, port: 80}}], endpoints: [{{addresses: [192.0.{high}.{low}], conditions: {{ready: true}}}}]}}
")
        .expect("a string grows");
    }
    text
}
