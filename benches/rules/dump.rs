//! Dumps of nodes in clusters of any size, as `iptables-save` and `nft -j list ruleset` print what
//! kube-proxy 1.36 wrote: the kinds of Services mixed as they are met.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use netpath::cluster::NodeFacts;
use netpath::nat::chain_names::PortName;
use netpath::net::Protocol;
use serde_json::{Value, json};

/// Endpoints behind each Service.
const ENDPOINTS: u32 = 3;
const PODS: &str = "10.0.0.0/8";

/// One Service with one port.
struct Service {
    number: u32,
    namespace: String,
    name: String,
    kind: Kind,
    endpoints: Vec<SocketAddr>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    ClusterIp,
    NodePort,
    /// Session affinity of three hours.
    Affinity,
    NoEndpoints,
}

/// The cluster IP of a Service by its number.
pub fn cluster_ip(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(172, 16, 0, 1)) + number)
}

fn services(count: u32) -> impl Iterator<Item = Service> {
    (0..count).map(|number| {
        let kind = match number % 100 {
            0 => Kind::NoEndpoints,
            1 => Kind::Affinity,
            2..=26 if number < 20_000 => Kind::NodePort,
            _ => Kind::ClusterIp,
        };
        let first = u32::from(Ipv4Addr::new(10, 0, 1, 1)) + number * ENDPOINTS;
        let endpoints = (first..first + ENDPOINTS)
            .filter(|_| kind != Kind::NoEndpoints)
            .map(|ip| SocketAddr::from((Ipv4Addr::from(ip), 8080)));
        Service {
            number,
            namespace: format!("ns{}", number % 97),
            name: format!("svc-{number}"),
            kind,
            endpoints: endpoints.collect(),
        }
    })
}

/// One Service of so many endpoints: its objects and those of its pods, and a client on `node1`.
pub fn objects(endpoints: u32) -> String {
    let service = large(endpoints);
    let (ip, name) = (cluster_ip(service.number), &service.name);
    let mut text = format!(
        "{}{}{}apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: ns0}}\n\
         spec: {{clusterIP: {ip}, clusterIPs: [{ip}], selector: {{app: large}}, ports: [{{name: http, port: 80, targetPort: 8080, protocol: TCP}}]}}\n\
         ---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n\
         metadata: {{name: {name}-x, namespace: ns0, labels: {{kubernetes.io/service-name: {name}}}}}\n\
         ports: [{{name: http, protocol: TCP, port: 8080}}]\nendpoints:\n",
        node("node1", "192.168.0.2"),
        node("node2", "192.168.0.3"),
        pod("client", "client", "node1", &"10.0.0.2") + "---\n"
    );
    for (number, endpoint) in service.endpoints.iter().enumerate() {
        let ip = endpoint.ip();
        writeln!(text, "- {{addresses: [{ip}], nodeName: node2, conditions: {{ready: true}}, targetRef: {{kind: Pod, name: pod-{number}, namespace: ns0}}}}")
            .expect("a string takes everything");
    }
    for (number, endpoint) in service.endpoints.iter().enumerate() {
        text.push_str("---\n");
        text.push_str(&pod(
            &format!("pod-{number}"),
            "large",
            "node2",
            &endpoint.ip(),
        ));
    }
    text
}

/// What `node1` holds of that Service, in either mode.
pub fn node_facts(endpoints: u32, is_nftables: bool) -> NodeFacts {
    let services = std::iter::once(large(endpoints));
    let mut facts = NodeFacts {
        routes: Some(ROUTES.to_owned()),
        addresses: Some(ADDRESSES.to_owned()),
        ..NodeFacts::default()
    };
    if is_nftables {
        facts.nft_json = Some(nftables_of(services));
    } else {
        facts.iptables = Some(iptables_of(services));
    }
    facts
}

const ROUTES: &str = r#"[{"dst":"default","gateway":"192.168.0.1","dev":"eth0"},
    {"dst":"10.0.0.0/24","dev":"cni0","scope":"link"},
    {"dst":"10.0.0.0/8","gateway":"192.168.0.3","dev":"eth0"}]"#;
const ADDRESSES: &str = r#"[{"ifindex":2,"ifname":"eth0","flags":["UP","LOWER_UP"],"mtu":1500,
    "addr_info":[{"family":"inet","local":"192.168.0.2","prefixlen":24,"scope":"global"}]}]"#;

