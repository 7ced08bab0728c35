//! Which rights a depth needs, and which of them we have.

use futures::future::join_all;
use kube::Client;
use kube::api::{PostParams, Request};
use serde_json::{Value, json};

use crate::cluster::Resource;
use crate::observe::Depth;

/// One right: a verb on a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    pub verb: &'static str,
    pub group: &'static str,
    pub resource: &'static str,
    pub subresource: &'static str,
}

const fn core(verb: &'static str, resource: &'static str, subresource: &'static str) -> Right {
    Right {
        verb,
        group: "",
        resource,
        subresource,
    }
}

/// What an ephemeral container with an uploaded agent takes. From Kubernetes 1.35 on exec over a
/// websocket asks for `create` as well as `get`.
pub const EPHEMERAL: [Right; 4] = [
    core("get", "pods", ""),
    core("patch", "pods", "ephemeralcontainers"),
    core("get", "pods", "exec"),
    core("create", "pods", "exec"),
];

/// What an ephemeral container with an image of its own takes.
pub const IMAGE: [Right; 3] = [
    core("get", "pods", ""),
    core("patch", "pods", "ephemeralcontainers"),
    core("get", "pods", "log"),
];

/// What a pod with an image of its own takes.
pub const IMAGE_POD: [Right; 4] = [
    core("create", "pods", ""),
    core("get", "pods", ""),
    core("delete", "pods", ""),
    core("get", "pods", "log"),
];

/// What a debug pod with an uploaded agent takes.
pub const DEBUG_POD: [Right; 5] = [
    core("create", "pods", ""),
    core("get", "pods", ""),
    core("delete", "pods", ""),
    core("get", "pods", "exec"),
    core("create", "pods", "exec"),
];

// === impl Right ===

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        Ok(())
    }
}

/// The rights of a list that are missing in a namespace, all asked at once. A server that does not
/// answer reviews leaves the attempt itself to tell.
pub async fn missing(client: &Client, namespace: &str, rights: &[Right]) -> Vec<Right> {
    let reviews = rights.iter().map(|right| review(client, namespace, right));
    let answers = join_all(reviews).await;
    let denied = rights
        .iter()
        .zip(answers)
        .filter(|(_, allowed)| *allowed == Some(false));
    denied.map(|(right, _)| *right).collect()
}

/// Whether the server says a right is ours. None without an answer.
async fn review(client: &Client, namespace: &str, right: &Right) -> Option<bool> {
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
        }},
    });
    let reviews = Request::new("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
    let request = reviews.create(&PostParams::default(), body.to_string().into_bytes());
    let answer: Value = client.request(request.ok()?).await.ok()?;
    answer.pointer("/status/allowed")?.as_bool()
}

/// Whom rights are bound to: users by name, ServiceAccounts by namespace and name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subjects<'a> {
    pub users: &'a [String],
    pub accounts: &'a [(String, String)],
}

/// The least ClusterRole of a depth, as an object.
#[must_use]
pub fn cluster_role(depth: Depth) -> Value {
    let mut rules = reading();
    rules.extend(probing(depth));
    role("ClusterRole", &json!({"name": name(depth)}), &rules)
}

/// The roles of a depth with their bindings. In one namespace only reading is granted for the whole cluster, because
/// nodes, namespaces and what selects across them live there.
#[must_use]
pub fn roles(depth: Depth, namespace: Option<&str>, subjects: Subjects<'_>) -> Vec<Value> {
    let Some(namespace) = namespace else {
        let role = cluster_role(depth);
        let bound = binding(&role, subjects);
        return std::iter::once(role).chain(bound).collect();
    };
    let to_read = role(
        "ClusterRole",
        &json!({"name": name(Depth::Api)}),
        &reading(),
    );
    let meta = json!({"name": name(depth), "namespace": namespace});
    let to_probe = role("Role", &meta, &probing(depth));
    let bound = [&to_read, &to_probe].map(|role| binding(role, subjects));
    let bound: Vec<Value> = bound.into_iter().flatten().collect();
    [to_read, to_probe].into_iter().chain(bound).collect()
}

const fn name(depth: Depth) -> &'static str {
    match depth {
        Depth::Api => "netpath-no-probe",
        Depth::Probe => "netpath",
        Depth::Deep => "netpath-deep",
    }
}

