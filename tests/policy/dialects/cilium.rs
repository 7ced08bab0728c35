//! Cilium's policies at layers 3 and 4.

use super::*;

fn policy(spec: &str) -> String {
    format!(
        "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {{name: c, namespace: shop}}\nspec: {spec}\n"
    )
}

fn clusterwide(spec: &str) -> String {
    format!(
        "---\napiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {{name: cc}}\nspec: {spec}\n"
    )
}

const CONFIG: &str = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cilium-config, namespace: kube-system}\ndata: {cluster-name: default}\n";

#[test]
fn isolation() {
    for (spec, expected) in [
        // An entry isolates, whatever it admits; an empty one admits nobody.
        ("{endpointSelector: {}, ingress: [{}]}", "allow deny"),
        ("{endpointSelector: {}, egress: [{}]}", "deny allow"),
        (
            "{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}",
            "allow allow",
        ),
        (
            "{endpointSelector: {}, ingress: [{fromEndpoints: []}]}",
            "allow deny",
        ),
        ("{endpointSelector: {}, ingress: []}", "allow allow"),
        // Deny rules isolate too.
        (
            "{endpointSelector: {}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: none}}]}]}",
            "allow deny",
        ),
        (
            "{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: none}}]}]}",
            "allow allow",
        ),
        (
            "{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: web}}]}]}",
            "allow deny",
        ),
        (
            "{endpointSelector: {matchLabels: {app: none}}, ingress: [{}]}",
            "allow allow",
        ),
    ] {
        check(&sound(&policy(spec)), &[(WEB, API, "TCP 80", expected)]);
    }
}

#[test]
fn deny_wins_over_every_policy() {
    let allow = policy("{endpointSelector: {}, ingress: [{fromEntities: [all]}]}");
    let deny = clusterwide(
        "{endpointSelector: {}, ingressDeny: [{fromEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: '80', protocol: TCP}]}]}]}",
    );
    check(
        &sound(&(allow.clone() + &deny)),
        &[
            (WEB, API, "TCP 80", "allow deny"),
            (WEB, API, "TCP 81", "allow allow"),
            (PROM, API, "TCP 80", "allow allow"),
        ],
    );
    check(
        &sound(&(np("{ingress: [{}]}") + &deny)),
        &[(WEB, API, "TCP 80", "allow deny")],
    );
    // What any allows is allowed: Kubernetes' policies and Cilium's add up.
    check(
        &sound(&(np("{policyTypes: [Ingress]}") + &allow)),
        &[(WEB, API, "TCP 80", "allow allow")],
    );
    let ours = np("{ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}");
    let isolating = policy("{endpointSelector: {}, ingress: [{}]}");
    check(
        &sound(&(ours + &isolating)),
        &[
            (WEB, API, "TCP 80", "allow allow"),
            (PROM, API, "TCP 80", "allow deny"),
        ],
    );
}

/// A list of denials that is not there keeps nobody out: it is no rule that was missed.
#[test]
fn what_only_denies_misses_nothing() {
    let view = sound(&policy(
        "{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {app: other}}]}]}",
    ));
    let judgement = judge(&view, WEB, API, "TCP 80");
    let misses = judgement.ingress.misses.iter();
    let lists: Vec<&str> = misses.map(|miss| miss.rule.list.as_str()).collect();
    assert_eq!(lists, ["spec.ingress"]);
}

/// `entry of ingress | web | prom | node-agent | outside`
type Peers<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

