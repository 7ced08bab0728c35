//! What an object's fields may say, as far as a test could get it wrong.
//!
//! Source: Kubernetes, `pkg/apis/core/validation`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::refusal::{Cause, Refusal};
use crate::store::ResourceType;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
    and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
    and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// Refuses an object whose fields cannot be.
pub fn check(kind: &ResourceType, object: &Value) -> Result<(), Refusal> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let mut causes = Vec::new();
    let any_name = matches!(kind.group.as_str(), "rbac.authorization.k8s.io");
    let label_only = matches!(kind.plural.as_str(), "namespaces" | "services");
    if name.is_empty() {
        causes.push(Cause::new_name_required());
    } else if !any_name && label_only && !is_label(name) {
        causes.push(Cause::invalid("metadata.name", name, LABEL));
    } else if !any_name && !name.split('.').all(is_label) {
        causes.push(Cause::invalid("metadata.name", name, SUBDOMAIN));
    }
    match kind.plural.as_str() {
        "pods" => pod(&object["spec"], "spec", &mut causes),
        "deployments" | "replicasets" | "statefulsets" | "daemonsets" => pod(
            &object["spec"]["template"]["spec"],
            "spec.template.spec",
            &mut causes,
        ),
        "services" => service(&object["spec"], &mut causes),
        _ => {}
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Refusal::invalid(kind, name, &causes))
    }
}

fn pod(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    if items(&spec["containers"]).next().is_none() {
        causes.push(Cause::required(format!("{path}.containers")));
    }
    let mut seen = BTreeSet::new();
    for kind in ["containers", "initContainers", "ephemeralContainers"] {
        for (at, one) in items(&spec[kind]).enumerate() {
            let path = format!("{path}.{kind}[{at}]");
            container(one, &path, &mut seen, causes);
            if kind == "ephemeralContainers" {
                ephemeral(spec, one, &path, causes);
            }
        }
    }
}

fn container(one: &Value, path: &str, seen: &mut BTreeSet<String>, causes: &mut Vec<Cause>) {
    let field = format!("{path}.name");
    match one["name"].as_str().unwrap_or_default() {
        "" => causes.push(Cause::required(field)),
        name if !is_label(name) => causes.push(Cause::invalid(field, name, LABEL)),
        name if !seen.insert(name.to_owned()) => causes.push(Cause::duplicate(field, name)),
        _ => {}
    }
    if one["image"].as_str().is_none_or(str::is_empty) {
        causes.push(Cause::required(format!("{path}.image")));
    }
}

/// What an ephemeral container must not have.
fn ephemeral(spec: &Value, one: &Value, path: &str, causes: &mut Vec<Cause>) {
    let never = [
        "ports",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
        "resizePolicy",
    ];
    for field in never.iter().filter(|field| !one[**field].is_null()) {
        causes.push(Cause::forbidden(
            format!("{path}.{field}"),
            "cannot be set for an Ephemeral Container",
        ));
    }
    let target = one["targetContainerName"].as_str().unwrap_or_default();
    let known = items(&spec["containers"]).any(|other| other["name"] == target);
    if !target.is_empty() && !known {
        causes.push(Cause::not_found(
            format!("{path}.targetContainerName"),
            target,
        ));
    }
}

fn service(spec: &Value, causes: &mut Vec<Cause>) {
    let portless = spec["type"] == "ExternalName" || spec["clusterIP"] == "None";
    let ports: Vec<&Value> = items(&spec["ports"]).collect();
    if ports.is_empty() && !portless {
        causes.push(Cause::required("spec.ports"));
    }
    for (at, port) in ports.iter().enumerate() {
        let number = port["port"].as_u64().unwrap_or(0);
        if !(1..=65_535).contains(&number) {
            causes.push(Cause::invalid(
                format!("spec.ports[{at}].port"),
                &number.to_string(),
                "must be between 1 and 65535, inclusive",
            ));
        }
        if ports.len() > 1 && port["name"].as_str().is_none_or(str::is_empty) {
            causes.push(Cause::required(format!("spec.ports[{at}].name")));
        }
    }
}

fn is_label(word: &str) -> bool {
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = word.as_bytes();
    bytes.len() < 64
        && bytes.iter().all(|byte| plain(byte) || *byte == b'-')
        && bytes.first().is_some_and(plain)
        && bytes.last().is_some_and(plain)
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
