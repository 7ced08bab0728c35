//! What must hold in every world.

use k8s_openapi::api::networking::v1::NetworkPolicyIngressRule;
use netpath::cluster::ClusterView;
use netpath::net::Protocol;
use netpath::policy::matrix::diff::{Change, Side, difference};
use netpath::policy::{
    End, Ends, Judgement, Matrix, Policies, PolicyVerdict, Question, UnitMatrix,
};
use proptest::prelude::*;

use super::random::{Dialect, Dice, World, world};
use super::view;

const PORTS: [u16; 10] = [1, 52, 53, 80, 81, 90, 443, 500, 8080, 65535];

fn dialects() -> impl Strategy<Value = Dialect> {
    prop_oneof![
        Just(Dialect::Plain),
        Just(Dialect::Admin),
        Just(Dialect::Calico),
        Just(Dialect::Cilium),
    ]
}

/// The pods of a world, each standing for a workload, and somebody outside.
fn ends(view: &ClusterView, pods: &[String]) -> Vec<End> {
    let ends = Ends::new(view);
    let mut found: Vec<End> = pods
        .iter()
        .flat_map(|pod| ends.named(pod).expect("a pod"))
        .collect();
    for end in &mut found {
        if let Some(pod) = &mut end.pod {
            pod.is_workload = true;
        }
    }
    found.push(Ends::outside());
    found.extend(ends.named("ip/8.8.8.8").expect("an address"));
    found
}

