//! Who may do what: Roles, ClusterRoles and their bindings, as the objects in the store say.
//!
//! Source: Kubernetes, `plugin/pkg/auth/authorizer/rbac`.

use std::sync::Arc;

use anyhow::Result;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use serde::Deserialize;

use super::identity::User;
use super::refusal::Refusal;
use super::request::Call;
use crate::store::{self, Key, Store};

/// The roles every cluster has.
const BOOTSTRAP: &str = include_str!("bootstrap.yaml");

/// One question about rights.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ask {
    pub verb: String,
    pub group: String,
    /// `pods`, `pods/exec`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    /// A URL that is about no object, in place of all but the verb.
    pub path: Option<String>,
}

/// Adds the roles every cluster has, where the scenario does not bring them.
pub fn bootstrap(store: &Store) -> Result<()> {
    for object in store::read(BOOTSTRAP)? {
        store.admit(object)?;
    }
    Ok(())
}

/// Whether a user may.
pub fn allows(store: &Arc<Store>, user: &User, ask: &Ask) -> bool {
    if user.groups.iter().any(|group| group == "system:masters") {
        return true;
    }
    let rules = rules(store, user, &ask.namespace);
    rules.iter().any(|rule| covers(rule, ask))
}

/// The rules that hold for a user in a namespace (and everywhere).
pub fn rules(store: &Arc<Store>, user: &User, namespace: &str) -> Vec<PolicyRule> {
    const GROUP: &str = "rbac.authorization.k8s.io";
    let mut rules = Vec::new();
    for binding in store.typed::<ClusterRoleBinding>(GROUP, "clusterrolebindings") {
        if is_about(binding.subjects.as_ref(), user, "") {
            rules.extend(of_role(store, &binding.role_ref, ""));
        }
    }
    if namespace.is_empty() {
        return rules;
    }
    for binding in store.typed::<RoleBinding>(GROUP, "rolebindings") {
        let own = binding.metadata.namespace.as_deref().unwrap_or_default();
        if own == namespace && is_about(binding.subjects.as_ref(), user, own) {
            rules.extend(of_role(store, &binding.role_ref, own));
        }
    }
    rules
}

/// How a missing right is refused.
pub fn refusal(user: &User, ask: &Ask) -> Refusal {
    if let Some(path) = &ask.path {
        let message = format!(
            "forbidden: User \"{}\" cannot {} path \"{path}\"",
            user.name, ask.verb
        );
        return Refusal {
            details: Some(serde_json::json!({})),
            ..Refusal::new(403, "Forbidden", message)
        };
    }
    let place = if ask.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{}\"", ask.namespace)
    };
    let plain = ask.resource.split('/').next().unwrap_or_default();
    let qualified = if ask.group.is_empty() {
        plain.to_owned()
    } else {
        format!("{plain}.{}", ask.group)
    };
    let subject = if ask.name.is_empty() {
        qualified
    } else {
        format!("{qualified} \"{}\"", ask.name)
    };
    let message = format!(
        "{subject} is forbidden: User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {place}",
        user.name, ask.verb, ask.resource, ask.group
    );
    let mut details = serde_json::json!({"kind": plain});
    for (field, value) in [("name", &ask.name), ("group", &ask.group)] {
        if !value.is_empty() {
            details[field] = value.clone().into();
        }
    }
    Refusal {
        details: Some(details),
        ..Refusal::new(403, "Forbidden", message)
    }
}

// === impl Ask ===

impl Ask {
    pub fn object(verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            path: None,
        }
    }

    /// What a request needs.
    pub fn of_call(call: &Call) -> Self {
        let Some(target) = &call.target else {
            return Self {
                verb: call.verb().to_owned(),
                path: Some(call.path.clone()),
                ..Self::default()
            };
        };
        Self::object(
            call.verb(),
            &target.group,
            &target.resource_path(),
            &target.namespace,
            &target.name,
        )
    }
}

fn of_role(store: &Store, reference: &RoleRef, namespace: &str) -> Vec<PolicyRule> {
    let role = |plural: &str, namespace: &str| {
        store.get(&Key::new(
            "rbac.authorization.k8s.io",
            plural,
            namespace,
            &reference.name,
        ))
    };
    let rules = match reference.kind.as_str() {
        "ClusterRole" => {
            role("clusterroles", "").and_then(|role| ClusterRole::deserialize(&*role).ok()?.rules)
        }
        _ => role("roles", namespace).and_then(|role| Role::deserialize(&*role).ok()?.rules),
    };
    rules.unwrap_or_default()
}

fn is_about(subjects: Option<&Vec<Subject>>, user: &User, namespace: &str) -> bool {
    subjects
        .into_iter()
        .flatten()
        .any(|subject| match subject.kind.as_str() {
            "User" => subject.name == user.name,
            "Group" => user.groups.contains(&subject.name),
            "ServiceAccount" => {
                let own = subject.namespace.as_deref().unwrap_or(namespace);
                user.name == format!("system:serviceaccount:{own}:{}", subject.name)
            }
            _ => false,
        })
}

fn covers(rule: &PolicyRule, ask: &Ask) -> bool {
    let listed = |list: Option<&Vec<String>>, word: &str| {
        list.into_iter()
            .flatten()
            .any(|one| one == "*" || one == word)
    };
    if !rule
        .verbs
        .iter()
        .any(|verb| verb == "*" || *verb == ask.verb)
    {
        return false;
    }
    if let Some(path) = &ask.path {
        let urls = rule.non_resource_urls.iter().flatten();
        return urls.into_iter().any(|url| match url.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => url == path,
        });
    }
    let any_parent = ask
        .resource
        .split_once('/')
        .map(|(_, sub)| format!("*/{sub}"));
    let named = listed(rule.resources.as_ref(), &ask.resource)
        || any_parent.is_some_and(|any| rule.resources.iter().flatten().any(|one| *one == any));
    let object = rule
        .resource_names
        .as_ref()
        .is_none_or(|names| names.is_empty() || names.contains(&ask.name));
    named && object && listed(rule.api_groups.as_ref(), &ask.group)
}
