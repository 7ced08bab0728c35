//! What keeps an object as it is: Helm, a GitOps controller, an operator. A change that is made elsewhere
//! lasts until the next upgrade or reconciliation.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use crate::cluster::{ClusterView, ObjectRef};

/// How far up owner references are followed.
const MAX_OWNERS: usize = 4;

/// Kinds of Kubernetes' own: what owns such an object made it, and is asked in its turn.
const BUILT_IN: [&str; 9] = [
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Service",
    "Endpoints",
    "Node",
];

/// Field managers of tools that apply a desired state again and again, or at the next run.
const MANAGERS: [(&str, &str); 8] = [
    (
        "argocd",
        "Argo CD: change it in the Git repository of its application",
    ),
    ("helm-controller", "Flux: change it in its HelmRelease"),
    (
        "kustomize-controller",
        "Flux: change it in the Git repository of its Kustomization",
    ),
    (
        "helm",
        "Helm: change it in the values or the chart of its release",
    ),
    ("terraform", "Terraform: change it in its configuration"),
    ("pulumi", "Pulumi: change it in its program"),
    ("kapp", "kapp: change it in its app"),
    (
        "operator",
        "an operator: change the custom resource it follows",
    ),
];

/// Who keeps an object, and where to change it.
pub(super) fn keeper(view: &ClusterView, object: &ObjectRef) -> Option<String> {
    let mut meta = view.meta_of(object)?;
    for _ in 0..MAX_OWNERS {
        if let Some(keeper) = of_meta(&meta) {
            return Some(keeper);
        }
        let owners = meta.owner_references.as_deref().unwrap_or_default();
        let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
        if !BUILT_IN.contains(&owner.kind.as_str()) {
            let (kind, name) = (&owner.kind, &owner.name);
            return Some(format!("{kind} {name} and its operator: change it there"));
        }
        let namespace = meta.namespace.clone().unwrap_or_default();
        meta = view.meta_of(&ObjectRef::new(&owner.kind, namespace, &owner.name))?;
    }
    None
}

fn of_meta(meta: &ObjectMeta) -> Option<String> {
    let of = |map: &Option<BTreeMap<String, String>>, key: &str| {
        map.as_ref().and_then(|map| map.get(key).cloned())
    };
    let label = |key: &str| of(&meta.labels, key);
    let annotation = |key: &str| of(&meta.annotations, key);
    let flux = |tool: &str, kind: &str| {
        let name = label(&format!("{tool}.toolkit.fluxcd.io/name"))?;
        let namespace = label(&format!("{tool}.toolkit.fluxcd.io/namespace")).unwrap_or_default();
        Some(format!(
            "Flux {kind} {namespace}/{name}: change it there or in its Git repository"
        ))
    };
    let helm = || {
        let release = annotation("meta.helm.sh/release-name")?;
        let namespace = annotation("meta.helm.sh/release-namespace").unwrap_or_default();
        Some(format!(
            "Helm release {release} in {namespace}: change it in its values or chart, then helm upgrade"
        ))
    };
    let argo = || {
        let tracked = annotation("argocd.argoproj.io/tracking-id");
        let tracked = tracked.and_then(|id| Some(id.split_once(':')?.0.to_owned()));
        let app = tracked.or_else(|| label("argocd.argoproj.io/instance"))?;
        Some(format!(
            "Argo CD application {app}: change it in its Git repository"
        ))
    };
    let add_on = || {
        let mode = label("addonmanager.kubernetes.io/mode")?;
        (mode == "Reconcile").then(|| {
            "the cluster's add-on manager, which puts it back: change what it leaves to you (coredns-custom for DNS)".to_owned()
        })
    };
    let rancher = || {
        let name = annotation("objectset.rio.cattle.io/owner-name")?;
        Some(format!(
            "the manifest {name} that k3s or Rancher deploys: change it there"
        ))
    };
    let olm = || {
        Some(format!(
            "the operator {}: change its custom resource",
            label("olm.owner")?
        ))
    };
    flux("helm", "HelmRelease")
        .or_else(|| flux("kustomize", "Kustomization"))
        .or_else(argo)
        .or_else(helm)
        .or_else(add_on)
        .or_else(rancher)
        .or_else(olm)
        .or_else(|| named(&label("app.kubernetes.io/managed-by")?))
        .or_else(|| by_fields(meta.managed_fields.as_deref().unwrap_or_default()))
}

/// `app.kubernetes.io/managed-by` with a tool that is not told better by its own marks.
fn named(tool: &str) -> Option<String> {
    let is_by_hand = ["kubectl", "kustomize", "manual", ""].contains(&tool.to_lowercase().as_str());
    let known = MANAGERS
        .iter()
        .find(|(name, _)| tool.eq_ignore_ascii_case(name));
    let known = known.map(|(_, words)| (*words).to_owned());
    known.or_else(|| (!is_by_hand).then(|| format!("{tool}: change it there")))
}

/// The manager of fields that were applied, or written by a tool of its own.
fn by_fields(entries: &[ManagedFieldsEntry]) -> Option<String> {
    let of_spec = entries.iter().filter(|entry| entry.subresource.is_none());
    let mut managers = of_spec.filter_map(|entry| entry.manager.as_deref());
    managers.find_map(|manager| {
        let manager = manager.to_lowercase();
        let mut known = MANAGERS.iter();
        let (_, words) = known.find(|(name, _)| manager.contains(name))?;
        Some((*words).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn who(meta: Value) -> Option<String> {
        of_meta(&serde_json::from_value(meta).expect("metadata"))
    }

    #[test]
    fn every_keeper_is_known_by_its_marks() {
        for (meta, keeper) in [
            (
                json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}}),
                "Helm release web in shop",
            ),
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "web:apps/Deployment:shop/web"}}),
                "Argo CD application web",
            ),
            (
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}),
                "Flux Kustomization flux-system/apps",
            ),
            (
                json!({"labels": {"addonmanager.kubernetes.io/mode": "Reconcile"}}),
                "the cluster's add-on manager",
            ),
            (
                json!({"managedFields": [{"manager": "argocd-controller", "operation": "Apply"}]}),
                "Argo CD",
            ),
            (
                json!({"labels": {"app.kubernetes.io/managed-by": "strimzi-cluster-operator"}}),
                "strimzi-cluster-operator",
            ),
        ] {
            let found = who(meta.clone()).unwrap_or_default();
            assert!(found.starts_with(keeper), "{meta}: {found}");
        }
        for meta in [
            json!({"labels": {"app": "web"}}),
            json!({"labels": {"app.kubernetes.io/managed-by": "kubectl"}}),
            json!({"managedFields": [{"manager": "kubectl-edit", "operation": "Update"}, {"manager": "x-operator", "operation": "Update", "subresource": "status"}]}),
        ] {
            assert_eq!(who(meta.clone()), None, "{meta}");
        }
    }
}
