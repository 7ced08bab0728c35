//! Who could take a twin for a pod of its own: controllers, budgets, Services.
//!
//! A twin carries labels of production. Whatever selects by labels is read whole before one is made; what
//! cannot be read may select it, and then there is none.

use futures::future::join_all;
use http::Request;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Client;
use serde_json::{Value, json};

use crate::cluster::live::{self, Answer, patiently};
use crate::cluster::query::Query;
use crate::cluster::{Builder, ClusterView, Named, Pod, Resource};
use crate::observe::ProbeError;

/// Something that owns or counts pods by a selector: what it is called, and what it selects.
pub(super) type Claimant = (String, LabelSelector);

/// Kinds that select in ways that are known here; a pod of another controller has no twin.
const KNOWN: [&str; 6] = [
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "ReplicationController",
    "Node",
];

/// Kinds with `spec.selector` that nothing else of netpath reads: kind, path, resource. An HPA counts
/// what the selector of its workload holds, and so is among these already.
const OTHERS: [(&str, &str, &str); 2] = [
    ("ReplicationController", "/api/v1", "replicationcontrollers"),
    (
        "PodDisruptionBudget",
        "/apis/policy/v1",
        "poddisruptionbudgets",
    ),
];

/// Everything of a namespace that selects pods: those that own or count them, and a view of its Services.
///
/// # Errors
/// What cannot be read, with the grant.
pub(super) async fn claims(
    client: &Client,
    pod: &Pod,
    what: &str,
) -> Result<(Vec<Claimant>, ClusterView), ProbeError> {
    let namespace = pod.namespace();
    let refused = |why: String, grant: String| ProbeError::Refused {
        what: what.to_owned(),
        why,
        grant,
    };
    let foreign = pod
        .controller()
        .filter(|owner| !KNOWN.contains(&owner.kind.as_str()));
    if let Some(owner) = foreign {
        let why = format!(
            "{} {} could take it for one of its own pods",
            owner.kind, owner.name
        );
        return Err(refused(why, String::new()));
    }
    let view = workloads(client, namespace).await.map_err(|unread| {
        let why = format!(
            "{} cannot be read ({}), and could take it for its own",
            unread.what, unread.why
        );
        refused(why, unread.grant)
    })?;
    let tables = view.workloads.iter();
    let all = tables.flat_map(|(kind, table)| table.iter().map(move |one| (kind, one)));
    let mut claimants: Vec<Claimant> = all
        .filter_map(|(kind, workload)| {
            let name = format!("{} {}", kind.kind(), workload.name());
            Some((name, workload.selector.clone()?))
        })
        .collect();
    for (kind, group, plural) in OTHERS {
        let url = format!("{group}/namespaces/{namespace}/{plural}");
        let list = list(client, &url).await.map_err(|error| {
            let why = format!(
                "{plural} in {namespace} cannot be read ({error}), and could take it for their own"
            );
            refused(why, format!("list {plural} in {namespace}"))
        })?;
        claimants.extend(list.iter().map(|object| claimant(kind, object)));
    }
    Ok((claimants, view))
}

async fn workloads(
    client: &Client,
    namespace: &str,
) -> Result<ClusterView, crate::cluster::Unread> {
    const READ: [Resource; 4] = [
        Resource::ReplicaSets,
        Resource::StatefulSets,
        Resource::DaemonSets,
        Resource::Services,
    ];
    let lists = READ.map(|resource| async move {
        let query = Query::list(resource, Some(namespace));
        (query.clone(), live::fetch(client, &query).await)
    });
    let mut builder = Builder::default();
    for (query, answer) in join_all(lists).await {
        match answer {
            Ok(Answer::Found(list)) => builder.add(list),
            Ok(Answer::Absent) => {}
            Ok(Answer::Refused(unread)) => return Err(unread),
            Err(error) => {
                return Err(crate::cluster::Unread {
                    what: query.what(),
                    why: error.to_string(),
                    grant: query.grant(),
                    resource: Some(query.resource),
                    namespace: namespace.to_owned(),
                });
            }
        }
    }
    Ok(builder.finish())
}

/// The items of a list; none where the server has no such resource.
async fn list(client: &Client, url: &str) -> kube::Result<Vec<Value>> {
    let request = Request::get(url).body(Vec::new());
    let request = request.map_err(kube::Error::HttpError)?;
    match patiently(client, &request).await {
        Ok(mut list) => Ok(match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        }),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The selector of a ReplicationController is a map of labels.
fn claimant(kind: &str, object: &Value) -> Claimant {
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    let name = format!("{kind} {}", name.unwrap_or_default());
    let selector = object
        .pointer("/spec/selector")
        .cloned()
        .unwrap_or_default();
    let selector = match kind {
        "ReplicationController" => json!({"matchLabels": selector}),
        _ => selector,
    };
    (name, serde_json::from_value(selector).unwrap_or_default())
}