fn judge(
    policies: &Policies,
    source: &End,
    destination: &End,
    protocol: Protocol,
    port: u16,
) -> Judgement {
    policies.judge(&Question {
        source,
        destination,
        protocol,
        port,
        family: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The matrix over classes says of every pair what asking about that pair says.
    #[test]
    fn matrix_equals_pair_by_pair(seed: u64, dialect in dialects()) {
        let World { yaml, pods } = world(seed, dialect);
        let view = view(&yaml);
        let policies = Policies::compile(&view);
        let ends = ends(&view, &pods);
        let matrix = Matrix::new(&policies, &ends);
        for (at, source) in ends.iter().enumerate() {
            for (to, destination) in ends.iter().enumerate() {
                let set = matrix.between(matrix.class_of(at), matrix.class_of(to));
                for protocol in Protocol::ALL {
                    for port in PORTS {
                        let judged = judge(&policies, source, destination, protocol, port);
                        prop_assert_eq!(
                            set.verdict(protocol, port), judged.verdict(),
                            "{} > {} {} {}\n{}\n{:#?}", source, destination, protocol, port, yaml, judged
                        );
                    }
                }
            }
        }
    }

    /// A further allow rule in a NetworkPolicy never closes anything.
    #[test]
    fn allowing_more_never_closes(seed: u64) {
        let World { yaml, pods } = world(seed, Dialect::Plain);
        let before = view(&yaml);
        let mut after = before.clone();
        let mut dice = Dice::new(seed);
        let mut policies: Vec<_> = before.network_policies.iter().cloned().collect();
        prop_assume!(!policies.is_empty());
        let at = usize::try_from(dice.below(policies.len() as u64)).expect("an index");
        let policy = &mut policies[at];
        let spec = policy.spec.as_mut().expect("a spec");
        // Where policyTypes are implied, a first egress rule would begin to isolate.
        spec.ingress.get_or_insert_default().push(NetworkPolicyIngressRule::default());
        let meta = policy.metadata.clone();
        after.network_policies.insert(meta.namespace.unwrap_or_default(), meta.name.unwrap_or_default(), policy.clone());
        let ends = ends(&before, &pods);
        let (before, after) = (Policies::compile(&before), Policies::compile(&after));
        for source in &ends {
            for destination in &ends {
                let was = judge(&before, source, destination, Protocol::Tcp, 80).verdict();
                let is = judge(&after, source, destination, Protocol::Tcp, 80).verdict();
                prop_assert!(was != PolicyVerdict::Allow || is == PolicyVerdict::Allow, "{source} > {destination}\n{yaml}");
            }
        }
    }

    /// Where one policy goes and nothing else changes, it is the cause of whatever opens or closes,
    /// and what is told of a pair is what the two matrices say of it.
    #[test]
    fn the_one_change_is_the_cause(seed: u64, dialect in dialects()) {
        let World { yaml, .. } = world(seed, dialect);
        let before = view(&yaml);
        let mut after = before.clone();
        let policies: Vec<_> = before.network_policies.iter().cloned().collect();
        prop_assume!(!policies.is_empty());
        let mut dice = Dice::new(seed);
        let gone = usize::try_from(dice.below(policies.len() as u64)).expect("an index");
        after.network_policies = netpath::cluster::Table::default();
        for (_, policy) in policies.iter().enumerate().filter(|(at, _)| *at != gone) {
            let meta = policy.metadata.clone();
            after.network_policies.insert(meta.namespace.unwrap_or_default(), meta.name.unwrap_or_default(), policy.clone());
        }
        let (old, new) = (Policies::compile(&before), Policies::compile(&after));
        let (was, is) = (UnitMatrix::beside(&before, &old, &new), UnitMatrix::beside(&after, &new, &old));
        let found = difference(
            &Side { view: &before, policies: &old, matrix: &was },
            &Side { view: &after, policies: &new, matrix: &is },
        );
        prop_assert!(found.appeared.is_empty() && found.gone.is_empty());
        let name = policies[gone].metadata.name.clone().unwrap_or_default();
        for pair in &found.pairs {
            prop_assert!(!pair.opened.is_empty() || !pair.closed.is_empty());
            let [cause] = pair.because.as_slice() else {
                return Err(TestCaseError::fail(format!("{pair:?}\n{yaml}")));
            };
            prop_assert_eq!((&cause.object.name, cause.change), (&name, Change::Removed), "{:?}\n{}", pair, yaml);
        }
        let same = was.units.len() == is.units.len();
        prop_assert!(same, "{yaml}");
        let changed = (0..was.units.len()).flat_map(|one| (0..was.units.len()).map(move |other| (one, other)));
        let changed = changed.filter(|(one, other)| was.between(*one, *other) != is.between(*one, *other));
        prop_assert_eq!(changed.count(), found.pairs.len(), "{}", yaml);
    }

    /// Names mean nothing: renaming them everywhere changes no verdict.
    #[test]
    fn renaming_changes_nothing(seed: u64, dialect in dialects()) {
        let World { yaml, pods } = world(seed, dialect);
        let rename = |text: &str| {
            let renamed = text.replace("namespace: one", "namespace: uno").replace("name: one", "name: uno");
            let renamed = renamed.replace("namespace == 'one'", "namespace == 'uno'").replace("pod.namespace: one", "pod.namespace: uno");
            renamed.replace("tier: a", "tier: alpha").replace("tier: b", "tier: beta")
                .replace("key: tier, operator: In, values: [a", "key: tier, operator: In, values: [alpha")
        };
        // Values in sets are renamed only where the text above is sure to find all of them.
        prop_assume!(!yaml.contains("key: tier") && !yaml.contains("tier in") && !yaml.contains("tier ==") && !yaml.contains("tier !="));
        let (before, after) = (view(&yaml), view(&rename(&yaml)));
        let renamed: Vec<String> = pods.iter().map(|pod| pod.replace("one/", "uno/")).collect();
        let (ends_before, ends_after) = (ends(&before, &pods), ends(&after, &renamed));
        let (before, after) = (Policies::compile(&before), Policies::compile(&after));
        for (source, source_after) in ends_before.iter().zip(&ends_after) {
            for (destination, destination_after) in ends_before.iter().zip(&ends_after) {
                let was = judge(&before, source, destination, Protocol::Udp, 53).verdict();
                let is = judge(&after, source_after, destination_after, Protocol::Udp, 53).verdict();
                prop_assert_eq!(was, is, "{} > {}\n{}", source, destination, yaml);
            }
        }
    }

    /// Every judgement names policies that exist, and says why.
    #[test]
    fn reasons_name_what_exists(seed: u64, dialect in dialects()) {
        let World { yaml, pods } = world(seed, dialect);
        let view = view(&yaml);
        let policies = Policies::compile(&view);
        let ends = ends(&view, &pods);
        for source in &ends {
            for destination in &ends {
                let judged = judge(&policies, source, destination, Protocol::Tcp, 443);
                for (side, subject) in [(&judged.egress, source), (&judged.ingress, destination)] {
                    prop_assert!(!side.why(subject).is_empty());
                    let misses = side.misses.iter().map(|miss| &miss.rule);
                    for rule in side.decided_by.iter().chain(&side.passed_by).chain(misses) {
                        let kind = rule.policy.resource.kind();
                        let (namespace, name) = (&rule.policy.namespace, &rule.policy.name);
                        let is_there = yaml.contains(&format!("kind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}"))
                            || namespace.is_empty() && yaml.contains(&format!("kind: {kind}\nmetadata: {{name: {name}}}"));
                        prop_assert!(is_there, "{rule}\n{yaml}");
                    }
                    let is_explained = match side.verdict {
                        PolicyVerdict::Unknown => !side.doubts.is_empty(),
                        PolicyVerdict::Deny => !side.decided_by.is_empty(),
                        PolicyVerdict::Allow => side.doubts.is_empty(),
                    };
                    prop_assert!(is_explained, "{side:?}");
                }
            }
        }
    }
}
