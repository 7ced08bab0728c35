//! One rule of the specification per row.

use netpath::cluster::{Resource, Unread};
use netpath::policy::{Doubt, Ends, Policies, PolicyVerdict, Reason};

use super::{judge, shop};

const WEB: &str = "shop/Pod/web";
const API: &str = "shop/Pod/api";
const PROM: &str = "ops/Pod/prom";
const AGENT: &str = "shop/Pod/node-agent";
const PLANNED: &str = "shop/Deployment/planned";
const OUTSIDE: &str = "ip/8.8.8.8";

/// `policies | source | destination | port | egress ingress`
type Row<'a> = (&'a [&'a str], &'a str, &'a str, &'a str, &'a str);

fn check(rows: &[Row<'_>]) {
    for (policies, source, destination, port, expected) in rows {
        let judgement = judge(&shop(policies), source, destination, port);
        let found = format!("{} {}", judgement.egress.verdict, judgement.ingress.verdict);
        assert_eq!(
            &found, expected,
            "{source} > {destination} {port} under {policies:?}: {judgement:#?}"
        );
    }
}

#[test]
fn isolation() {
    check(&[
        (&[], WEB, API, "TCP 80", "allow allow"),
        // No policyTypes: Ingress always, Egress only where there are rules.
        (&["{}"], WEB, API, "TCP 80", "allow deny"),
        (
            &["{podSelector: {}, egress: []}"],
            WEB,
            API,
            "TCP 80",
            "allow deny",
        ),
        (
            &["{podSelector: {}, egress: [{}]}"],
            WEB,
            OUTSIDE,
            "TCP 80",
            "allow allow",
        ),
        (
            &["{podSelector: {}, egress: [{ports: [{port: 443}]}]}"],
            WEB,
            OUTSIDE,
            "TCP 80",
            "deny allow",
        ),
        (
            &["{policyTypes: [Egress]}"],
            WEB,
            API,
            "TCP 80",
            "deny allow",
        ),
        (
            &["{policyTypes: [Ingress, Egress]}"],
            WEB,
            API,
            "TCP 80",
            "deny deny",
        ),
        // A section of a type that is not listed is inert.
        (
            &["{policyTypes: [Egress], egress: [{}], ingress: []}"],
            WEB,
            API,
            "TCP 80",
            "allow allow",
        ),
        (
            &["{policyTypes: [Ingress], ingress: [{}], egress: []}"],
            WEB,
            API,
            "TCP 80",
            "allow allow",
        ),
        // Only the policy's namespace, and only what it selects.
        (&["{}"], WEB, PROM, "TCP 80", "allow allow"),
        (
            &["{podSelector: {matchLabels: {app: other}}}"],
            WEB,
            API,
            "TCP 80",
            "allow allow",
        ),
        (
            &["{podSelector: {matchExpressions: [{key: tier, operator: DoesNotExist}]}}"],
            WEB,
            API,
            "TCP 80",
            "allow deny",
        ),
        (
            &["{podSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [x]}]}}"],
            WEB,
            API,
            "TCP 80",
            "allow deny",
        ),
        // Policies add up.
        (
            &[
                "{}",
                "{podSelector: {matchLabels: {app: api}}, ingress: [{}]}",
            ],
            WEB,
            API,
            "TCP 80",
            "allow allow",
        ),
        // An empty list of peers or ports is everything, outside too.
        (
            &["{ingress: [{from: [], ports: []}]}"],
            OUTSIDE,
            API,
            "UDP 9",
            "allow allow",
        ),
        (
            &["{ingress: [{from: [{namespaceSelector: {}}]}]}"],
            OUTSIDE,
            API,
            "TCP 80",
            "allow deny",
        ),
    ]);
}

#[test]
fn peers() {
    let own = "{ingress: [{from: [{podSelector: {}}]}]}";
    let both = "{ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: web}}}]}]}";
    let either = "{ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}, {podSelector: {matchLabels: {app: web}}}]}]}";
    let by_name = "{ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]}]}";
    let block = "{ingress: [{from: [{ipBlock: {cidr: 10.1.0.0/16, except: [10.1.2.0/24]}}]}]}";
    let world = "{ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}";
    let sixth = "{ingress: [{from: [{ipBlock: {cidr: '::/0'}}]}]}";
    check(&[
        (&[own], WEB, API, "TCP 80", "allow allow"),
        (&[own], PROM, API, "TCP 80", "allow deny"),
        (&[own], OUTSIDE, API, "TCP 80", "allow deny"),
        (&[both], WEB, API, "TCP 80", "allow deny"),
        (&[both], PROM, API, "TCP 80", "allow deny"),
        (&[either], WEB, API, "TCP 80", "allow allow"),
        (&[either], PROM, API, "TCP 80", "allow allow"),
        (&[by_name], PROM, API, "TCP 80", "allow allow"),
        // Address blocks hold pods too; an exception limits only its own peer.
        (&[block], WEB, API, "TCP 80", "allow allow"),
        (&[block], PROM, API, "TCP 80", "allow deny"),
        (
            &[
                block,
                "{ingress: [{from: [{ipBlock: {cidr: 10.1.2.6/32}}]}]}",
            ],
            PROM,
            API,
            "TCP 80",
            "allow allow",
        ),
        (&[world], OUTSIDE, API, "TCP 80", "allow allow"),
        (&[world], WEB, API, "TCP 80", "allow allow"),
        (&[sixth], OUTSIDE, API, "TCP 80", "allow deny"),
        // A pod that has no address yet.
        (&[block], PLANNED, API, "TCP 80", "allow unknown"),
        (&[world], PLANNED, API, "TCP 80", "allow allow"),
        (&[own], PLANNED, API, "TCP 80", "allow allow"),
        // An address that is a pod's is that pod.
        (&[own], "ip/10.1.1.5", API, "TCP 80", "allow allow"),
    ]);
}

#[test]
fn ports() {
    let http = "{ingress: [{ports: [{port: http}]}]}";
    let udp = "{ingress: [{ports: [{protocol: UDP}]}]}";
    let range = "{ingress: [{ports: [{port: 8000, endPort: 9000}]}]}";
    let out = "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}";
    check(&[
        (&[http], WEB, API, "TCP 8080", "allow allow"),
        (&[http], WEB, API, "UDP 8080", "allow deny"),
        (&[http], WEB, API, "TCP 80", "allow deny"),
        (
            &["{ingress: [{ports: [{port: dns, protocol: UDP}]}]}"],
            WEB,
            API,
            "UDP 5353",
            "allow allow",
        ),
        (
            &["{ingress: [{ports: [{port: dns}]}]}"],
            WEB,
            API,
            "UDP 5353",
            "allow deny",
        ),
        (&[udp], WEB, API, "UDP 1", "allow allow"),
        (&[udp], WEB, API, "TCP 1", "allow deny"),
        (
            &["{ingress: [{ports: [{}]}]}"],
            WEB,
            API,
            "TCP 1",
            "allow allow",
        ),
        (
            &["{ingress: [{ports: [{}]}]}"],
            WEB,
            API,
            "SCTP 1",
            "allow deny",
        ),
        (
            &["{ingress: [{ports: [{port: 80, protocol: SCTP}]}]}"],
            WEB,
            API,
            "TCP 80",
            "allow deny",
        ),
        (&[range], WEB, API, "TCP 8000", "allow allow"),
        (&[range], WEB, API, "TCP 9000", "allow allow"),
        (&[range], WEB, API, "TCP 9001", "allow deny"),
        // For egress the name is the destination's; outside nobody has one.
        (&[out], WEB, API, "TCP 8080", "allow allow"),
        (&[out], WEB, PROM, "TCP 8080", "deny allow"),
        (&[out], WEB, OUTSIDE, "TCP 8080", "deny allow"),
        // Peers and ports of one rule go together, not those of two.
        (
            &[
                "{ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 1}]}, {from: [{podSelector: {matchLabels: {app: none}}}], ports: [{port: 2}]}]}",
            ],
            WEB,
            API,
            "TCP 2",
            "allow deny",
        ),
    ]);
}

#[test]
fn nodes_and_their_network() {
    let closed = "{policyTypes: [Ingress, Egress]}";
    let by_label = "{ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}";
    let by_block = "{ingress: [{from: [{ipBlock: {cidr: 192.168.0.0/24}}]}]}";
    check(&[
        // As a subject it is never policed.
        (&[closed], PROM, AGENT, "TCP 80", "allow allow"),
        (&[closed], AGENT, PROM, "TCP 80", "allow allow"),
        // As a peer no selector sees it, an address block does.
        (&[by_label], AGENT, API, "TCP 80", "allow deny"),
        (&[by_block], AGENT, API, "TCP 80", "allow allow"),
        // A node always reaches its own pods.
        (&[closed], AGENT, WEB, "TCP 80", "allow allow"),
        (&[closed], "/Node/node1", WEB, "TCP 80", "allow allow"),
        (&[closed], "/Node/node2", WEB, "TCP 80", "allow deny"),
        (&[closed], "ip/192.168.0.1", WEB, "TCP 80", "allow allow"),
        // But not the other way round.
        (&[closed], WEB, "/Node/node1", "TCP 80", "deny allow"),
        // Itself by its own address; over loopback.
        (&[closed], WEB, WEB, "TCP 80", "unknown unknown"),
        (&[], WEB, WEB, "TCP 80", "allow allow"),
        (&[closed], WEB, "ip/127.0.0.1", "TCP 80", "allow allow"),
    ]);
    let judgement = judge(&shop(&[closed]), AGENT, WEB, "TCP 80");
    assert_eq!(judgement.ingress.reason, Reason::NodeLocal);
}

#[test]
fn what_was_not_read_is_unknown_just_there() {
    let admitting =
        "{podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {}}]}]}";
    let mut world = shop(&[admitting]);
    world.unread.push(Unread {
        what: "networkpolicies in shop".to_owned(),
        why: "forbidden".to_owned(),
        grant: "list networkpolicies".to_owned(),
        resource: Some(Resource::NetworkPolicies),
        namespace: "shop".to_owned(),
    });
    // Policies only ever add: what one admits stays admitted.
    let admitted = judge(&world, PROM, API, "TCP 80");
    assert_eq!(admitted.ingress.verdict, PolicyVerdict::Unknown);
    assert!(matches!(
        admitted.ingress.doubts.as_slice(),
        [Doubt::Unread { .. }]
    ));
    let expected = [
        (WEB, API, "unknown allow"),
        (API, WEB, "unknown unknown"),
        (PROM, WEB, "allow unknown"),
        (PROM, OUTSIDE, "allow allow"),
        (WEB, AGENT, "unknown allow"),
    ];
    for (source, destination, verdicts) in expected {
        let judgement = judge(&world, source, destination, "TCP 80");
        let found = format!("{} {}", judgement.egress.verdict, judgement.ingress.verdict);
        assert_eq!(found, verdicts, "{source} > {destination}");
    }
}

#[test]
fn what_is_not_understood_is_unknown_just_there() {
    for bad in [
        "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{from: [{}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{from: [{podSelector: {matchExpressions: [{key: a, operator: Near, values: [b]}]}}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{from: [{podSelector: {matchExpressions: [{key: a, operator: In}]}}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{ports: [{port: 90, endPort: 89}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{ports: [{port: 70000}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{ports: [{port: http, endPort: 89}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{ports: [{endPort: 89}]}, {ports: [{port: 80}]}]}",
        "{ingress: [{ports: [{port: 1, protocol: ICMP}]}, {ports: [{port: 80}]}]}",
    ] {
        let world = shop(&[bad]);
        let problems = netpath::policy::Policies::compile(&world)
            .problems()
            .to_vec();
        assert_eq!(problems.len(), 1, "{bad}: {problems:?}");
        assert!(
            problems[0].field.starts_with("spec.ingress[0]"),
            "{problems:?}"
        );
        let admitted = judge(&world, WEB, API, "TCP 80");
        assert_eq!(admitted.ingress.verdict, PolicyVerdict::Allow, "{bad}");
        let open = judge(&world, WEB, API, "TCP 81");
        assert_eq!(open.ingress.verdict, PolicyVerdict::Unknown, "{bad}");
        assert_eq!(open.egress.verdict, PolicyVerdict::Allow, "{bad}");
    }
    // One that cannot be parsed at all leaves open what it could have said.
    let world = shop(&["{ingress: 7}"]);
    assert_eq!(
        judge(&world, WEB, API, "TCP 80").ingress.verdict,
        PolicyVerdict::Unknown
    );
    assert_eq!(
        judge(&world, PROM, "ip/1.1.1.1", "TCP 80").egress.verdict,
        PolicyVerdict::Allow
    );
    let inert = shop(&["{policyTypes: [Egres], egress: []}"]);
    assert_eq!(
        judge(&inert, WEB, API, "TCP 80").ingress.verdict,
        PolicyVerdict::Unknown
    );
}

/// Where a pod runs tells it apart only for nodes, or if a policy asks for it.
#[test]
fn pods_that_differ_only_in_their_node_are_one_group() {
    let world = shop(&["{}"]);
    let ends = Ends::new(&world);
    let end = |name: &str| ends.named(name).expect("a pod").remove(0);
    let (here, mut there) = (end(WEB), end(WEB));
    there.node = end(API).node;
    let groups = |by_node| {
        let policies = Policies::compile(&world);
        policies
            .grouped(vec![here.clone(), there.clone()], by_node)
            .len()
    };
    assert_eq!((groups(false), groups(true)), (1, 2));
}
