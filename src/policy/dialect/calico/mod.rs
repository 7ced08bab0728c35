//! Calico's NetworkPolicy and GlobalNetworkPolicy with their Tiers.
//!
//! Tiers are asked by `order`, policies in a tier by `order` and then by name, rules top down. A pod
//! that a policy of a tier selects is denied what no rule of the tier matched, unless the tier's
//! `defaultAction` is Pass. Kubernetes' NetworkPolicies live in the tier `default` with order 1000
//! (Calico documentation, "Tiered policy"; `libcalico-go/lib/backend/k8s/conversion`).

mod expression;
mod rule;
mod sets;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::{BadField, Fields};
use super::{Problem, Reader, unknowable, unknowable_rules, unread};
use crate::cluster::{ClusterView, Resource};
use crate::policy::ends::Ends;
use crate::policy::formula::Formula;
use crate::policy::model::{Action, Direction, Policy, Section};
use crate::policy::truth::{Doubt, Truth};
use expression::About;
use rule::Scope;
use sets::Sets;

/// What a policy of an ordered tier can do.
const ANY_ACTION: &[Action] = &[Action::Allow, Action::Deny, Action::Pass];

/// The tier of Kubernetes' NetworkPolicies, and of policies that name none.
pub const DEFAULT_TIER: &str = "default";

/// A tier with its policies, in the order in which they are asked.
#[derive(Debug)]
pub struct CalicoTier {
    pub name: String,
    pub order: f64,
    /// With the order each one carries.
    pub policies: Vec<(f64, Policy)>,
}

/// The tiers that have policies, and the policies whose place nobody knows; none where the view
/// holds nothing of Calico's.
pub fn tiers(view: &ClusterView, problems: &mut Vec<Problem>) -> (Vec<CalicoTier>, Vec<Policy>) {
    let orders = tier_specs(view);
    let ends = Ends::new(view);
    let sets = Sets::read(view, &ends, problems);
    let mut tiers: BTreeMap<String, CalicoTier> = BTreeMap::new();
    let mut misplaced = Vec::new();
    for resource in [
        Resource::CalicoNetworkPolicies,
        Resource::CalicoGlobalNetworkPolicies,
    ] {
        for object in view.custom(resource).filter(|object| is_its_own(object)) {
            let mut reader = Reader::of(resource, object, problems);
            let name = tier_of(object);
            let Some(spec) = orders.get(name) else {
                let why = format!("its Tier {name:?} does not exist");
                let doubt = reader.doubt("spec.tier", why);
                misplaced.push(unplaced(&reader, &doubt));
                continue;
            };
            match policy(&mut reader, &sets, spec, object) {
                Ok((order, policy)) => tiers
                    .entry(name.to_owned())
                    .or_insert_with(|| CalicoTier {
                        name: name.to_owned(),
                        order: spec.order,
                        policies: Vec::new(),
                    })
                    .policies
                    .push((order, policy)),
                Err(bad) => {
                    let doubt = reader.bad(bad);
                    misplaced.push(unplaced(&reader, &doubt));
                }
            }
        }
        misplaced.extend(unread(view, resource).map(|(id, namespace, doubt)| {
            unknowable(
                id,
                namespace,
                0,
                ANY_ACTION,
                &Truth::Maybe(doubt.clone()),
                &doubt,
            )
        }));
    }
    for tier in tiers.values_mut() {
        // Equal orders go by name, then namespace, then kind.
        let by_name = |policy: &Policy| {
            let id = &policy.id;
            (id.name.clone(), id.namespace.clone(), id.resource.kind())
        };
        tier.policies.sort_by(|(one, a), (other, b)| {
            one.total_cmp(other)
                .then_with(|| by_name(a).cmp(&by_name(b)))
        });
    }
    (tiers.into_values().collect(), misplaced)
}

/// Whether a policy is Calico's own: its API server lists those of Kubernetes, too, under names with
/// these prefixes (`libcalico-go/lib/backend/k8s/conversion`).
fn is_its_own(object: &Value) -> bool {
    const OTHERS: [&str; 4] = ["knp.", "kanp.", "kbanp.", "kcnp."];
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    name.is_none_or(|name| !OTHERS.iter().any(|prefix| name.starts_with(prefix)))
}

/// Order and default action of a tier.
#[derive(Debug, Clone, Copy)]
struct TierSpec {
    order: f64,
    isolates: bool,
}

/// The tiers of the view, with those Calico makes itself.
fn tier_specs(view: &ClusterView) -> BTreeMap<String, TierSpec> {
    let mut specs = BTreeMap::from([(
        DEFAULT_TIER.to_owned(),
        TierSpec {
            order: super::super::stack::CALICO_DEFAULT,
            isolates: true,
        },
    )]);
    for object in view.custom(Resource::CalicoTiers) {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let order = object.pointer("/spec/order").and_then(Value::as_f64);
        let spec = TierSpec {
            order: order.unwrap_or(f64::INFINITY),
            isolates: text("/spec/defaultAction") != Some("Pass"),
        };
        specs.insert(text("/metadata/name").unwrap_or_default().to_owned(), spec);
    }
    specs
}

fn tier_of(object: &Value) -> &str {
    let tier = object.pointer("/spec/tier").and_then(Value::as_str);
    tier.filter(|tier| !tier.is_empty()).unwrap_or(DEFAULT_TIER)
}

/// A policy that may come anywhere.
fn unplaced(reader: &Reader<'_>, doubt: &Doubt) -> Policy {
    let id = reader.policy.clone();
    let namespace = (!id.namespace.is_empty()).then(|| id.namespace.clone());
    unknowable(
        id,
        namespace,
        0,
        ANY_ACTION,
        &Truth::Maybe(doubt.clone()),
        doubt,
    )
}

