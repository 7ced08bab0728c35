//! A twin: a pod that policies cannot tell from the source, where the source itself takes no
//! container. It proves policies, rules and routes from the source's node, not what is inside the
//! source's own network namespace.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Client;
use serde_json::{Value, json};

use super::debug_pod::DebugPod;
use super::program::Program;
use super::refusal::refused;
use super::wait;
use crate::cluster::access::ServiceExt;
use crate::cluster::live::{self, Answer};
use crate::cluster::query::Query;
use crate::cluster::{Builder, ClusterView, Named, Pod, Resource, Selector};
use crate::observe::ProbeError;
use crate::probe::pods::Pods;
use crate::probe::{LABEL, RUN};

const CONTAINER: &str = "netpath";

/// A condition that nobody ever sets: the twin never becomes ready, so no Service sends to it.
const GATE: &str = "netpath/never";

/// Creates a twin of a pod and waits until it runs.
///
/// # Errors
/// When it would be taken for one of a controller's or a Service's own, or the server refuses it.
pub async fn create(
    client: &Client,
    view: &ClusterView,
    pod: &Pod,
    program: &Program,
    (run, seconds): (&str, u64),
) -> Result<DebugPod, ProbeError> {
    let what = format!("twin of pod {}/{}", pod.namespace(), pod.name());
    let controllers = controllers(client, pod.namespace()).await;
    let object = object(view, &controllers, pod, program, (run, seconds)).map_err(|why| {
        ProbeError::Refused {
            what: what.clone(),
            why,
            grant: String::new(),
        }
    })?;
    let pods = Pods::new(client, Some(pod.namespace()));
    let grant = format!("create,delete pods in {}", pod.namespace());
    let created = pods.create(&object).await;
    let name = created.map_err(|error| refused(&what, &grant, &error))?;
    wait::for_pod(&pods, &name).await?;
    Ok(DebugPod {
        namespace: pod.namespace().to_owned(),
        name,
        container: CONTAINER.to_owned(),
    })
}

/// The twin's object, or why there must be none.
fn object(
    view: &ClusterView,
    controllers: &[Controller],
    pod: &Pod,
    program: &Program,
    (run, seconds): (&str, u64),
) -> Result<Value, String> {
    let keys = policy_keys(view);
    // Other dialects have selectors of their own kinds; where one is in use, every label may count.
    let all_count = view
        .custom
        .values()
        .any(|table| table.iter().next().is_some());
    let counts = |key: &str| keys.contains(key) || (all_count && !is_of_controller(key));
    let mut labels: BTreeMap<String, String> = pod
        .labels()
        .iter()
        .filter(|(key, _)| counts(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(controller) = adopter(controllers, &labels) {
        return Err(format!(
            "{controller} would take it for one of its own pods"
        ));
    }
    if let Some(service) = publisher(view, pod.namespace(), &labels) {
        return Err(format!(
            "Service {service} publishes addresses that are not ready, and would send to it"
        ));
    }
    labels.insert(LABEL.0.to_owned(), LABEL.1.to_owned());
    labels.insert(RUN.to_owned(), run.to_owned());
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "netpath-", "namespace": pod.namespace(), "labels": labels},
        "spec": {
            "nodeName": pod.node_name(),
            "hostNetwork": pod.is_host_network(),
            "dnsPolicy": pod.spec.as_ref().and_then(|spec| spec.dns_policy.clone()),
            "dnsConfig": pod.spec.as_ref().and_then(|spec| spec.dns_config.clone()),
            "restartPolicy": "Never",
            "activeDeadlineSeconds": seconds,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "readinessGates": [{"conditionType": GATE}],
            "tolerations": [{"operator": "Exists"}],
            "containers": [program.container(CONTAINER, &super::ephemeral::strictest())],
        },
    }))
}

/// Labels by which controllers know their own pods.
fn is_of_controller(key: &str) -> bool {
    matches!(
        key,
        "pod-template-hash"
            | "controller-revision-hash"
            | "pod-template-generation"
            | "job-name"
            | "controller-uid"
            | "statefulset.kubernetes.io/pod-name"
            | "apps.kubernetes.io/pod-index"
    ) || key.starts_with("batch.kubernetes.io/")
}

