//! Calico's policies, tiers and network sets.

use super::*;

fn gnp(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

fn policy(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: crd.projectcalico.org/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: shop}}\nspec: {spec}\n"
    )
}

fn tier(name: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

const PODS: &str = "namespaceSelector: all()";

#[test]
fn order_and_tiers() {
    let deny = |order: &str| {
        gnp(
            "deny",
            &format!("{{{order} {PODS}, types: [Ingress], ingress: [{{action: Deny}}]}}"),
        )
    };
    let allow = |order: &str| {
        gnp(
            "allow",
            &format!("{{{order} {PODS}, types: [Ingress], ingress: [{{action: Allow}}]}}"),
        )
    };
    let security = |order: &str, action: &str| {
        tier("security", &format!("{{{order}}}"))
            + &gnp(
                "sec",
                &format!(
                    "{{tier: security, {PODS}, types: [Ingress], ingress: [{{action: {action}}}]}}"
                ),
            )
    };
    let closed = np("{policyTypes: [Ingress]}");
    let open = np("{ingress: [{}]}");
    for (objects, expected) in [
        (deny("order: 1,") + &allow("order: 2,"), "allow deny"),
        (deny("order: 2,") + &allow("order: 1,"), "allow allow"),
        // No order: last; equal orders: by name.
        (deny("") + &allow("order: 2,"), "allow allow"),
        (deny("") + &allow(""), "allow allow"),
        // NetworkPolicies have order 1000, and allow rules only.
        (deny("order: 999,") + &open, "allow deny"),
        (deny("order: 1001,") + &open, "allow allow"),
        (allow("order: 1001,") + &closed, "allow allow"),
        (deny("order: 1000,") + &open, "allow unknown"),
        // A tier of its own comes before default.
        (security("order: 10", "Deny") + &open, "allow deny"),
        (security("order: 10", "Allow") + &closed, "allow allow"),
        (security("order: 10", "Pass") + &closed, "allow deny"),
        (security("order: 10", "Pass"), "allow allow"),
        (security("", "Deny") + &open, "allow allow"),
        // Selected by a tier whose rules do not match: its default action.
        (
            tier("t", "{order: 1}") + &gnp("g", &format!("{{tier: t, {PODS}, types: [Ingress]}}")),
            "allow deny",
        ),
        (
            tier("t", "{order: 1, defaultAction: Pass}")
                + &gnp("g", &format!("{{tier: t, {PODS}, types: [Ingress]}}"))
                + &closed,
            "allow deny",
        ),
        (
            tier("t", "{order: 1, defaultAction: Pass}")
                + &gnp("g", &format!("{{tier: t, {PODS}, types: [Ingress]}}")),
            "allow allow",
        ),
        // A log is no decision.
        (
            gnp(
                "g",
                &format!(
                    "{{{PODS}, types: [Ingress], ingress: [{{action: Log}}, {{action: Allow}}]}}"
                ),
            ),
            "allow allow",
        ),
    ] {
        check(&sound(&objects), &[(WEB, API, "TCP 80", expected)]);
    }
    // Kubernetes' admin tier has order 1000, its baseline 10,000,000.
    let admin = cnp(
        "a",
        &format!(
            "{{tier: Admin, priority: 1, {ALL}, ingress: [{{action: Accept, from: [{{namespaces: {{}}}}]}}]}}"
        ),
    );
    check(
        &sound(&(admin.clone() + &security("order: 10", "Deny"))),
        &[(WEB, API, "TCP 80", "allow deny")],
    );
    check(
        &sound(&(admin + &security("order: 2000", "Deny"))),
        &[(WEB, API, "TCP 80", "allow allow")],
    );
    // A tier nobody made.
    let lost = world(&gnp(
        "g",
        &format!("{{tier: nowhere, {PODS}, ingress: [{{action: Deny}}]}}"),
    ));
    check(&lost, &[(WEB, API, "TCP 80", "unknown unknown")]);
}

#[test]
fn types_follow_the_rules() {
    for (spec, expected) in [
        ("{selector: all()}", "allow deny"),
        ("{selector: all(), egress: [{action: Deny}]}", "deny allow"),
        (
            "{selector: all(), ingress: [{action: Allow}], egress: [{action: Deny}]}",
            "deny allow",
        ),
        ("{selector: all(), types: [Egress]}", "deny allow"),
    ] {
        check(
            &sound(&policy("p", spec)),
            &[(WEB, API, "TCP 80", expected)],
        );
    }
}

#[test]
fn selectors_and_ends() {
    let from = |end: &str| {
        policy(
            "p",
            &format!("{{selector: app == 'api', ingress: [{{action: Allow, source: {{{end}}}}}]}}"),
        )
    };
    let of = |end: &str| sound(&from(end));
    for (end, web, prom, outside) in [
        // Without a namespace selector: the policy's own namespace, once a selector is used.
        ("selector: all()", "allow", "deny", "deny"),
        ("selector: has(app)", "allow", "deny", "deny"),
        ("namespaceSelector: team == 'blue'", "deny", "allow", "deny"),
        (
            "namespaceSelector: projectcalico.org/name == 'ops'",
            "deny",
            "allow",
            "deny",
        ),
        ("namespaceSelector: all()", "allow", "allow", "deny"),
        ("namespaceSelector: global()", "deny", "deny", "deny"),
        (
            "namespaceSelector: all(), selector: \"app in {'prom'}\"",
            "deny",
            "allow",
            "deny",
        ),
        (
            "namespaceSelector: all(), selector: \"projectcalico.org/namespace starts with 'op'\"",
            "deny",
            "allow",
            "deny",
        ),
        ("nets: [8.8.8.0/24]", "deny", "deny", "allow"),
        (
            "nets: [10.1.0.0/16], notNets: [10.1.1.5]",
            "deny",
            "allow",
            "deny",
        ),
        ("notNets: [10.0.0.0/8]", "deny", "deny", "allow"),
        // The negation of a match also covers who is no pod; of a set, only pods.
        (
            "namespaceSelector: all(), selector: '!has(tier)'",
            "deny",
            "allow",
            "deny",
        ),
        (
            "serviceAccounts: {names: [default]}",
            "allow",
            "deny",
            "deny",
        ),
        ("serviceAccounts: {names: [other]}", "deny", "deny", "deny"),
        ("", "allow", "allow", "allow"),
    ] {
        check(
            &of(end),
            &[
                (WEB, API, "TCP 80", &format!("allow {web}")),
                (PROM, API, "TCP 80", &format!("allow {prom}")),
                (OUTSIDE, API, "TCP 80", &format!("allow {outside}")),
            ],
        );
    }
    let global = gnp(
        "g",
        &format!(
            "{{{PODS}, types: [Ingress], ingress: [{{action: Allow, source: {{notSelector: app == 'web'}}}}]}}"
        ),
    );
    check(
        &sound(&global),
        &[
            (WEB, API, "TCP 80", "allow deny"),
            (PROM, API, "TCP 80", "allow allow"),
            (OUTSIDE, API, "TCP 80", "allow allow"),
        ],
    );
    // Labels of service accounts are not read.
    check(
        &of("serviceAccounts: {selector: role == 'x'}"),
        &[
            (WEB, API, "TCP 80", "allow unknown"),
            (PROM, API, "TCP 80", "allow deny"),
        ],
    );
    // The other end of a rule narrows whom it is for.
    let narrow = gnp(
        "g",
        &format!(
            "{{{PODS}, ingress: [{{action: Allow, destination: {{selector: app == 'api'}}}}]}}"
        ),
    );
    check(
        &sound(&narrow),
        &[
            (WEB, API, "TCP 80", "allow allow"),
            (WEB, PROM, "TCP 80", "allow deny"),
        ],
    );
}

#[test]
fn protocols_and_ports() {
    let rule = |rule: &str| {
        policy(
            "p",
            &format!("{{selector: app == 'api', ingress: [{{action: Allow, {rule}}}]}}"),
        )
    };
    for (text, rows) in [
        (
            "protocol: TCP",
            vec![("TCP 80", "allow"), ("UDP 80", "deny")],
        ),
        (
            "protocol: 17",
            vec![("TCP 80", "deny"), ("UDP 80", "allow")],
        ),
        (
            "notProtocol: UDP",
            vec![("TCP 80", "allow"), ("UDP 80", "deny"), ("SCTP 1", "allow")],
        ),
        ("protocol: ICMP", vec![("TCP 80", "deny")]),
        (
            "protocol: TCP, destination: {ports: [80, '90:92', http]}",
            vec![
                ("TCP 80", "allow"),
                ("TCP 91", "allow"),
                ("TCP 93", "deny"),
                ("TCP 8080", "allow"),
                ("UDP 80", "deny"),
            ],
        ),
        (
            "protocol: TCP, destination: {ports: ['80:90'], notPorts: [85]}",
            vec![
                ("TCP 84", "allow"),
                ("TCP 85", "deny"),
                ("TCP 86", "allow"),
                ("TCP 91", "deny"),
            ],
        ),
        (
            "protocol: TCP, destination: {notPorts: [22]}",
            vec![("TCP 22", "deny"), ("TCP 23", "allow")],
        ),
        ("ipVersion: 4", vec![("TCP 80", "allow")]),
        ("ipVersion: 6", vec![("TCP 80", "deny")]),
    ] {
        let world = sound(&rule(text));
        for (port, expected) in rows {
            check(&world, &[(WEB, API, port, &format!("allow {expected}"))]);
        }
    }
    for open in [
        "source: {ports: [1]}, protocol: TCP",
        "destination: {services: {name: x}}",
        "http: {methods: [GET]}, protocol: TCP",
        "protocol: TCP, destination: {notPorts: [http]}",
        "source: {selector: 'app =='}",
        "source: {nets: [10.0.0.0/99]}",
        "source: {colour: red}",
        "weight: 3",
        "ipVersion: 5",
    ] {
        let world = world(&rule(open));
        assert_eq!(Policies::compile(&world).problems().len(), 1, "{open}");
        check(
            &world,
            &[
                (WEB, API, "TCP 80", "allow unknown"),
                (WEB, PROM, "TCP 80", "allow allow"),
            ],
        );
    }
}

#[test]
fn network_sets() {
    let sets = "---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: g, labels: {kind: dns}}\nspec: {nets: [8.8.8.8/32]}\n---\napiVersion: projectcalico.org/v3\nkind: NetworkSet\nmetadata: {name: n, namespace: shop, labels: {kind: dns}}\nspec: {nets: [9.9.9.9/32]}\n";
    let to = |end: &str| {
        sets.to_owned()
            + &policy(
                "p",
                &format!(
                    "{{selector: all(), egress: [{{action: Allow, destination: {{{end}}}}}]}}"
                ),
            )
    };
    for (end, global, local) in [
        ("selector: kind == 'dns'", "deny", "allow"),
        (
            "selector: kind == 'dns', namespaceSelector: global()",
            "allow",
            "deny",
        ),
        (
            "selector: kind == 'dns', namespaceSelector: all()",
            "deny",
            "allow",
        ),
        ("selector: kind == 'mail'", "deny", "deny"),
    ] {
        check(
            &sound(&to(end)),
            &[
                (WEB, "ip/8.8.8.8", "UDP 53", &format!("{global} allow")),
                (WEB, "ip/9.9.9.9", "UDP 53", &format!("{local} allow")),
            ],
        );
    }
    let global = sets.to_owned()
        + &gnp(
            "p",
            &format!(
                "{{{PODS}, egress: [{{action: Allow, destination: {{selector: kind == 'dns'}}}}]}}"
            ),
        );
    check(
        &sound(&global),
        &[
            (WEB, "ip/8.8.8.8", "UDP 53", "allow allow"),
            (WEB, "ip/9.9.9.9", "UDP 53", "allow allow"),
            (WEB, "ip/1.1.1.1", "UDP 53", "deny allow"),
        ],
    );
}

#[test]
fn host_endpoints_are_not_read() {
    let all = gnp("g", "{types: [Ingress], ingress: [{action: Deny}]}");
    check(
        &sound(&all),
        &[
            (WEB, API, "TCP 80", "allow deny"),
            (WEB, AGENT, "TCP 80", "allow unknown"),
            (WEB, NODE1, "TCP 80", "allow unknown"),
        ],
    );
    let pods = gnp(
        "g",
        &format!("{{{PODS}, types: [Ingress], ingress: [{{action: Deny}}]}}"),
    );
    check(&sound(&pods), &[(WEB, AGENT, "TCP 80", "allow allow")]);
    let early = gnp(
        "g",
        "{preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [{action: Deny}]}",
    );
    check(&world(&early), &[(WEB, API, "TCP 80", "allow allow")]);
}
