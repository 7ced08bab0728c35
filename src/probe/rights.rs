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

/// What is to be done, and where.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub depth: Depth,
    /// Where to probe; everywhere without one.
    pub namespace: Option<&'a str>,
    /// Where the pods of `--deep` are created.
    pub debug_namespace: &'a str,
    /// Whether a twin may stand in for a pod.
    pub with_twins: bool,
}

/// The least roles for what is wanted, with their bindings.
///
/// Only reading is granted for the whole cluster where
/// one namespace is probed, because nodes, namespaces and what selects across them live there; and pods
/// are created, as root on nodes, in one namespace only.
#[must_use]
pub fn roles(wanted: Wanted<'_>, subjects: Subjects<'_>) -> Vec<Value> {
    let Wanted {
        depth,
        namespace,
        debug_namespace,
        with_twins,
    } = wanted;
    let mut probing = probing(depth, with_twins);
    let is_same = namespace == Some(debug_namespace);
    if depth == Depth::Deep && is_same {
        probing.extend(on_nodes());
    }
    let named = |namespace: &str| json!({"name": name(depth), "namespace": namespace});
    let mut roles = match namespace {
        None => {
            let rules = [reading(), probing].concat();
            vec![role("ClusterRole", &json!({"name": name(depth)}), &rules)]
        }
        Some(namespace) => vec![
            role(
                "ClusterRole",
                &json!({"name": name(Depth::Api)}),
                &reading(),
            ),
            role("Role", &named(namespace), &probing),
        ],
    };
    if depth == Depth::Deep && !is_same {
        roles.push(role("Role", &named(debug_namespace), &on_nodes()));
    }
    let bound: Vec<Value> = roles
        .iter()
        .filter_map(|role| binding(role, subjects))
        .collect();
    roles.extend(bound);
    roles
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
fn probing(depth: Depth, with_twins: bool) -> Vec<Value> {
    let mut rules = Vec::new();
    if depth != Depth::Api {
        rules.push(json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch"]}));
        rules.push(json!({"apiGroups": [""], "resources": ["pods/ephemeralcontainers"], "verbs": ["patch"]}));
        rules.push(
            json!({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}),
        );
        rules.push(json!({"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}));
    }
    if depth != Depth::Api && with_twins {
        rules.extend(creating());
        // What else could take a twin for its own.
        rules.push(
            json!({"apiGroups": [""], "resources": ["replicationcontrollers"], "verbs": ["list"]}),
        );
        rules.push(json!({"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["list"]}));
    }
    rules
}

fn creating() -> Vec<Value> {
    vec![json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "delete"]})]
}

/// What a pod on a node needs where it is created.
fn on_nodes() -> Vec<Value> {
    let exec = json!({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]});
    let log = json!({"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]});
    let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "watch", "create", "delete"]});
    vec![pods, exec, log]
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

    fn wanted(depth: Depth) -> Wanted<'static> {
        Wanted {
            depth,
            namespace: None,
            debug_namespace: "kube-system",
            with_twins: false,
        }
    }

    fn granted(wanted: Wanted<'_>) -> Vec<Value> {
        let accounts = [("ci".to_owned(), "netpath".to_owned())];
        let subjects = Subjects {
            users: &[],
            accounts: &accounts,
        };
        roles(wanted, subjects)
    }

    #[test]
    fn each_depth_grants_what_it_uses_and_the_shallow_ones_no_more() {
        let probing: Vec<Right> = EPHEMERAL.into_iter().chain(IMAGE).collect();
        let probe = granted(wanted(Depth::Probe));
        assert!(probing.iter().all(|right| grants(&probe[0], right)));
        assert!(!grants(&probe[0], &core("create", "pods", "")));
        let text = granted(wanted(Depth::Api))[0].to_string();
        for word in [
            "create", "patch", "delete", "update", "watch", "secrets", "*", "exec",
        ] {
            assert!(!text.contains(&format!("\"{word}\"")), "{word}");
        }
    }

    #[test]
    fn pods_are_created_in_one_namespace_only() {
        let creating: Vec<Right> = DEBUG_POD.into_iter().chain(IMAGE_POD).collect();
        let deep = granted(wanted(Depth::Deep));
        assert!(!grants(&deep[0], &core("create", "pods", "")));
        assert_eq!(deep[1]["metadata"]["namespace"], "kube-system");
        assert!(creating.iter().all(|right| grants(&deep[1], right)));
        let own = granted(Wanted {
            namespace: Some("kube-system"),
            ..wanted(Depth::Deep)
        });
        assert_eq!(own.len(), 4, "{own:?}");
        assert!(creating.iter().all(|right| grants(&own[1], right)));
        let twins = granted(Wanted {
            with_twins: true,
            ..wanted(Depth::Probe)
        });
        assert!(creating.iter().all(|right| grants(&twins[0], right)));
    }

    #[test]
    fn one_namespace_has_roles_of_its_own() {
        let split = granted(Wanted {
            namespace: Some("shop"),
            ..wanted(Depth::Probe)
        });
        let kinds: Vec<&str> = split
            .iter()
            .filter_map(|one| one["kind"].as_str())
            .collect();
        assert_eq!(
            kinds,
            ["ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"]
        );
        assert!(EPHEMERAL.iter().all(|right| grants(&split[1], right)));
        assert_eq!(split[3]["metadata"]["namespace"], "shop");
    }
}
