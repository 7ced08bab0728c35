//! Which tiers there are, and in which order they are asked.
//!
//! ```text
//!  (dialects that are not evaluated)                                    open
//!  Admin       AdminNetworkPolicy, ClusterNetworkPolicy tier Admin      by priority
//!  (Calico's tiers of their own)                                        by order
//!  namespaced  NetworkPolicy, Calico's tier `default`, Cilium           together, or by order
//!  (Calico's tiers of their own)
//!  Baseline    BaselineAdminNetworkPolicy, ClusterNetworkPolicy tier Baseline
//! ```

use super::dialect::calico::{self, CalicoTier, DEFAULT_TIER};
use super::dialect::{
    Problem, admin, cilium, cluster, foreign, in_doubt, network_policy, unknowable, unread,
};
use super::model::{Action, Policy, Stack, Tier};
use super::truth::{Doubt, Truth};
use crate::cluster::{ClusterView, Resource};

/// Where Calico places the tiers that every cluster has (`api/pkg/apis/projectcalico/v3/tier.go`).
const CALICO_ADMIN: f64 = 1_000.0;
pub(super) const CALICO_DEFAULT: f64 = 1_000_000.0;
const CALICO_BASELINE: f64 = 10_000_000.0;

/// The order Kubernetes' NetworkPolicies have in Calico's tier `default`.
const NETWORK_POLICY_ORDER: f64 = 1_000.0;

/// What a policy of an ordered tier can do.
const ANY_ACTION: &[Action] = &[Action::Allow, Action::Deny, Action::Pass];

/// Compiles every policy of a view into its tier. A view with policies of both Calico and Cilium
/// gives a stack for each, as nothing says which of them is still enforced.
pub(super) fn compile(view: &ClusterView, problems: &mut Vec<Problem>) -> Vec<Stack> {
    let (cluster_admin, cluster_baseline) = cluster::policies(view, problems);
    let mut admin = admin::admin(view, problems);
    admin.extend(cluster_admin);
    admin.extend(gaps(view, Resource::AdminNetworkPolicies));
    admin.extend(gaps(view, Resource::ClusterNetworkPolicies));
    let mut baseline = admin::baseline(view, problems);
    if !cluster_baseline.is_empty() {
        baseline = baseline.into_iter().map(of_open_order).collect();
    }
    baseline.extend(cluster_baseline);
    baseline.extend(gaps(view, Resource::BaselineAdminNetworkPolicies));
    let namespaced = network_policy::policies(view, problems);
    let (calico, misplaced) = calico::tiers(view, problems);
    let cilium = cilium::policies(view, problems);
    let foreign = foreign::policies(view, problems);
    let before = |policies: Vec<Policy>| (f64::NEG_INFINITY, Tier::new("of others", policies));
    let is_calico = !calico.is_empty() || !misplaced.is_empty();
    let mut stacks = Vec::new();
    if !cilium.is_empty() || cilium::runs(view) {
        let mut tiers = with_cilium(view, namespaced.clone(), cilium);
        tiers.push(before(foreign.clone()));
        stacks.push(stack(admin.clone(), baseline.clone(), tiers));
    }
    if is_calico || stacks.is_empty() {
        let mut tiers = with_calico(namespaced, calico);
        tiers.push((f64::NEG_INFINITY, Tier::new("of unknown order", misplaced)));
        tiers.push(before(foreign));
        stacks.push(stack(admin, baseline, tiers));
    }
    stacks
}

fn stack(admin: Vec<Policy>, baseline: Vec<Policy>, mut tiers: Vec<(f64, Tier)>) -> Stack {
    // "A pod to its own pod IP is not subject to ClusterNetworkPolicy" (hairpin documentation of
    // network-policy-api).
    tiers.push((CALICO_ADMIN, Tier::new("Admin", admin).sparing_self()));
    tiers.push((
        CALICO_BASELINE,
        Tier::new("Baseline", baseline).sparing_self(),
    ));
    tiers.retain(|(_, tier)| !tier.policies().is_empty());
    tiers.sort_by(|(one, a), (other, b)| one.total_cmp(other).then_with(|| a.name.cmp(&b.name)));
    Stack {
        tiers: tiers.into_iter().map(|(_, tier)| tier).collect(),
    }
}

/// Cilium's policies with Kubernetes' NetworkPolicies among them.
fn with_cilium(
    view: &ClusterView,
    mut namespaced: Vec<Policy>,
    mut cilium: Vec<Policy>,
) -> Vec<(f64, Tier)> {
    cilium::narrow_blocks(view, &mut namespaced);
    for policy in &mut namespaced {
        policy.rank = cilium::ALLOW;
    }
    cilium.append(&mut namespaced);
    vec![(CALICO_DEFAULT, Tier::new("NetworkPolicy", cilium))]
}

/// Calico's tiers, with Kubernetes' NetworkPolicies in `default`. Among themselves those have no
/// order, and neither among policies of exactly their order, which versions of Calico sort by
/// different names.
fn with_calico(namespaced: Vec<Policy>, calico: Vec<CalicoTier>) -> Vec<(f64, Tier)> {
    let (default, others): (Vec<_>, Vec<_>) = calico
        .into_iter()
        .partition(|tier| tier.name == DEFAULT_TIER);
    let mut placed: Vec<(f64, Tier)> = others
        .into_iter()
        .map(|tier| (tier.order, Tier::new(tier.name, ranked(tier.policies, &[]))))
        .collect();
    let tied: &[f64] = if namespaced.is_empty() {
        &[]
    } else {
        &[NETWORK_POLICY_ORDER]
    };
    let mut policies: Vec<(f64, Policy)> =
        default.into_iter().flat_map(|tier| tier.policies).collect();
    policies.extend(
        namespaced
            .into_iter()
            .map(|policy| (NETWORK_POLICY_ORDER, policy)),
    );
    policies.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    placed.push((
        CALICO_DEFAULT,
        Tier::new("NetworkPolicy", ranked(policies, tied)),
    ));
    placed
}

/// Gives each policy the next rank, but those of a tied order the same.
fn ranked(policies: Vec<(f64, Policy)>, tied: &[f64]) -> Vec<Policy> {
    let mut rank = 0;
    let mut before = f64::NEG_INFINITY;
    let mut ranked = Vec::new();
    for (order, mut policy) in policies {
        let is_tied = before.total_cmp(&order).is_eq() && tied.contains(&order);
        rank += usize::from(!is_tied);
        before = order;
        policy.rank = rank;
        ranked.push(policy);
    }
    ranked
}

/// Policies that could not be read may come before all others, and do anything.
fn gaps(view: &ClusterView, resource: Resource) -> impl Iterator<Item = Policy> {
    unread(view, resource)
        .map(|(id, namespace, doubt)| unknowable(id, namespace, 0, ANY_ACTION, &Truth::No, &doubt))
}

/// No document says how the policies of two API versions of the baseline tier are ordered.
fn of_open_order(policy: Policy) -> Policy {
    let doubt = Doubt::NotUnderstood {
        policy: policy.id.clone(),
        field: String::new(),
        why: "its order among the ClusterNetworkPolicies of tier Baseline is not defined"
            .to_owned(),
    };
    in_doubt(policy, &doubt)
}
