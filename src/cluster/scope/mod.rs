//! What must be read to answer a request, in rounds: pure planning over what is known so far.
//!
//! ```text
//!  round 1  what the request names, policies of its namespaces, the cluster's DNS
//!  round 2  what round 1 points to: pods behind selectors, namespaces, nodes, custom policies
//!  round 3  what explains a failure: near pods, workloads, events
//! ```

mod ends;
mod follow;
mod why;

use std::collections::BTreeSet;

use super::query::Query;
use super::{ClusterView, Resource, Unread};
use crate::resolve::Request;

/// What was asked so far, and what was refused.
#[derive(Debug, Default)]
pub struct Asked {
    done: BTreeSet<Query>,
    refused: Vec<(Query, Unread)>,
}

// === impl Asked ===

impl Asked {
    /// How many requests were made, those for policies of other dialects left out.
    #[must_use]
    pub fn count(&self) -> usize {
        let custom = |query: &&Query| Resource::POLICY_DIALECTS.contains(&query.resource);
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

    fn was_refused(&self, query: &Query) -> bool {
        self.refused.iter().any(|(refused, _)| refused == query)
    }
}

/// The next round, most important first and at most `room` of them; empty when nothing is missing.
/// Policies of other dialects come on top, one list each: without them no verdict could be given.
#[must_use]
pub fn next(view: &ClusterView, request: &Request, asked: &Asked, room: usize) -> Vec<Query> {
    let wanted = if asked.count() == 0 {
        ends::first(request)
    } else {
        let mut wanted = fallbacks(request, asked);
        wanted.extend(follow::next(view, request));
        wanted.extend(why::next(view, request));
        wanted.push(follow::nodes(view));
        wanted
    };
    let mut queries = fresh(wanted, asked);
    queries.truncate(room);
    if asked.count() > 0 {
        queries.extend(fresh(follow::custom_policies(view), asked));
    }
    queries
}

fn fresh(wanted: Vec<Query>, asked: &Asked) -> Vec<Query> {
    let mut fresh: Vec<Query> = Vec::new();
    for query in wanted {
        if !asked.done.contains(&query) && !fresh.contains(&query) {
            fresh.push(query);
        }
    }
    fresh
}

/// Lists over all namespaces are often refused where one namespace is granted.
fn fallbacks(request: &Request, asked: &Asked) -> Vec<Query> {
    let namespaces = ends::namespaces(request);
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

/// Lists what stayed unread: a refusal counts unless a narrower query was answered instead.
pub fn settle(view: &mut ClusterView, asked: &Asked) {
    for (query, unread) in &asked.refused {
        let narrower = asked.done.iter().any(|other| {
            let narrowed = Query {
                namespace: None,
                ..other.clone()
            };
            narrowed == *query && other != query && !asked.was_refused(other)
        });
        // Events only decorate; their absence changes no answer.
        if !narrower && query.resource != Resource::Events && !view.unread.contains(unread) {
            view.unread.push(unread.clone());
        }
    }
    view.unread.sort();
}