fn role(kind: &str, metadata: &Value, rules: &[Value]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        "rules": rules,
    })
}

/// Binds a role to its subjects, if there are any.
fn binding(role: &Value, subjects: Subjects<'_>) -> Option<Value> {
    let users = subjects
        .users
        .iter()
        .map(|user| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}));
    let accounts = subjects.accounts.iter().map(
        |(namespace, name)| json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}),
    );
    let all: Vec<Value> = users.chain(accounts).collect();
    let kind = role["kind"].as_str().unwrap_or_default();
    (!all.is_empty()).then(|| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": format!("{kind}Binding"),
            "metadata": role["metadata"],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role["metadata"]["name"]},
            "subjects": all,
        })
    })
}

/// What an answer from the API reads.
fn reading() -> Vec<Value> {
    let mut rules: Vec<Value> = Vec::new();
    for group in groups() {
        let resources: Vec<&str> = Resource::ALL
            .iter()
            .filter(|resource| resource.group() == group)
            .filter(|resource| !matches!(resource, Resource::ConfigMaps | Resource::Endpoints))
            .map(|resource| resource.plural())
            .collect();
        rules.push(json!({"apiGroups": [group], "resources": resources, "verbs": ["get", "list"]}));
    }
    rules.push(json!({"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["coredns", "coredns-custom", "node-local-dns", "kube-proxy", "kubeadm-config", "cilium-config"], "verbs": ["get"]}));
    rules
}

/// What a probe needs beside it.
fn probing(depth: Depth) -> Vec<Value> {
    let mut rules = Vec::new();
    if depth != Depth::Api {
        rules.push(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch"]}));
        rules.push(json!({"apiGroups": [""], "resources": ["pods/ephemeralcontainers"], "verbs": ["patch"]}));
        rules.push(
            json!({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}),
        );
        rules.push(json!({"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}));
    }
    if depth == Depth::Deep {
        rules
            .push(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "delete"]}));
    }
    rules
}

fn groups() -> Vec<&'static str> {
    let mut groups: Vec<&str> = Vec::new();
    for resource in Resource::ALL {
        if !groups.contains(&resource.group()) {
            groups.push(resource.group());
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a role grants a right.
    fn grants(role: &Value, right: &Right) -> bool {
        let name = if right.subresource.is_empty() {
            right.resource.to_owned()
        } else {
            format!("{}/{}", right.resource, right.subresource)
        };
        let rules = role["rules"].as_array().expect("rules");
        rules.iter().any(|rule| {
            let has = |key: &str, value: &str| {
                let all = rule[key].as_array().expect("a list");
                all.iter().any(|one| one == value)
            };
            has("apiGroups", right.group) && has("resources", &name) && has("verbs", right.verb)
        })
    }

    #[test]
    fn each_depth_grants_what_it_uses_and_the_shallow_ones_no_more() {
        let probing: Vec<Right> = EPHEMERAL.into_iter().chain(IMAGE).collect();
        let (api, probe, deep) = (
            cluster_role(Depth::Api),
            cluster_role(Depth::Probe),
            cluster_role(Depth::Deep),
        );
        assert!(probing.iter().all(|right| grants(&probe, right)));
        assert!(
            probing
                .iter()
                .chain(&DEBUG_POD)
                .chain(&IMAGE_POD)
                .all(|right| grants(&deep, right))
        );
        assert!(!grants(&probe, &core("create", "pods", "")));
        let accounts = [("ci".to_owned(), "netpath".to_owned())];
        let subjects = Subjects {
            users: &[],
            accounts: &accounts,
        };
        let split = roles(Depth::Probe, Some("shop"), subjects);
        let kinds: Vec<&str> = split
            .iter()
            .filter_map(|one| one["kind"].as_str())
            .collect();
        assert_eq!(
            kinds,
            ["ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"]
        );
        assert!(probing.iter().all(|right| grants(&split[1], right)));
        assert_eq!(split[3]["metadata"]["namespace"], "shop");
        let text = api.to_string();
        for word in [
            "create", "patch", "delete", "update", "watch", "secrets", "*", "exec",
        ] {
            assert!(!text.contains(&format!("\"{word}\"")), "{word}");
        }
    }
}
