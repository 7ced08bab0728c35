//! Which tiers there are, and in which order they are asked.
//!
//! ```text
//!  Admin      AdminNetworkPolicy, ClusterNetworkPolicy tier Admin      by priority
//!  namespaced NetworkPolicy                                            together
//!  Baseline   BaselineAdminNetworkPolicy, ClusterNetworkPolicy tier Baseline
//! ```

use super::dialect::{Problem, admin, cluster, network_policy, unknowable, unread};
use super::formula::Formula;
use super::model::{Action, Policy, Stack, Tier};
use super::truth::{Doubt, Truth};
use crate::cluster::{ClusterView, Resource};

/// What a policy of an ordered tier can do.
const ANY_ACTION: &[Action] = &[Action::Allow, Action::Deny, Action::Pass];

/// Compiles every policy of a view into its tier.
pub(super) fn compile(view: &ClusterView, problems: &mut Vec<Problem>) -> Stack {
    let (cluster_admin, cluster_baseline) = cluster::policies(view, problems);
    let mut admin = admin::admin(view, problems);
    admin.extend(cluster_admin);
    admin.extend(gaps(view, Resource::AdminNetworkPolicies));
    admin.extend(gaps(view, Resource::ClusterNetworkPolicies));
    let mut baseline = admin::baseline(view, problems);
    if !cluster_baseline.is_empty() {
        baseline.iter_mut().for_each(leave_order_open);
    }
    baseline.extend(cluster_baseline);
    baseline.extend(gaps(view, Resource::BaselineAdminNetworkPolicies));
    Stack {
        tiers: vec![
            // "A pod to its own pod IP is not subject to ClusterNetworkPolicy" (hairpin
            // documentation of network-policy-api).
            Tier::new("Admin", admin).sparing_self(),
            Tier::new("NetworkPolicy", network_policy::policies(view, problems)),
            Tier::new("Baseline", baseline).sparing_self(),
        ],
    }
}

/// Policies that could not be read may come before all others, and do anything.
fn gaps(view: &ClusterView, resource: Resource) -> impl Iterator<Item = Policy> {
    unread(view, resource)
        .map(|(id, namespace, doubt)| unknowable(id, namespace, 0, ANY_ACTION, &Truth::No, &doubt))
}

/// No document says how the policies of two API versions of the baseline tier are ordered.
fn leave_order_open(policy: &mut Policy) {
    let doubt = Doubt::NotUnderstood {
        policy: policy.id.clone(),
        field: String::new(),
        why: "its order among the ClusterNetworkPolicies of tier Baseline is not defined"
            .to_owned(),
    };
    let sections = [&mut policy.egress, &mut policy.ingress];
    for rule in sections
        .into_iter()
        .flatten()
        .flat_map(|section| &mut section.rules)
    {
        rule.subject = Formula::Unclear(doubt.clone());
    }
}