/// The namespace a namespaced policy means where it names none.
fn in_namespace(name: &str) -> Formula {
    Formula::Namespace(name.to_owned())
}

fn policy(
    reader: &mut Reader<'_>,
    sets: &Sets,
    tier: &TierSpec,
    object: &Value,
) -> Result<(f64, Policy), BadField> {
    let mut whole = Fields::new(object, "")?;
    let empty = Value::Object(serde_json::Map::new());
    let mut spec = match whole.object("spec")? {
        Some(spec) => spec,
        None => Fields::new(&empty, "spec")?,
    };
    spec.pass_over(&["tier", "performanceHints"]);
    let order = spec.get("order").map_or(Some(f64::INFINITY), Value::as_f64);
    let order = order.ok_or_else(|| BadField {
        field: spec.at("order"),
        why: "is not a number".to_owned(),
    })?;
    let id = reader.policy.clone();
    let namespace = (!id.namespace.is_empty()).then(|| id.namespace.clone());
    let subject = subject(reader, &mut spec, namespace.is_some())?;
    let scope = Scope {
        namespace: namespace.as_deref(),
        sets,
    };
    let types = types(&mut spec)?;
    let ingress = section(reader, &scope, tier, &mut spec, Direction::Ingress, &types)?;
    let egress = section(reader, &scope, tier, &mut spec, Direction::Egress, &types)?;
    if let Some(unknown) = spec.unknown() {
        return Err(unknown);
    }
    let policy = Policy {
        id,
        rank: 0,
        namespace,
        subject,
        egress,
        ingress,
    };
    Ok((order, policy))
}

/// Whom a policy selects. Pre-DNAT and untracked policies are for host endpoints alone.
fn subject(
    reader: &mut Reader<'_>,
    spec: &mut Fields<'_>,
    is_namespaced: bool,
) -> Result<Formula, BadField> {
    let mut parts = vec![Formula::Pod];
    let mut may_be_host = !is_namespaced;
    for (field, about) in [
        ("selector", About::Endpoints),
        ("namespaceSelector", About::Namespaces),
        ("serviceAccountSelector", About::ServiceAccounts),
    ] {
        if let Some(text) = spec.text(field)?.filter(|text| !text.is_empty()) {
            may_be_host &= about == About::Endpoints;
            let parsed = expression::parse(text, about);
            parts.push(
                parsed.unwrap_or_else(|why| Formula::Unclear(reader.doubt(spec.at(field), why))),
            );
        }
    }
    let mut is_host_only = false;
    for field in ["preDNAT", "doNotTrack"] {
        is_host_only |= spec.flag(field)?.unwrap_or_default();
    }
    if spec.flag("applyOnForward")?.unwrap_or_default() {
        let why = "also applies to what host endpoints forward; host endpoints are not read";
        reader.doubt(spec.at("applyOnForward"), why);
    }
    let pods = Formula::All(parts);
    let doubt = Doubt::host_endpoints(&reader.policy);
    let hosts = Formula::All(vec![Formula::Node, Formula::Unclear(doubt)]);
    Ok(match (is_host_only, may_be_host) {
        (true, _) => hosts,
        (false, true) => Formula::Any(vec![pods, hosts]),
        (false, false) => pods,
    })
}

/// The directions a policy is about; as the rules that are there suggest, if it does not say.
fn types(spec: &mut Fields<'_>) -> Result<(Vec<Direction>, bool), BadField> {
    let named = spec.texts("types")?;
    if named.is_empty() {
        let mut has =
            |field| Ok::<_, BadField>(spec.list(field)?.is_some_and(|rules| !rules.is_empty()));
        let (ingress, egress) = (has("ingress")?, has("egress")?);
        let mut implied = Vec::new();
        implied.extend((ingress || !egress).then_some(Direction::Ingress));
        implied.extend(egress.then_some(Direction::Egress));
        return Ok((implied, false));
    }
    let directions = named.into_iter().map(|name| match name {
        "Ingress" => Ok(Direction::Ingress),
        "Egress" => Ok(Direction::Egress),
        other => Err(BadField {
            field: spec.at("types"),
            why: format!("{other:?} is neither Ingress nor Egress"),
        }),
    });
    Ok((directions.collect::<Result<_, _>>()?, true))
}

fn section(
    reader: &mut Reader<'_>,
    scope: &Scope<'_>,
    tier: &TierSpec,
    spec: &mut Fields<'_>,
    direction: Direction,
    (types, is_named): &(Vec<Direction>, bool),
) -> Result<Option<Section>, BadField> {
    let (field, list) = match direction {
        Direction::Egress => ("egress", "spec.egress"),
        Direction::Ingress => ("ingress", "spec.ingress"),
    };
    let written = spec.list(field)?;
    if !types.contains(&direction) {
        return Ok(None);
    }
    let mut section = Section {
        isolates: tier.isolates.into(),
        rules: Vec::new(),
        list: Cow::Borrowed(list),
        is_written: written.is_some(),
        is_named: *is_named,
    };
    for (index, value) in written.unwrap_or_default().iter().enumerate() {
        match rule::rule(reader, scope, direction, index, value) {
            Ok(rule) => section.rules.extend(rule),
            Err(bad) => {
                let doubt = reader.bad(bad);
                section
                    .rules
                    .extend(unknowable_rules(index, ANY_ACTION, &doubt));
            }
        }
    }
    Ok(Some(section))
}
