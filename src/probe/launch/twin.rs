//! A twin: a pod that policies cannot tell from the source, where the source itself takes no
//! container. It proves policies, rules and routes from the source's node, not what is inside the
//! source's own network namespace.

use std::collections::{BTreeMap, BTreeSet};

use kube::Client;
use serde_json::{Value, json};

use super::Order;
use super::claims::{Claimant, claims};
use super::debug_pod::DebugPod;
use super::own::{CONTAINER, PREFIX};
use super::program::{Program, small};
use super::refusal::refused;
use super::wait;
use crate::cluster::access::ServiceExt;
use crate::cluster::{ClusterView, Named, Pod, Selector};
use crate::observe::ProbeError;
use crate::probe::pods::Pods;
use crate::probe::{LABEL, RUN};

/// A condition that nobody ever sets: the twin never becomes ready, so no Service sends to it.
const GATE: &str = "netpath/never";

/// The annotation that `publishNotReadyAddresses` replaced.
const TOLERATES: &str = "service.alpha.kubernetes.io/tolerate-unready-endpoints";

/// Creates a twin of a pod and waits until it runs.
///
/// # Errors
/// When it would be taken for one of a controller's or a Service's own, or the server refuses it.
pub async fn create(
    client: &Client,
    view: &ClusterView,
    pod: &Pod,
    program: &Program,
    order: Order<'_>,
) -> Result<DebugPod, ProbeError> {
    let what = format!("twin of pod {}/{}", pod.namespace(), pod.name());
    let (claimants, services) = claims(client, pod, &what).await?;
    let known = Known {
        view,
        services: &services,
        claimants: &claimants,
    };
    let object = object(&known, pod, program, order).map_err(|why| ProbeError::Refused {
        what: what.clone(),
        why,
        grant: String::new(),
    })?;
    let pods = Pods::new(client, Some(pod.namespace()));
    let grant = format!("create,delete pods in {}", pod.namespace());
    let created = pods.create(order.gate, object).await;
    let name = created.map_err(|error| refused(&what, &grant, &error))?;
    wait::for_pod(&pods, &name).await?;
    Ok(DebugPod {
        namespace: pod.namespace().to_owned(),
        name,
        container: CONTAINER.to_owned(),
    })
}

/// What is known of the namespace.
struct Known<'k> {
    /// With the policies in force.
    view: &'k ClusterView,
    /// With every Service of the namespace.
    services: &'k ClusterView,
    claimants: &'k [Claimant],
}

/// The twin's object, or why there must be none.
fn object(
    Known {
        view,
        services,
        claimants,
    }: &Known<'_>,
    pod: &Pod,
    program: &Program,
    Order { run, seconds, .. }: Order<'_>,
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
    if let Some(controller) = adopter(claimants, &labels) {
        return Err(format!(
            "{controller} would take it for one of its own pods"
        ));
    }
    if let Some(service) = publisher(services, pod.namespace(), &labels) {
        return Err(format!(
            "Service {service} publishes addresses that are not ready, and would send to it"
        ));
    }
    let mut container = program.container(CONTAINER, &super::ephemeral::strictest());
    container["resources"] = small();
    labels.insert(LABEL.0.to_owned(), LABEL.1.to_owned());
    labels.insert(RUN.to_owned(), run.to_owned());
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": PREFIX,
            "namespace": pod.namespace(),
            "labels": labels,
            "annotations": {RUN: run},
        },
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
            "tolerations": [{"operator": "Exists", "effect": "NoExecute"}],
            "containers": [container],
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

/// A controller whose selector matches: it would adopt the twin and delete a real pod in exchange.
fn adopter<'c>(claimants: &'c [Claimant], labels: &BTreeMap<String, String>) -> Option<&'c str> {
    let mut matching = claimants.iter().filter(|(_, selector)| {
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
        // The annotation is older, and still heard (endpoints controller).
        let annotations = service.metadata.annotations.as_ref();
        let tolerates = annotations.and_then(|all| all.get(TOLERATES));
        (publishes == Some(true) || tolerates.is_some_and(|value| value == "true"))
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
    use crate::probe::gate::Gate;

    const fn order(gate: &Gate) -> Order<'_> {
        Order {
            run: "run",
            seconds: 60,
            gate,
        }
    }

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

    fn set(selector: &Value) -> Claimant {
        let selector = serde_json::from_value(json!({"matchLabels": selector}));
        ("ReplicaSet rs".to_owned(), selector.expect("a selector"))
    }

    #[test]
    fn it_carries_only_what_policies_look_at_and_never_gets_ready() {
        let view = view(&[source(), policy()]);
        let known = Known {
            view: &view,
            services: &view,
            claimants: &[set(&json!({"app": "a", "pod-template-hash": "x"}))],
        };
        let pod = view.pods.get("n", "a").expect("the source");
        let twin = object(
            &known,
            pod,
            &Program::idle("busybox", 60),
            order(&Gate::default()),
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
        let known = Known {
            view: &view,
            services: &view,
            claimants: &[set(&json!({"app": "a"}))],
        };
        let refused = object(
            &known,
            pod,
            &Program::idle("busybox", 60),
            order(&Gate::default()),
        );
        assert!(refused.is_err_and(|why| why.contains("ReplicaSet rs")));
    }

    #[test]
    fn it_is_not_made_where_a_service_would_send_to_it() {
        let service = |name: &str, annotations: Value, publishes: bool| {
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "n", "annotations": annotations},
                "spec": {"selector": {"app": "a"}, "publishNotReadyAddresses": publishes}})
        };
        let known = view(&[source(), policy()]);
        let pod = known.pods.get("n", "a").expect("the source");
        for (service, is_made) in [
            (service("plain", json!({}), false), true),
            (service("new", json!({}), true), false),
            (service("old", json!({TOLERATES: "true"}), false), false),
        ] {
            let services = view(&[service]);
            let known = Known {
                view: &known,
                services: &services,
                claimants: &[],
            };
            let made = object(
                &known,
                pod,
                &Program::idle("busybox", 60),
                order(&Gate::default()),
            );
            assert_eq!(made.is_ok(), is_made, "{made:?}");
        }
    }
}
