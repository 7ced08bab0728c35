//! What must be read to answer a request, in rounds: pure planning over what is known so far.
//!
//! ```text
//!  round 1  what the request names, policies of its namespaces, the cluster's DNS
//!  round 2  what round 1 points to: pods behind selectors, namespaces, nodes, custom policies
//!  round 3  what explains a failure: near pods, workloads, events
//! ```

mod cluster_set;
mod dataplane;
mod doors;
mod ends;
mod follow;
mod secondary;
mod why;

use std::collections::BTreeSet;

use super::query::Query;
use super::{ClusterView, Resource, Unread};
use crate::target::Request;

/// The ConfigMap whose keys a Corefile imports from the folder `custom` (AKS, k3s).
pub const COREDNS_CUSTOM: &str = "coredns-custom";

/// The ConfigMap with the settings of Cilium's agents.
pub const CILIUM_CONFIG: &str = "cilium-config";

/// What was asked so far, and what was refused.
#[derive(Debug, Default)]
pub struct ScopeProgress {
    done: BTreeSet<Query>,
    refused: Vec<(Query, Unread)>,
    /// Lists that went on behind their limit.
    cut: Vec<Query>,
}

// === impl ScopeProgress ===

impl ScopeProgress {
    /// How many requests were made, those for policies of other dialects, for meshes, doors and cluster sets left out.
    #[must_use]
    pub fn count(&self) -> usize {
        let custom = |query: &&Query| {
            let resource = query.resource;
            query.name.as_deref() == Some(CILIUM_CONFIG)
                || Resource::POLICY_DIALECTS.contains(&resource)
                || Resource::MESHES.contains(&resource)
                || Resource::GATEWAY_API.contains(&resource)
                || dataplane::is_own(query)
                || cluster_set::is_own(query)
        };
        self.done.len() - self.done.iter().filter(custom).count()
    }

    /// Notes a request that was made.
    pub fn add(&mut self, query: Query) {
        self.done.insert(query);
    }

    /// Notes that a request was refused.
    pub fn refuse(&mut self, query: &Query, unread: Unread) {
        self.refused.push((query.clone(), unread));
    }

    /// Notes that a list went on behind its limit.
    pub fn cut_short(&mut self, query: &Query) {
        self.cut.push(query.clone());
    }

    fn was_refused(&self, query: &Query) -> bool {
        self.refused.iter().any(|(refused, _)| refused == query)
    }
}

/// The next round, most important first and at most `room` of them; empty when nothing is missing.
/// Policies of other dialects come on top, one list each: without them no verdict could be given.
#[must_use]
pub fn next(
    view: &ClusterView,
    request: &Request,
    asked: &ScopeProgress,
    room: usize,
) -> Vec<Query> {
    let wanted = if asked.count() == 0 {
        ends::first(request)
    } else {
        let mut wanted = fallbacks(request, asked);
        wanted.extend(secondary::owners(view, request));
        wanted.extend(follow::next(view, request));
        wanted.extend(why::next(view, request));
        wanted.extend(follow::mesh_settings(view));
        wanted.push(follow::nodes(view));
        wanted
    };
    let mut queries = fresh(wanted, asked);
    queries.truncate(room);
    if asked.count() > 0 {
        queries.extend(fresh(follow::custom_policies(view), asked));
        let of_planes = dataplane::objects(view, request);
        let of_set = cluster_set::next(view, request);
        for more in [doors::next(view, request), of_planes, of_set] {
            let mut more = fresh(more, asked);
            more.retain(|query| !queries.contains(query));
            queries.extend(more);
        }
    }
    queries
}

fn fresh(wanted: Vec<Query>, asked: &ScopeProgress) -> Vec<Query> {
    let mut fresh: Vec<Query> = Vec::new();
    for query in wanted {
        if !asked.done.contains(&query) && !fresh.contains(&query) {
            fresh.push(query);
        }
    }
    fresh
}

/// Lists over all namespaces are often refused where one namespace is granted.
fn fallbacks(request: &Request, asked: &ScopeProgress) -> Vec<Query> {
    let namespaces = ends::concerned(request);
    asked
        .refused
        .iter()
        .filter(|(query, _)| query.namespace.is_none() && query.name.is_none())
        .flat_map(|(query, _)| {
            let is_namespaced = query.resource.scope() == super::Scope::Namespaced;
            let narrowed = namespaces.iter().map(|namespace| Query {
                namespace: Some(namespace.clone()),
                ..query.clone()
            });
            narrowed.filter(move |_| is_namespaced).collect::<Vec<_>>()
        })
        .collect()
}

/// Lists what stayed unread: what was refused, unless narrower queries were answered instead; what
/// there was no request left for; and the pods behind a Service that were too many.
pub fn settle(view: &mut ClusterView, request: &Request, asked: &ScopeProgress) {
    let mut unread = refused(request, asked);
    unread.extend(left_over(view, request, asked));
    let pods = asked.cut.iter();
    unread.extend(pods.filter_map(|query| {
        // Who asks for one asks whether there is any.
        let is_list = |limit: &u32| *limit > 1 && query.resource == Resource::Pods;
        let limit = query.limit.filter(is_list)?;
        query.labels.as_ref()?;
        let beyond = format!("{} beyond the first {limit}", query.what());
        Some(unread_as(
            query,
            beyond,
            "too many",
            "a question about one of them",
        ))
    }));
    for one in unread {
        if !view.unread.contains(&one) {
            view.unread.push(one);
        }
    }
    view.unread.sort();
}

fn refused(request: &Request, asked: &ScopeProgress) -> Vec<Unread> {
    let mut unread = Vec::new();
    for (query, why) in &asked.refused {
        // Events only decorate; their absence changes no answer.
        if query.resource == Resource::Events {
            continue;
        }
        let narrowed = |namespace: String| Query {
            namespace: Some(namespace),
            ..query.clone()
        };
        let answered = |narrowed: &Query| {
            let is_other = narrowed != query;
            is_other && asked.done.contains(narrowed) && !asked.was_refused(narrowed)
        };
        let narrower: Vec<Query> = ends::concerned(request).into_iter().map(narrowed).collect();
        if query.namespace.is_some() || !narrower.iter().any(answered) {
            unread.push(why.clone());
            continue;
        }
        let missing = narrower.iter().filter(|narrower| !answered(narrower));
        unread
            .extend(missing.map(|query| unread_as(query, query.what(), &why.why, &query.grant())));
    }
    unread
}

/// What the view points to and was not asked for any more. Requests run out where refusals cost some.
fn left_over(view: &ClusterView, request: &Request, asked: &ScopeProgress) -> Vec<Unread> {
    if asked.refused.is_empty() {
        return Vec::new();
    }
    let grants: Vec<&str> = asked
        .refused
        .iter()
        .map(|(_, unread)| unread.grant.as_str())
        .collect();
    let grants = crate::text::list(&grants);
    let left = fresh(follow::next(view, request), asked);
    left.iter()
        .map(|query| unread_as(query, query.what(), "no request was left for it", &grants))
        .collect()
}

fn unread_as(query: &Query, what: String, why: &str, grant: &str) -> Unread {
    Unread {
        what,
        why: why.to_owned(),
        grant: grant.to_owned(),
        resource: Some(query.resource),
        namespace: query.namespace.clone().unwrap_or_default(),
    }
}