/// The labels that policies look at; every other one stays off the twin.
fn policy_keys(view: &ClusterView) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for policy in view.network_policies.iter() {
        let Some(spec) = &policy.spec else {
            continue;
        };
        let from = spec
            .ingress
            .iter()
            .flatten()
            .flat_map(|rule| rule.from.iter().flatten());
        let to = spec
            .egress
            .iter()
            .flatten()
            .flat_map(|rule| rule.to.iter().flatten());
        let peers = from.chain(to).filter_map(|peer| peer.pod_selector.as_ref());
        for selector in peers.chain(&spec.pod_selector) {
            let selector = Selector::from_label_selector(selector).unwrap_or_default();
            keys.extend(
                selector
                    .requirements
                    .into_iter()
                    .map(|requirement| requirement.key),
            );
        }
    }
    keys
}

/// Something that owns pods by a selector: what it is called, and what it selects.
type Controller = (String, LabelSelector);

/// The controllers of a namespace. One that may not be listed is not known: its pods are then told
/// apart by the template labels that a twin never carries.
async fn controllers(client: &Client, namespace: &str) -> Vec<Controller> {
    const OWNERS: [Resource; 3] = [
        Resource::ReplicaSets,
        Resource::StatefulSets,
        Resource::DaemonSets,
    ];
    let lists = OWNERS.map(|owner| async move {
        let query = Query::list(owner, Some(namespace));
        live::fetch(client, &query).await
    });
    let mut builder = Builder::default();
    for answer in join_all(lists).await {
        if let Ok(Answer::Found(list)) = answer {
            builder.add(list);
        }
    }
    let view = builder.finish();
    let tables = view.workloads.iter();
    let all = tables.flat_map(|(kind, table)| table.iter().map(move |one| (kind, one)));
    all.filter_map(|(kind, workload)| {
        let name = format!("{} {}", kind.kind(), workload.name());
        Some((name, workload.selector.clone()?))
    })
    .collect()
}

/// A controller whose selector matches: it would adopt the twin and delete a real pod in exchange.
fn adopter<'c>(
    controllers: &'c [Controller],
    labels: &BTreeMap<String, String>,
) -> Option<&'c str> {
    let mut matching = controllers.iter().filter(|(_, selector)| {
        Selector::from_label_selector(selector)
            .is_ok_and(|selector| !selector.is_empty() && selector.matches(labels))
    });
    matching.next().map(|(name, _)| name.as_str())
}

fn publisher(
    view: &ClusterView,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Option<String> {
    let mut services = view.services.in_namespace(namespace);
    let found = services.find(|service| {
        let publishes = service
            .spec
            .as_ref()
            .and_then(|spec| spec.publish_not_ready_addresses);
        publishes == Some(true)
            && service
                .selector()
                .is_some_and(|selector| selector.matches(labels))
    })?;
    Some(found.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Builder;

    fn view(objects: &[Value]) -> ClusterView {
        let mut builder = Builder::default();
        objects
            .iter()
            .cloned()
            .for_each(|object| builder.add(object));
        builder.finish()
    }

    fn source() -> Value {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a", "namespace": "n", "labels": {"app": "a", "pod-template-hash": "x", "extra": "1"}},
            "spec": {"nodeName": "node1", "containers": []}, "status": {"phase": "Running"}})
    }

    fn policy() -> Value {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "n"},
            "spec": {"podSelector": {"matchLabels": {"app": "a"}}}})
    }

    fn set(selector: &Value) -> Controller {
        let selector = serde_json::from_value(json!({"matchLabels": selector}));
        ("ReplicaSet rs".to_owned(), selector.expect("a selector"))
    }

    #[test]
    fn it_carries_only_what_policies_look_at_and_never_gets_ready() {
        let view = view(&[source(), policy()]);
        let controllers = [set(&json!({"app": "a", "pod-template-hash": "x"}))];
        let pod = view.pods.get("n", "a").expect("the source");
        let twin = object(
            &view,
            &controllers,
            pod,
            &Program::idle("busybox", 60),
            ("run", 60),
        )
        .expect("a twin");
        let labels = &twin["metadata"]["labels"];
        assert_eq!(labels["app"], json!("a"));
        assert!(labels.get("pod-template-hash").is_none() && labels.get("extra").is_none());
        assert_eq!(
            twin["spec"]["readinessGates"][0]["conditionType"],
            json!(GATE)
        );
        assert_eq!(twin["spec"]["nodeName"], json!("node1"));
    }

    #[test]
    fn it_is_not_made_where_somebody_would_adopt_it() {
        let view = view(&[source(), policy()]);
        let pod = view.pods.get("n", "a").expect("the source");
        let refused = object(
            &view,
            &[set(&json!({"app": "a"}))],
            pod,
            &Program::idle("busybox", 60),
            ("run", 60),
        );
        assert!(refused.is_err_and(|why| why.contains("ReplicaSet rs")));
    }
}
