//! policy.networking.k8s.io/v1alpha2, and what it shares with v1alpha1.

use super::*;

#[test]
fn tiers_and_actions() {
    let from = |tier: &str, action: &str| {
        cnp(
            "a",
            &format!(
                "{{tier: {tier}, priority: 5, {ALL}, ingress: [{{action: {action}, from: [{{namespaces: {{matchLabels: {{team: red}}}}}}]}}]}}"
            ),
        )
    };
    let closed = np("{policyTypes: [Ingress]}");
    let open = np("{ingress: [{}]}");
    for (objects, expected) in [
        (from("Admin", "Deny"), "allow deny"),
        (from("Admin", "Deny") + &open, "allow deny"),
        (from("Admin", "Accept") + &closed, "allow allow"),
        (from("Admin", "Pass") + &closed, "allow deny"),
        (from("Admin", "Pass") + &open, "allow allow"),
        (from("Admin", "Pass"), "allow allow"),
        (from("Baseline", "Deny"), "allow deny"),
        // Any NetworkPolicy for the direction is final.
        (from("Baseline", "Deny") + &open, "allow allow"),
        (from("Baseline", "Accept") + &closed, "allow deny"),
        // One for the other direction is not.
        (
            from("Baseline", "Deny") + &np("{policyTypes: [Egress], egress: [{}]}"),
            "allow deny",
        ),
        (from("Baseline", "Pass"), "allow allow"),
    ] {
        check(&sound(&objects), &[(WEB, API, "TCP 80", expected)]);
    }
    // No implicit isolation; the subject's rules for the other direction say nothing.
    check(
        &sound(&from("Admin", "Deny")),
        &[
            (PROM, API, "TCP 80", "allow allow"),
            (OUTSIDE, API, "TCP 80", "allow allow"),
            // Pods in their node's network namespace are neither subject nor peer.
            (WEB, AGENT, "TCP 80", "allow allow"),
            (AGENT, API, "TCP 80", "allow allow"),
            // A pod and its own address.
            (WEB, WEB, "TCP 80", "allow allow"),
        ],
    );
}

#[test]
fn order() {
    let policy = |name: &str, priority: u32, action: &str| {
        cnp(
            name,
            &format!(
                "{{tier: Admin, priority: {priority}, {ALL}, egress: [{{action: {action}, to: [{{namespaces: {{}}}}]}}]}}"
            ),
        )
    };
    for (objects, expected) in [
        (
            policy("a", 1, "Deny") + &policy("b", 2, "Accept"),
            "deny allow",
        ),
        (
            policy("a", 2, "Deny") + &policy("b", 1, "Accept"),
            "allow allow",
        ),
        (
            policy("a", 1, "Pass") + &policy("b", 2, "Deny"),
            "allow allow",
        ),
        // Equal priorities: no order, so it matters only where they disagree.
        (
            policy("a", 1, "Deny") + &policy("b", 1, "Accept"),
            "unknown allow",
        ),
        (
            policy("a", 1, "Deny") + &policy("b", 1, "Deny"),
            "deny allow",
        ),
        (
            policy("a", 1, "Pass") + &policy("b", 1, "Accept"),
            "allow allow",
        ),
    ] {
        check(&sound(&objects), &[(WEB, API, "TCP 80", expected)]);
    }
    // Two that never match the same flow may share a priority.
    let objects = cnp(
        "a",
        &format!(
            "{{tier: Admin, priority: 1, {ALL}, egress: [{{action: Deny, to: [{{namespaces: {{matchLabels: {{team: red}}}}}}]}}]}}"
        ),
    ) + &cnp(
        "b",
        &format!(
            "{{tier: Admin, priority: 1, {ALL}, egress: [{{action: Accept, to: [{{namespaces: {{matchLabels: {{team: blue}}}}}}]}}]}}"
        ),
    );
    check(
        &sound(&objects),
        &[
            (WEB, API, "TCP 80", "deny allow"),
            (WEB, PROM, "TCP 80", "allow allow"),
        ],
    );
    // Rules of one policy go top down.
    let objects = cnp(
        "a",
        &format!(
            "{{tier: Admin, priority: 1, {ALL}, egress: [{{action: Accept, to: [{{networks: [10.1.2.0/24]}}]}}, {{action: Deny, to: [{{networks: [0.0.0.0/0]}}]}}]}}"
        ),
    );
    check(
        &sound(&objects),
        &[
            (WEB, API, "TCP 80", "allow allow"),
            (API, WEB, "TCP 80", "deny allow"),
            (WEB, OUTSIDE, "TCP 80", "deny allow"),
            (WEB, NODE1, "TCP 80", "deny allow"),
        ],
    );
}

