//! The selector matcher against sets: a selector is the set of label maps it matches.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use netpath::cluster::Selector;
use proptest::prelude::*;

type Labels = BTreeMap<String, String>;

const KEYS: [&str; 3] = ["app", "tier", "a.example/b"];
const VALUES: [&str; 3] = ["x", "y", ""];

/// Every map over three keys, each absent or with one of three values: 64 of them.
fn universe() -> BTreeSet<Labels> {
    let mut maps = BTreeSet::from([Labels::new()]);
    for key in KEYS {
        let grown = maps.iter().flat_map(|map| {
            VALUES.iter().map(move |value| {
                let mut map = map.clone();
                map.insert(key.to_owned(), (*value).to_owned());
                map
            })
        });
        let grown: Vec<Labels> = grown.collect();
        maps.extend(grown);
    }
    maps
}

/// The maps one term stands for, by set algebra alone.
fn oracle(term: &LabelSelectorRequirement) -> BTreeSet<Labels> {
    let with = |value: Option<&String>| -> BTreeSet<Labels> {
        let has = |map: &Labels| match value {
            Some(value) => map.get(&term.key) == Some(value),
            None => map.contains_key(&term.key),
        };
        universe().into_iter().filter(has).collect()
    };
    let values = term.values.iter().flatten();
    let listed: BTreeSet<Labels> = values.flat_map(|value| with(Some(value))).collect();
    let all = universe();
    match term.operator.as_str() {
        "In" => listed,
        "NotIn" => all.difference(&listed).cloned().collect(),
        "Exists" => with(None),
        _ => all.difference(&with(None)).cloned().collect(),
    }
}

fn term() -> impl Strategy<Value = LabelSelectorRequirement> {
    let operators = prop::sample::select(vec!["In", "NotIn", "Exists", "DoesNotExist"]);
    let values = prop::collection::vec(prop::sample::select(VALUES.to_vec()), 1..3);
    (prop::sample::select(KEYS.to_vec()), operators, values).prop_map(|(key, operator, values)| {
        let takes_values = operator.ends_with("In");
        LabelSelectorRequirement {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values: takes_values.then(|| values.iter().map(ToString::to_string).collect()),
        }
    })
}

fn pairs() -> impl Strategy<Value = Labels> {
    let pair = (
        prop::sample::select(KEYS.to_vec()),
        prop::sample::select(VALUES.to_vec()),
    );
    prop::collection::btree_map(
        pair.0.prop_map(str::to_owned),
        pair.1.prop_map(str::to_owned),
        0..3,
    )
}

proptest! {
    #[test]
    fn a_selector_matches_the_intersection_of_its_terms(
        labels in pairs(),
        terms in prop::collection::vec(term(), 0..4),
    ) {
        let mut expected = universe();
        for (key, value) in &labels {
            expected.retain(|map| map.get(key) == Some(value));
        }
        for term in &terms {
            let matched = oracle(term);
            expected.retain(|map| matched.contains(map));
        }
        let selector = Selector::from_label_selector(&LabelSelector {
            match_labels: Some(labels.clone()),
            match_expressions: Some(terms.clone()),
        }).expect("known operators");
        for map in universe() {
            prop_assert_eq!(selector.matches(&map), expected.contains(&map), "{} on {:?}", selector, map);
            prop_assert_eq!(selector.matches(&map), selector.misses(&map).next().is_none());
        }
        if terms.is_empty() {
            let plain = Selector::from_map(&labels);
            for map in universe() {
                prop_assert_eq!(plain.matches(&map), expected.contains(&map));
            }
        }
    }
}
