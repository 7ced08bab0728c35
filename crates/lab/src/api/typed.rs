//! Whether an object fits its kind: the types of its fields, and no field that does not exist.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, Namespace, Node, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass, NetworkPolicy, ServiceCIDR};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::refusal::Refusal;
use crate::store::ResourceType;

/// Refuses an object that does not fit; with `strict`, one with unknown fields, too.
pub fn check(kind: &ResourceType, object: &Value, strict: bool) -> Result<(), Refusal> {
    let round = match kind.kind.as_str() {
        "ClusterRole" => round::<ClusterRole>,
        "ClusterRoleBinding" => round::<ClusterRoleBinding>,
        "ConfigMap" => round::<ConfigMap>,
        "CronJob" => round::<CronJob>,
        "CustomResourceDefinition" => round::<CustomResourceDefinition>,
        "DaemonSet" => round::<DaemonSet>,
        "Deployment" => round::<Deployment>,
        "EndpointSlice" => round::<EndpointSlice>,
        "Endpoints" => round::<Endpoints>,
        "Event" => round::<Event>,
        "Ingress" => round::<Ingress>,
        "IngressClass" => round::<IngressClass>,
        "Job" => round::<Job>,
        "Namespace" => round::<Namespace>,
        "NetworkPolicy" => round::<NetworkPolicy>,
        "Node" => round::<Node>,
        "Pod" => round::<Pod>,
        "ReplicaSet" => round::<ReplicaSet>,
        "Role" => round::<Role>,
        "RoleBinding" => round::<RoleBinding>,
        "Secret" => round::<Secret>,
        "Service" => round::<Service>,
        "ServiceAccount" => round::<ServiceAccount>,
        "ServiceCIDR" => round::<ServiceCIDR>,
        "StatefulSet" => round::<StatefulSet>,
        _ => return Ok(()),
    };
    let known = round(object).map_err(|error| {
        let name = &kind.kind;
        let version = kind.api_version();
        Refusal::bad_request(format!(
            "{name} in version \"{version}\" cannot be handled as a {name}: {error}"
        ))
    })?;
    let mut unknown = Vec::new();
    if strict {
        compare(object, &known, "", &mut unknown);
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let listed: Vec<String> = unknown
        .iter()
        .map(|field| format!("unknown field \"{field}\""))
        .collect();
    Err(Refusal::bad_request(format!(
        "{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
        kind.kind,
        kind.api_version(),
        kind.kind,
        listed.join(", ")
    )))
}

/// Through the type and back: what is lost on the way is no field of the kind.
fn round<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let typed = T::deserialize(object).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

fn compare(given: &Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            for (name, value) in given.iter().filter(|(_, value)| !is_empty(value)) {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                match known.get(name) {
                    Some(other) => compare(value, other, &path, unknown),
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (at, (one, other)) in given.iter().zip(known).enumerate() {
                compare(one, other, &format!("{path}[{at}]"), unknown);
            }
        }
        _ => {}
    }
}

/// What types leave out when they write themselves.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