fn large(endpoints: u32) -> Service {
    let first = u32::from(Ipv4Addr::new(10, 1, 0, 1));
    let all = (first..first + endpoints).map(|ip| SocketAddr::from((Ipv4Addr::from(ip), 8080)));
    Service {
        number: 0,
        namespace: "ns0".to_owned(),
        name: "large".to_owned(),
        kind: Kind::ClusterIp,
        endpoints: all.collect(),
    }
}

fn node(name: &str, ip: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\nspec: {{podCIDR: 10.0.0.0/8}}\n\
         status: {{conditions: [{{type: Ready, status: \"True\"}}], addresses: [{{type: InternalIP, address: {ip}}}]}}\n---\n"
    )
}

fn pod(name: &str, app: &str, node: &str, ip: &dyn std::fmt::Display) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: ns0, labels: {{app: {app}}}}}\n\
         spec: {{nodeName: {node}, containers: [{{name: main, image: example.org/main:1}}]}}\n\
         status: {{phase: Running, podIP: {ip}, podIPs: [{{ip: {ip}}}], conditions: [{{type: Ready, status: \"True\"}}]}}\n"
    )
}

// === impl Service ===

impl Service {
    fn port(&self) -> PortName<'_> {
        PortName {
            namespace: &self.namespace,
            service: &self.name,
            port: "http",
            protocol: Protocol::Tcp,
        }
    }

    const fn node_port(&self) -> u32 {
        30_000 + self.number / 4 % 2768
    }
}

const FILTER: &str = r#"# Generated by iptables-save v1.8.9 (nf_tables) on Sat Nov 21 00:00:00 2026
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SERVICES - [0:0]
-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-A INPUT -j KUBE-FIREWALL
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
"#;

const NAT: &str = r#"-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
"#;

/// `iptables-save` of so many Services.
pub fn iptables(count: u32) -> String {
    iptables_of(services(count))
}

fn iptables_of(services: impl Iterator<Item = Service>) -> String {
    let mut filter = FILTER.to_owned();
    let mut names =
        "COMMIT\n*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
        :POSTROUTING ACCEPT [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-NODEPORTS - [0:0]\n\
        :KUBE-POSTROUTING - [0:0]\n:KUBE-SERVICES - [0:0]\n"
            .to_owned();
    let mut rules = NAT.to_owned();
    for service in services {
        write_iptables(&service, &mut filter, &mut names, &mut rules)
            .expect("a string takes everything");
    }
    rules.push_str(
        "-A KUBE-SERVICES -m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule in this chain\" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\nCOMMIT\n",
    );
    filter + &names + &rules
}

fn write_iptables(
    service: &Service,
    filter: &mut String,
    names: &mut String,
    rules: &mut String,
) -> std::fmt::Result {
    let (port, ip) = (service.port(), cluster_ip(service.number));
    if service.kind == Kind::NoEndpoints {
        return writeln!(
            filter,
            "-A KUBE-SERVICES -d {ip}/32 -p tcp -m comment --comment \"{port} has no endpoints\" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable"
        );
    }
    let chain = port.iptables("KUBE-SVC-");
    writeln!(names, ":{chain} - [0:0]")?;
    writeln!(
        rules,
        "-A KUBE-SERVICES -d {ip}/32 -p tcp -m comment --comment \"{port} cluster IP\" -m tcp --dport 80 -j {chain}\n\
         -A {chain} ! -s {PODS} -d {ip}/32 -p tcp -m comment --comment \"{port} cluster IP\" -m tcp --dport 80 -j KUBE-MARK-MASQ"
    )?;
    if service.kind == Kind::NodePort {
        let external = port.iptables("KUBE-EXT-");
        writeln!(names, ":{external} - [0:0]")?;
        writeln!(
            rules,
            "-A KUBE-NODEPORTS -p tcp -m comment --comment \"{port}\" -m tcp --dport {} -j {external}\n\
             -A {external} -m comment --comment \"masquerade traffic for {port} external destinations\" -j KUBE-MARK-MASQ\n\
             -A {external} -j {chain}",
            service.node_port()
        )?;
    }
    for (left, endpoint) in (1..=service.endpoints.len()).rev().zip(&service.endpoints) {
        let own = port.iptables_endpoint(*endpoint);
        writeln!(names, ":{own} - [0:0]")?;
        let (mut recent, mut set) = (String::new(), String::new());
        if service.kind == Kind::Affinity {
            recent = format!(
                "-A {chain} -m recent --rcheck --seconds 10800 --reap --name {own} --mask 255.255.255.255 --rsource -j {own}\n"
            );
            set = format!("-m recent --set --name {own} --mask 255.255.255.255 --rsource ");
        }
        let chance = chance(left);
        let ip = endpoint.ip();
        writeln!(
            rules,
            "{recent}-A {chain} -m comment --comment \"{port} -> {endpoint}\" {chance}-j {own}\n\
             -A {own} -s {ip}/32 -m comment --comment \"{port}\" -j KUBE-MARK-MASQ\n\
             -A {own} -p tcp -m comment --comment \"{port}\" {set}-m tcp -j DNAT --to-destination {endpoint}"
        )?;
    }
    Ok(())
}

/// The match that takes one packet of so many; the kernel counts in parts of 2^31.
fn chance(left: usize) -> String {
    const WHOLE: f64 = 2_147_483_648.0;
    let left = f64::from(u32::try_from(left).unwrap_or(u32::MAX));
    if left < 2.0 {
        return String::new();
    }
    let share = (WHOLE / left).round() / WHOLE;
    format!("-m statistic --mode random --probability {share:.11} ")
}

/// `nft -j list ruleset` of so many Services. Their endpoints are on other nodes.
pub fn nftables(count: u32) -> String {
    nftables_of(services(count))
}

fn nftables_of(services: impl Iterator<Item = Service>) -> String {
    let (mut chains, mut rules) = (base_chains(), base_rules());
    let (mut ips, mut services_map, mut ports, mut refused) = (vec![], vec![], vec![], vec![]);
    for service in services {
        let (port, ip) = (service.port(), cluster_ip(service.number).to_string());
        ips.push(json!(ip));
        let key = json!({"concat": [ip, "tcp", 80]});
        if service.kind == Kind::NoEndpoints {
            let element = json!({"elem": {"val": key, "comment": port.to_string()}});
            refused.push(json!([element, {"goto": {"target": "reject-chain"}}]));
            continue;
        }
        let chain = port.nftables("service-");
        services_map.push(json!([key, {"goto": {"target": chain}}]));
        chains.push(named("chain", &chain, json!({})));
        let choices: Vec<Value> = (0..)
            .zip(&service.endpoints)
            .map(|(number, endpoint)| {
                json!([number, {"concat": [endpoint.ip().to_string(), endpoint.port()]}])
            })
            .collect();
        let choice = json!({"map": {"key": {"numgen": {"mode": "random", "mod": choices.len(), "offset": 0}},
            "data": {"set": choices}}});
        rules.push(rule(
            &chain,
            &json!([equal(&json!({"meta": {"key": "l4proto"}}), "tcp"),
            {"dnat": {"family": "ip", "addr": choice}}]),
        ));
        if service.kind == Kind::NodePort {
            let external = port.nftables("external-");
            ports.push(
                json!([{"concat": ["tcp", service.node_port()]}, {"goto": {"target": external}}]),
            );
            chains.push(named("chain", &external, json!({})));
            rules.push(rule(&external, &json!([mark()])));
            rules.push(rule(&external, &json!([{"goto": {"target": chain}}])));
        }
    }
    let concat = json!(["ipv4_addr", "inet_proto", "inet_service"]);
    let mut all = vec![
        json!({"metainfo": {"version": "1.0.6", "json_schema_version": 1}}),
        json!({"table": {"family": "ip", "name": "kube-proxy", "handle": 1}}),
        named(
            "set",
            "cluster-ips",
            json!({"type": "ipv4_addr", "elem": ips}),
        ),
        named(
            "set",
            "nodeport-ips",
            json!({"type": "ipv4_addr", "elem": ["192.168.0.2"]}),
        ),
        named(
            "map",
            "service-ips",
            json!({"type": concat, "map": "verdict", "elem": services_map}),
        ),
        named(
            "map",
            "no-endpoint-services",
            json!({"type": concat, "map": "verdict", "elem": refused}),
        ),
        named(
            "map",
            "service-nodeports",
            json!({"type": ["inet_proto", "inet_service"], "map": "verdict", "elem": ports}),
        ),
    ];
    all.append(&mut chains);
    all.append(&mut rules);
    json!({"nftables": all}).to_string()
}

/// An object of kube-proxy's table.
fn named(kind: &str, name: &str, mut content: Value) -> Value {
    content["family"] = json!("ip");
    content["table"] = json!("kube-proxy");
    content["name"] = json!(name);
    json!({kind: content})
}

fn rule(chain: &str, expr: &Value) -> Value {
    json!({"rule": {"family": "ip", "table": "kube-proxy", "chain": chain, "handle": 7, "expr": expr}})
}

fn equal(left: &Value, right: &str) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

fn mark() -> Value {
    let mark = json!({"meta": {"key": "mark"}});
    json!({"mangle": {"key": mark, "value": {"|": [mark, 16384]}}})
}

fn payload(field: &str) -> Value {
    json!({"payload": {"protocol": "ip", "field": field}})
}

fn base_chains() -> Vec<Value> {
    let base = |name: &str, kind: &str, hook: &str, priority: i32| {
        let content = json!({"type": kind, "hook": hook, "prio": priority, "policy": "accept"});
        named("chain", name, content)
    };
    let mut all = vec![
        base("filter-forward", "filter", "forward", 0),
        base("filter-output", "filter", "output", 0),
        base("nat-output", "nat", "output", -100),
        base("nat-postrouting", "nat", "postrouting", 100),
        base("nat-prerouting", "nat", "prerouting", -100),
    ];
    for name in [
        "cluster-ips-check",
        "masquerading",
        "reject-chain",
        "service-endpoints-check",
        "services",
    ] {
        all.push(named("chain", name, json!({})));
    }
    all
}

fn base_rules() -> Vec<Value> {
    let new = json!({"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "new"}});
    let jump = |chain: &str| json!({"jump": {"target": chain}});
    let to = json!({"concat": [payload("daddr"), {"meta": {"key": "l4proto"}}, {"payload": {"protocol": "th", "field": "dport"}}]});
    let port = json!({"concat": [{"meta": {"key": "l4proto"}}, {"payload": {"protocol": "th", "field": "dport"}}]});
    let look = |key: &Value, map: &str| json!({"vmap": {"key": key, "data": map}});
    let marked = json!({"match": {"op": "!=", "left": {"&": [{"meta": {"key": "mark"}}, 16384]}, "right": 0}});
    let foreign = json!({"match": {"op": "!=", "left": payload("saddr"), "right": {"prefix": {"addr": "10.0.0.0", "len": 8}}}});
    vec![
        rule(
            "cluster-ips-check",
            &json!([equal(&payload("daddr"), "@cluster-ips"), {"reject": {"type": "icmp", "expr": "port-unreachable"}}]),
        ),
        rule(
            "filter-forward",
            &json!([new, jump("service-endpoints-check")]),
        ),
        rule("filter-forward", &json!([new, jump("cluster-ips-check")])),
        rule(
            "filter-output",
            &json!([new, jump("service-endpoints-check")]),
        ),
        rule("filter-output", &json!([new, jump("cluster-ips-check")])),
        rule(
            "masquerading",
            &json!([marked, {"masquerade": {"flags": "fully-random"}}]),
        ),
        rule("nat-output", &json!([jump("services")])),
        rule("nat-postrouting", &json!([jump("masquerading")])),
        rule("nat-prerouting", &json!([jump("services")])),
        rule(
            "reject-chain",
            &json!([{"reject": {"type": "icmp", "expr": "port-unreachable"}}]),
        ),
        rule(
            "service-endpoints-check",
            &json!([look(&to, "@no-endpoint-services")]),
        ),
        rule(
            "services",
            &json!([equal(&payload("daddr"), "@cluster-ips"), foreign, mark()]),
        ),
        rule("services", &json!([look(&to, "@service-ips")])),
        rule(
            "services",
            &json!([
                equal(&payload("daddr"), "@nodeport-ips"),
                look(&port, "@service-nodeports")
            ]),
        ),
    ]
}