fn check_peers(rows: &[Peers<'_>]) {
    let from = |peers: &str| {
        CONFIG.to_owned()
            + &policy(&format!(
                "{{endpointSelector: {{matchLabels: {{app: api}}}}, ingress: [{{{peers}}}]}}"
            ))
    };
    for (peers, web, prom, agent, outside) in rows {
        check(
            &sound(&from(peers)),
            &[
                (WEB, API, "TCP 80", &format!("allow {web}")),
                (PROM, API, "TCP 80", &format!("allow {prom}")),
                (AGENT, API, "TCP 80", &format!("allow {agent}")),
                (OUTSIDE, API, "TCP 80", &format!("allow {outside}")),
            ],
        );
    }
}

#[test]
fn endpoints() {
    // Own namespace, unless another is named.
    check_peers(&[
        ("fromEndpoints: [{}]", "allow", "deny", "deny", "deny"),
        (
            "fromEndpoints: [{matchLabels: {app: web}}]",
            "allow",
            "deny",
            "deny",
            "deny",
        ),
        (
            "fromEndpoints: [{matchLabels: {'k8s:app': web}}]",
            "allow",
            "deny",
            "deny",
            "deny",
        ),
        (
            "fromEndpoints: [{matchLabels: {'k8s:io.kubernetes.pod.namespace': ops}}]",
            "deny",
            "allow",
            "deny",
            "deny",
        ),
        (
            "fromEndpoints: [{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]}]",
            "allow",
            "allow",
            "deny",
            "deny",
        ),
        (
            "fromEndpoints: [{matchLabels: {'io.cilium.k8s.namespace.labels.team': blue}}]",
            "deny",
            "allow",
            "deny",
            "deny",
        ),
        (
            "fromEndpoints: [{matchLabels: {io.cilium.k8s.policy.serviceaccount: default}}]",
            "allow",
            "deny",
            "deny",
            "deny",
        ),
        (
            "fromEndpoints: [{matchLabels: {io.cilium.k8s.policy.cluster: other}}]",
            "deny",
            "deny",
            "deny",
            "deny",
        ),
        (
            "fromEndpoints: [{matchLabels: {'reserved:remote-node': ''}}]",
            "deny",
            "deny",
            "allow",
            "deny",
        ),
    ]);
}

#[test]
fn entities_and_blocks() {
    check_peers(&[
        ("fromEntities: [all]", "allow", "allow", "allow", "allow"),
        ("fromEntities: [cluster]", "allow", "allow", "allow", "deny"),
        ("fromEntities: [world]", "deny", "deny", "deny", "allow"),
        (
            "fromEntities: [remote-node]",
            "deny",
            "deny",
            "allow",
            "deny",
        ),
        ("fromEntities: [host]", "deny", "deny", "deny", "deny"),
        ("fromEntities: [health]", "deny", "deny", "deny", "deny"),
        // Address blocks never match pods, nor nodes unless set so.
        ("fromCIDR: [0.0.0.0/0]", "deny", "deny", "deny", "allow"),
        (
            "fromCIDRSet: [{cidr: 8.0.0.0/8, except: [8.8.0.0/16]}]",
            "deny",
            "deny",
            "deny",
            "deny",
        ),
        (
            "fromCIDRSet: [{cidr: 8.0.0.0/8, except: [8.9.0.0/16]}]",
            "deny",
            "deny",
            "deny",
            "allow",
        ),
        (
            "fromNodes: [{matchLabels: {zone: a}}]",
            "deny",
            "deny",
            "deny",
            "deny",
        ),
    ]);
}

#[test]
fn peers_of_other_policies() {
    // In a cluster-wide policy an empty selector is every pod.
    let all = clusterwide("{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}");
    check(
        &sound(&all),
        &[
            (PROM, API, "TCP 80", "allow allow"),
            (OUTSIDE, API, "TCP 80", "allow deny"),
            (WEB, AGENT, "TCP 80", "allow allow"),
        ],
    );
    // The blocks of Kubernetes' policies are enforced the same way.
    let block = np("{ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}");
    let other = policy("{endpointSelector: {matchLabels: {app: none}}, ingress: [{}]}");
    check(
        &sound(&(CONFIG.to_owned() + &block + &other)),
        &[
            (WEB, API, "TCP 80", "allow deny"),
            (OUTSIDE, API, "TCP 80", "allow allow"),
        ],
    );
}

#[test]
fn ports() {
    let to = |ports: &str| {
        policy(&format!(
            "{{endpointSelector: {{}}, egress: [{{toEndpoints: [{{}}], toPorts: [{ports}]}}]}}"
        ))
    };
    for (ports, rows) in [
        (
            "{ports: [{port: '80', protocol: TCP}]}",
            vec![("TCP 80", "allow"), ("UDP 80", "deny"), ("TCP 81", "deny")],
        ),
        (
            "{ports: [{port: '80'}]}",
            vec![("TCP 80", "allow"), ("UDP 80", "allow")],
        ),
        (
            "{ports: [{port: '80', protocol: ANY, endPort: 90}]}",
            vec![("SCTP 85", "allow"), ("TCP 91", "deny")],
        ),
        (
            "{ports: [{port: '0', protocol: UDP}]}",
            vec![("UDP 9", "allow"), ("TCP 9", "deny")],
        ),
        (
            "{ports: [{port: http, protocol: TCP}]}",
            vec![("TCP 8080", "allow"), ("TCP 80", "deny")],
        ),
        (
            "{ports: [{port: '1'}]}, {ports: [{port: '2'}]}",
            vec![("TCP 1", "allow"), ("TCP 2", "allow"), ("TCP 3", "deny")],
        ),
        (
            "{ports: [{port: '53'}], rules: {dns: [{matchPattern: '*'}]}}",
            vec![("UDP 53", "allow")],
        ),
    ] {
        let world = sound(&to(ports));
        for (port, expected) in rows {
            check(&world, &[(WEB, API, port, &format!("{expected} allow"))]);
        }
    }
    // Only ICMP.
    check(
        &sound(&policy(
            "{endpointSelector: {}, egress: [{icmps: [{fields: [{type: 8}]}]}]}",
        )),
        &[(WEB, API, "TCP 80", "deny allow")],
    );
}

#[test]
fn what_needs_more_than_layer_4_stays_open() {
    let to = |rule: &str| policy(&format!("{{endpointSelector: {{}}, egress: [{{{rule}}}]}}"));
    for (rule, inside, outside) in [
        ("toFQDNs: [{matchName: example.org}]", "deny", "unknown"),
        (
            "toServices: [{k8sService: {serviceName: x, namespace: shop}}]",
            "unknown",
            "unknown",
        ),
        ("toGroups: [{aws: {}}]", "deny", "unknown"),
        (
            "toEndpoints: [{}], toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {http: [{method: GET}]}}]",
            "unknown",
            "deny",
        ),
        (
            "toEntities: [all], toPorts: [{ports: [{port: '80'}], serverNames: [a.example]}]",
            "unknown",
            "unknown",
        ),
        (
            "toEntities: [all], authentication: {mode: required}",
            "unknown",
            "unknown",
        ),
        ("toCIDRSet: [{cidrGroupRef: g}]", "deny", "unknown"),
        ("toEntities: [friends]", "unknown", "unknown"),
        (
            "toEndpoints: [{matchLabels: {'container:x': z}}]",
            "unknown",
            "deny",
        ),
        (
            "toEndpoints: [{matchLabels: {kubernetes.io/name: z}}]",
            "unknown",
            "deny",
        ),
        (
            "toEndpoints: [{}], toCIDR: [1.0.0.0/8]",
            "unknown",
            "unknown",
        ),
        ("toPlanets: [{}]", "unknown", "unknown"),
    ] {
        let world = world(&to(rule));
        assert_eq!(Policies::compile(&world).problems().len(), 1, "{rule}");
        check(
            &world,
            &[
                (WEB, API, "TCP 80", &format!("{inside} allow")),
                (WEB, OUTSIDE, "TCP 80", &format!("{outside} allow")),
            ],
        );
    }
    // Other ports of the same rule are not in doubt.
    let http = world(&to(
        "toEndpoints: [{}], toPorts: [{ports: [{port: '80', protocol: TCP}], rules: {http: [{method: GET}]}}]",
    ));
    check(&http, &[(WEB, API, "TCP 81", "deny allow")]);
}

#[test]
fn hosts() {
    let spec = "{nodeSelector: {matchLabels: {zone: a}}, ingress: [{fromEntities: [world]}]}";
    // Whether the host firewall is on is a setting.
    check(
        &sound(&clusterwide(spec)),
        &[
            (WEB, NODE1, "TCP 22", "allow unknown"),
            (WEB, "/Node/node2", "TCP 22", "allow allow"),
            (WEB, API, "TCP 22", "allow allow"),
        ],
    );
    let on = CONFIG.replace(
        "{cluster-name",
        "{enable-host-firewall: 'true', cluster-name",
    );
    check(
        &sound(&(on + &clusterwide(spec))),
        &[
            (WEB, NODE1, "TCP 22", "allow deny"),
            (OUTSIDE, NODE1, "TCP 22", "allow allow"),
        ],
    );
    check(
        &sound(&(CONFIG.to_owned() + &clusterwide(spec))),
        &[(WEB, NODE1, "TCP 22", "allow allow")],
    );
}

#[test]
fn two_plugins() {
    let calico = "---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec: {selector: all(), ingress: [{action: Deny}]}\n";
    let allow = policy("{endpointSelector: {}, ingress: [{fromEntities: [all]}]}");
    let deny = policy("{endpointSelector: {}, ingress: [{}]}");
    check(
        &sound(&(calico.to_owned() + &allow)),
        &[(WEB, API, "TCP 80", "allow unknown")],
    );
    check(
        &sound(&(calico.to_owned() + &deny)),
        &[(WEB, API, "TCP 80", "allow deny")],
    );
}

#[test]
fn several_specs() {
    let object = "---\napiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: {name: c, namespace: shop}\nspecs:\n- {endpointSelector: {matchLabels: {app: api}}, ingress: [{}]}\n- {endpointSelector: {matchLabels: {app: web}}, egress: [{}]}\n";
    let world = sound(object);
    check(
        &world,
        &[
            (WEB, API, "TCP 80", "deny deny"),
            (API, WEB, "TCP 80", "allow allow"),
        ],
    );
    let judgement = judge(&world, WEB, API, "TCP 80");
    assert_eq!(judgement.egress.decided_by[0].field(), "specs[1].egress");
}
