//! What the API server adds to objects it takes in: defaults, and the addresses and ports it gives out.
//!
//! Source: Kubernetes v1.36, `pkg/apis/*/v1/defaults.go` and the Service registry.

use serde_json::{Value, json};

use super::controllers::names::letters;
use super::store::Inner;
use super::vips;

/// Completes an object of any kind, before it is stored for the first time.
pub fn apply(inner: &Inner, object: &mut Value) -> Result<(), vips::Refused> {
    match object["kind"].as_str().unwrap_or_default() {
        "Pod" => pod(object),
        "Service" => {
            service(object);
            vips::allocate(inner, object)?;
        }
        "Deployment" => {
            let spec = &mut object["spec"];
            set(spec, "replicas", json!(1));
            set(spec, "revisionHistoryLimit", json!(10));
            set(spec, "progressDeadlineSeconds", json!(600));
            set(
                spec,
                "strategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}),
            );
            template(object);
        }
        "ReplicaSet" => {
            set(&mut object["spec"], "replicas", json!(1));
            template(object);
        }
        "StatefulSet" => {
            let spec = &mut object["spec"];
            set(spec, "replicas", json!(1));
            set(spec, "podManagementPolicy", json!("OrderedReady"));
            set(
                spec,
                "updateStrategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
            );
            template(object);
        }
        "DaemonSet" => template(object),
        "Namespace" => {
            let name = object["metadata"]["name"].clone();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            set(&mut object["spec"], "finalizers", json!(["kubernetes"]));
            set(&mut object["status"], "phase", json!("Active"));
        }
        "NetworkPolicy" => network_policy(object),
        "EndpointSlice" => {
            for port in list(object, "ports") {
                set(port, "name", json!(""));
                set(port, "protocol", json!("TCP"));
            }
        }
        _ => {}
    }
    Ok(())
}

/// A pod, with the service account's token mounted.
pub fn pod(object: &mut Value) {
    pod_spec(&mut object["spec"]);
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let spec = &mut object["spec"];
    set(spec, "serviceAccountName", json!("default"));
    let account = spec["serviceAccountName"].clone();
    set(spec, "serviceAccount", account);
    set(spec, "priority", json!(0));
    set(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    set(spec, "enableServiceLinks", json!(true));
    if spec["tolerations"].as_array().is_none_or(Vec::is_empty) {
        spec["tolerations"] = ["not-ready", "unreachable"].iter().map(|what| {
            json!({"key": format!("node.kubernetes.io/{what}"), "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
        }).collect();
    }
    if spec["automountServiceAccountToken"] != false {
        mount_token(spec, &name);
    }
    if object["status"]["phase"].is_null() {
        object["status"]["phase"] = "Pending".into();
    }
    if object["status"]["qosClass"].is_null() {
        object["status"]["qosClass"] = "BestEffort".into();
    }
}

/// A container that joins a running pod.
pub fn ephemeral_container(container: &mut Value) {
    self::container(container);
}

fn mount_token(spec: &mut Value, pod: &str) {
    const AT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    let mounted = |one: &Value| {
        one["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|mount| mount["mountPath"] == AT)
    };
    if spec["containers"]
        .as_array()
        .is_none_or(|all| all.iter().all(mounted))
    {
        return;
    }
    let volume = format!("kube-api-access-{}", letters(pod, 5));
    let entry = json!({"name": volume, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}});
    push(spec, "volumes", entry);
    for kind in ["containers", "initContainers"] {
        for one in list(spec, kind) {
            push(
                one,
                "volumeMounts",
                json!({"name": volume, "readOnly": true, "mountPath": AT}),
            );
        }
    }
}

fn template(object: &mut Value) {
    pod_spec(&mut object["spec"]["template"]["spec"]);
}

fn pod_spec(spec: &mut Value) {
    set(spec, "restartPolicy", json!("Always"));
    set(spec, "terminationGracePeriodSeconds", json!(30));
    set(spec, "dnsPolicy", json!("ClusterFirst"));
    set(spec, "securityContext", json!({}));
    set(spec, "schedulerName", json!("default-scheduler"));
    for kind in ["containers", "initContainers"] {
        for one in list(spec, kind) {
            container(one);
        }
    }
}

fn container(one: &mut Value) {
    set(one, "resources", json!({}));
    set(one, "terminationMessagePath", json!("/dev/termination-log"));
    set(one, "terminationMessagePolicy", json!("File"));
    let latest = one["image"].as_str().is_some_and(|image| {
        let last = image.rsplit('/').next().unwrap_or_default();
        !last.contains([':', '@']) || last.ends_with(":latest")
    });
    set(
        one,
        "imagePullPolicy",
        json!(if latest { "Always" } else { "IfNotPresent" }),
    );
    for port in list(one, "ports") {
        set(port, "protocol", json!("TCP"));
    }
    for kind in ["readinessProbe", "livenessProbe", "startupProbe"] {
        if let Some(probe) = one.get_mut(kind).filter(|probe| probe.is_object()) {
            for (field, value) in [
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ] {
                set(probe, field, json!(value));
            }
            if let Some(get) = probe.get_mut("httpGet").filter(|get| get.is_object()) {
                set(get, "scheme", json!("HTTP"));
                set(get, "path", json!("/"));
            }
        }
    }
}

fn service(object: &mut Value) {
    let spec = &mut object["spec"];
    set(spec, "type", json!("ClusterIP"));
    set(spec, "sessionAffinity", json!("None"));
    for port in list(spec, "ports") {
        set(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        set(port, "targetPort", number);
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if kind != "ExternalName" {
        set(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        set(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
    set(&mut object["status"], "loadBalancer", json!({}));
}

fn network_policy(object: &mut Value) {
    let spec = &mut object["spec"];
    if spec["policyTypes"].as_array().is_none_or(Vec::is_empty) {
        let egress = spec["egress"].is_array();
        spec["policyTypes"] = if egress {
            json!(["Ingress", "Egress"])
        } else {
            json!(["Ingress"])
        };
    }
    set(spec, "podSelector", json!({}));
    for direction in ["ingress", "egress"] {
        for rule in list(spec, direction) {
            for port in list(rule, "ports") {
                set(port, "protocol", json!("TCP"));
            }
        }
    }
}

/// The entries of a field, if it is there and is a list.
fn list<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = object.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

/// Sets a field that is not there.
fn set(object: &mut Value, field: &str, value: Value) {
    if object.is_null() {
        *object = json!({});
    }
    if object[field].is_null() {
        object[field] = value;
    }
}

fn push(object: &mut Value, field: &str, value: Value) {
    set(object, field, json!([]));
    if let Some(list) = object[field].as_array_mut() {
        list.push(value);
    }
}
