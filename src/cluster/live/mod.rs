//! A view from a running cluster.
//!
//! ```text
//!  kubeconfig + flags ─► Client ─► rounds of queries (scope) ─► ClusterView
//! ```
//!
//! At most [`MAX_ROUNDS`] sequential rounds and [`MAX_REQUESTS`] requests, whatever the size of the
//! cluster: every list is narrowed by selectors or cut at a limit. What is refused becomes
//! [`Unread`](super::Unread) with the grant that is missing.

mod access;
mod all;
mod connect;
mod fetch;
mod kubeconfig;
mod patience;
mod requests;

use futures::future::{join, join_all};
use kube::Client;
use serde_json::Value;

use super::scope::{self, ScopeProgress};
use super::{Builder, ClusterView, Coverage, Provenance};
use crate::target::Request;

pub use access::KubeArgs;
pub use all::{read_all, read_whole};
pub use connect::{Connection, connect};
pub use fetch::{Answer, LiveError, fetch};
pub use patience::patiently;

/// Sequential round trips for an answer from the API.
pub const MAX_ROUNDS: usize = 3;
/// Requests for an answer from the API. On top comes one list for each kind of policy that discovery shows
/// beside NetworkPolicy, and with Cilium the settings of its agents.
pub const MAX_REQUESTS: usize = 12;
/// Further requests where a door is on the path: an Ingress, a Gateway, or a URL that may lead to one.
pub const MAX_DOOR_REQUESTS: usize = 32;

/// Reads what a request needs.
///
/// # Errors
/// When the server cannot be reached, or knows nobody of this name.
pub async fn read(client: &Client, request: &Request) -> Result<ClusterView, LiveError> {
    read_keeping(client, request, None).await
}

/// Reads what a request needs, and keeps the objects as they came.
///
/// # Errors
/// As [`read`].
pub async fn read_keeping(
    client: &Client,
    request: &Request,
    mut raw: Option<&mut Vec<Value>>,
) -> Result<ClusterView, LiveError> {
    let mut view = ClusterView::default();
    view.provenance = Provenance::Live;
    view.cover(Coverage::default());
    view.taken_at = Some(k8s_openapi::jiff::Timestamp::now());
    let mut asked = ScopeProgress::default();
    for round in 0..MAX_ROUNDS {
        // The list of API groups is the first round's further request.
        let room = (MAX_REQUESTS - 1).saturating_sub(asked.count());
        let queries = scope::next(&view, request, &asked, room);
        if queries.is_empty() {
            break;
        }
        let lists = join_all(queries.iter().map(|query| fetch(client, query)));
        let answers = if round == 0 {
            let (answers, groups) = join(lists, fetch::api_groups(client)).await;
            match groups {
                Ok(groups) => view.api_groups = groups,
                Err(unread) => view.unread.push(unread),
            }
            answers
        } else {
            lists.await
        };
        let mut builder = Builder::from_view(view);
        for (query, answer) in queries.into_iter().zip(answers) {
            let raw = raw.as_deref_mut();
            answer?.put_into(&query, &mut builder, &mut asked, raw);
            asked.add(query);
        }
        view = builder.finish();
    }
    scope::settle(&mut view, request, &asked);
    Ok(view)
}
