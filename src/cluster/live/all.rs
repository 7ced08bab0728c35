//! Everything netpath can read of a cluster, for a capture: page by page.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};
use http::Request;
use kube::Client;
use serde_json::Value;

use super::fetch::{Answer, LiveError, api_groups, fetch};
use super::patience::patiently;
use crate::cluster::query::Query;
use crate::cluster::scope::{CILIUM_CONFIG, COREDNS_CUSTOM};
use crate::cluster::{Builder, ClusterView, Coverage, Provenance, Resource, Unread};

/// How many objects a page holds, as in kubectl.
const PAGE: u32 = 500;

/// How many lists are asked for at the same time.
const AT_ONCE: usize = 6;

/// Resources that a capture leaves out: events are asked for where they explain something, and
/// ReplicaSets only say again what their pods do. Endpoints are mirrored into slices.
const LEFT_OUT: [Resource; 2] = [Resource::Events, Resource::Endpoints];

/// Reads every object of every resource, and what was refused.
///
/// # Errors
/// When the server cannot be reached, or knows nobody of this name.
pub async fn read_all(client: &Client) -> Result<(Vec<Value>, Vec<Unread>), LiveError> {
    // Without the list of groups every resource is asked for: one that does not exist is absent.
    let groups = api_groups(client).await.ok();
    let groups = &groups;
    let exists = |resource: Resource| {
        let group = resource.group();
        let is_served = |groups: &BTreeMap<_, _>| resource.served(groups).is_some();
        let is_served = groups.as_ref().is_none_or(is_served);
        !LEFT_OUT.contains(&resource) && (group.is_empty() || is_served)
    };
    let wanted = Resource::ALL.iter().copied().filter(|one| exists(*one));
    let lists = wanted.map(|resource| async move {
        // Of ConfigMaps only those of the DNS and of kube-proxy matter; others may hold secrets.
        let query = match resource {
            Resource::ConfigMaps => Query::list(resource, Some("kube-system")),
            _ => Query::list(resource, None),
        };
        let served = groups.as_ref().and_then(|groups| resource.served(groups));
        let query = match served.filter(|_| Resource::POLICY_DIALECTS.contains(&resource)) {
            Some(api_version) => query.served_as(api_version),
            None => query,
        };
        let mut found = pages(client, &query).await?;
        // What is not served as usual may still be served in an older version.
        for version in resource.older_versions() {
            if found.as_ref().is_ok_and(Vec::is_empty) {
                found = pages(client, &query.clone().in_version(version)).await?;
            }
        }
        Ok::<_, LiveError>((resource, found))
    });
    let (mut objects, mut unread) = (Vec::new(), Vec::new());
    let lists: Vec<_> = stream::iter(lists).buffered(AT_ONCE).try_collect().await?;
    for (resource, list) in lists {
        match list {
            Ok(found) => {
                let found = found.into_iter();
                objects.extend(found.filter(|object| is_wanted(resource, object)));
            }
            Err(refusal) => unread.push(refusal),
        }
    }
    Ok((objects, unread))
}

/// A view of everything.
///
/// # Errors
/// As [`read_all`].
pub async fn read_whole(client: &Client) -> Result<ClusterView, LiveError> {
    let (objects, unread) = read_all(client).await?;
    let mut builder = Builder::default();
    for object in objects {
        builder.add(object);
    }
    let mut view = builder.finish();
    view.provenance = Provenance::Live;
    view.cover(Coverage::default());
    for resource in Resource::ALL.iter().copied() {
        let is_read = unread.iter().all(|one| one.resource != Some(resource));
        if is_read && resource != Resource::ConfigMaps && !LEFT_OUT.contains(&resource) {
            view.mark_whole(resource, None);
        }
    }
    view.unread = unread;
    Ok(view)
}

fn is_wanted(resource: Resource, object: &Value) -> bool {
    if resource != Resource::ConfigMaps {
        return true;
    }
    let data = object.get("data");
    let has = |key| data.and_then(|data| data.get(key)).is_some();
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    let is_named = name.is_some_and(|name| [COREDNS_CUSTOM, CILIUM_CONFIG].contains(&name));
    is_named || has("Corefile") || has("config.conf") || has("ClusterConfiguration")
}

/// Every page of a list. A continue token that expires midway (410 Gone) starts it again, whole and
/// at once, as client-go's pager does.
async fn pages(client: &Client, query: &Query) -> Result<Result<Vec<Value>, Unread>, LiveError> {
    let mut all = Vec::new();
    let mut token = String::new();
    loop {
        let mut url = query.clone().at_most(PAGE).url();
        if !token.is_empty() {
            url = format!("{url}&continue={token}");
        }
        let request = Request::get(url).body(Vec::new());
        let request = request.map_err(|error| LiveError::Config(error.to_string()))?;
        let page = match patiently(client, &request).await {
            Ok(page) => page,
            Err(kube::Error::Api(status)) if status.code == 410 => {
                return Ok(whole(fetch(client, query).await?, query));
            }
            Err(error) => {
                return super::fetch::refusal(query, &error).map(|answer| whole(answer, query));
            }
        };
        let next = page.pointer("/metadata/continue").and_then(Value::as_str);
        token = next.map_or_else(String::new, str::to_owned);
        let (objects, _) = Answer::Found(page).into_objects(query);
        all.extend(objects);
        if token.is_empty() {
            return Ok(Ok(all));
        }
    }
}

fn whole(answer: Answer, query: &Query) -> Result<Vec<Value>, Unread> {
    match answer {
        Answer::Refused(unread) => Err(unread),
        other => Ok(other.into_objects(query).0),
    }
}