#[test]
fn peers_and_protocols() {
    let egress = |peer: &str, protocols: &str| {
        cnp(
            "a",
            &format!(
                "{{tier: Admin, priority: 1, {ALL}, egress: [{{action: Deny, to: [{{{peer}}}], {protocols}}}]}}"
            ),
        )
    };
    let pods = "pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: api}}}";
    let everybody = "namespaces: {}";
    for (peer, protocols, rows) in [
        (
            pods,
            "",
            vec![
                (WEB, API, "TCP 80", "deny allow"),
                (API, WEB, "TCP 80", "allow allow"),
            ],
        ),
        (
            "nodes: {matchLabels: {zone: a}}",
            "",
            vec![
                (API, NODE1, "TCP 6443", "deny allow"),
                (API, AGENT, "TCP 80", "deny allow"),
                (API, "/Node/node2", "TCP 6443", "allow allow"),
                (API, WEB, "TCP 80", "allow allow"),
            ],
        ),
        (
            "networks: ['fd00::/8', 8.0.0.0/8]",
            "",
            vec![
                (WEB, OUTSIDE, "TCP 80", "deny allow"),
                (WEB, API, "TCP 80", "allow allow"),
            ],
        ),
        (
            everybody,
            "protocols: [{tcp: {destinationPort: {number: 80}}}]",
            vec![
                (WEB, API, "TCP 80", "deny allow"),
                (WEB, API, "UDP 80", "allow allow"),
                (WEB, API, "TCP 81", "allow allow"),
            ],
        ),
        (
            everybody,
            "protocols: [{udp: {destinationPort: {range: {start: 80, end: 90}}}}, {sctp: {}}]",
            vec![
                (WEB, API, "UDP 80", "deny allow"),
                (WEB, API, "UDP 90", "deny allow"),
                (WEB, API, "UDP 91", "allow allow"),
                (WEB, API, "SCTP 1", "deny allow"),
                (WEB, API, "TCP 80", "allow allow"),
            ],
        ),
        // The name is the destination's, with the protocol it declares.
        (
            everybody,
            "protocols: [{destinationNamedPort: dns}]",
            vec![
                (WEB, API, "UDP 5353", "deny allow"),
                (WEB, API, "TCP 5353", "allow allow"),
                (WEB, PROM, "UDP 5353", "allow allow"),
            ],
        ),
    ] {
        check(&sound(&egress(peer, protocols)), &rows);
    }
    // Names are resolved by whoever enforces them: open, but only for the outside.
    let names = cnp(
        "a",
        &format!(
            "{{tier: Admin, priority: 1, {ALL}, egress: [{{action: Accept, to: [{{domainNames: ['*.example.org']}}]}}, {{action: Deny, to: [{{networks: [0.0.0.0/0]}}]}}]}}"
        ),
    );
    check(
        &world(&names),
        &[
            (WEB, OUTSIDE, "TCP 443", "unknown allow"),
            (WEB, API, "TCP 443", "deny allow"),
        ],
    );
}

#[test]
fn what_is_wrong_stays_open_where_it_matters() {
    let rules = |rule: &str| {
        cnp(
            "a",
            &format!("{{tier: Admin, priority: 1, {ALL}, egress: [{rule}]}}"),
        )
    };
    let to = "to: [{namespaces: {matchLabels: {team: blue}}}]";
    for (objects, expected_to_prom) in [
        (rules(&format!("{{action: Block, {to}}}")), "unknown allow"),
        (rules("{action: Deny}"), "unknown allow"),
        (
            rules("{action: Deny, to: [{namespaces: {}, networks: [10.0.0.0/8]}]}"),
            "unknown allow",
        ),
        (
            rules("{action: Deny, to: [{neighbours: {}}]}"),
            "unknown allow",
        ),
        (
            rules(&format!(
                "{{action: Deny, {to}, protocols: [{{icmp: {{}}}}]}}"
            )),
            "unknown allow",
        ),
        (
            rules(&format!(
                "{{action: Deny, {to}, protocols: [{{tcp: {{destinationPort: {{range: {{start: 9, end: 8}}}}}}}}]}}"
            )),
            "unknown allow",
        ),
        (
            rules(&format!("{{action: Deny, {to}, when: always}}")),
            "unknown allow",
        ),
        (
            cnp(
                "a",
                &format!(
                    "{{tier: Admin, priority: 5000, {ALL}, egress: [{{action: Deny, {to}}}]}}"
                ),
            ),
            "unknown allow",
        ),
        (
            cnp(
                "a",
                "{tier: Middle, priority: 1, subject: {namespaces: {}}}",
            ),
            "unknown unknown",
        ),
        (
            cnp(
                "a",
                "{tier: Admin, priority: 1, subject: {}, egress: [{action: Deny, to: [{namespaces: {}}]}]}",
            ),
            "unknown allow",
        ),
        (
            rules(
                "{action: Deny, to: [{networks: [10.0.0.0/8]}], protocols: [{destinationNamedPort: http}]}",
            ),
            "allow allow",
        ),
        (
            "---\napiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: other}\nspec: {subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}]}]}\n".to_owned(),
            "unknown allow",
        ),
        // An empty peer fails closed.
        (rules("{action: Accept, to: [{}]}"), "allow allow"),
        (rules("{action: Pass, to: [{}]}"), "deny allow"),
    ] {
        let world = world(&objects);
        assert_eq!(Policies::compile(&world).problems().len(), 1, "{objects}");
        check(&world, &[(WEB, PROM, "TCP 80", expected_to_prom)]);
    }
}

#[test]
fn unread_policies() {
    let mut world = world(&np("{ingress: [{}]}"));
    let mut unread = |resource: Resource| {
        world.unread.clear();
        world.unread.push(Unread {
            what: resource.qualified(),
            why: "forbidden".to_owned(),
            grant: "list".to_owned(),
            resource: Some(resource),
            namespace: String::new(),
        });
        judge(&world, WEB, API, "TCP 80")
    };
    for (resource, expected) in [
        (Resource::ClusterNetworkPolicies, "unknown unknown"),
        (Resource::AdminNetworkPolicies, "unknown unknown"),
        (Resource::CalicoGlobalNetworkPolicies, "unknown unknown"),
        (
            Resource::CiliumClusterwideNetworkPolicies,
            "unknown unknown",
        ),
        // A NetworkPolicy selects the destination, so the baseline does not count there.
        (Resource::BaselineAdminNetworkPolicies, "unknown allow"),
        (Resource::Services, "allow allow"),
    ] {
        let judgement = unread(resource);
        let found = format!("{} {}", judgement.egress.verdict, judgement.ingress.verdict);
        assert_eq!(found, expected, "{resource:?}");
        if expected.starts_with("unknown") {
            assert!(matches!(judgement.egress.doubts[0], Doubt::Unread { .. }));
        }
    }
}
