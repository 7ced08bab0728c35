//! Endpoint selectors: label selectors whose keys carry a source (`k8s:app`, `reserved:host`) and
//! may name the namespace or the service account.

use serde_json::Value;

use super::Cilium;
use crate::cluster::{Operator, Requirement};
use crate::policy::dialect::fields::{BadField, Fields};
use crate::policy::ends::{NAMESPACE_NAME, SERVICE_ACCOUNT_NAME};
use crate::policy::formula::{Domain, Formula};

const NAMESPACE: &str = "io.kubernetes.pod.namespace";
const NAMESPACE_LABEL: &str = "io.cilium.k8s.namespace.labels.";
const SERVICE_ACCOUNT: &str = "io.cilium.k8s.policy.serviceaccount";
const CLUSTER: &str = "io.cilium.k8s.policy.cluster";

/// Labels that identities leave out unless the agent is told otherwise
/// (`pkg/labelsfilter`, default filters): no selector can rely on them.
const LEFT_OUT: [&str; 8] = [
    "io.kubernetes",
    "kubernetes.io",
    "k8s.io",
    "pod-template-generation",
    "pod-template-hash",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "etcd_node",
];

impl Cilium<'_, '_> {
    /// An endpoint selector of the policy itself: only pods of its own namespace.
    pub(super) fn subject(&mut self, value: &Value, field: &str) -> Result<Formula, BadField> {
        let mut parts = vec![Formula::Pod];
        for (key, requirement) in requirements(value, field)? {
            // "EndpointSelector always applies in the namespace of the policy resource."
            if self.namespace.is_none() || key != NAMESPACE {
                parts.push(self.term(&key, requirement, field));
            }
        }
        Ok(Formula::All(parts))
    }

    /// An endpoint selector of a peer. Unless it names a namespace or namespace labels, it means the
    /// policy's own; in a cluster-wide policy, the pods of all.
    pub(super) fn peer(&mut self, value: &Value, field: &str) -> Result<Formula, BadField> {
        let requirements = requirements(value, field)?;
        let is_reserved = |key: &String| key.starts_with("reserved:");
        if requirements.iter().any(|(key, _)| is_reserved(key)) {
            return Ok(match requirements.as_slice() {
                [
                    (
                        key,
                        Requirement {
                            operator: Operator::In | Operator::Exists,
                            ..
                        },
                    ),
                ] => self.entity(key.trim_start_matches("reserved:"), field),
                _ => Formula::Unclear(
                    self.reader
                        .doubt(field, "combines a reserved label with other conditions"),
                ),
            });
        }
        let mut parts = vec![Formula::Pod];
        let names_namespace =
            |(key, _): &(String, Requirement)| key == NAMESPACE || key.starts_with(NAMESPACE_LABEL);
        if let Some(own) = &self.namespace
            && !requirements.iter().any(names_namespace)
        {
            parts.push(Formula::Namespace(own.clone()));
        }
        for (key, requirement) in requirements {
            parts.push(self.term(&key, requirement, field));
        }
        Ok(Formula::All(parts))
    }

    fn term(&mut self, key: &str, mut term: Requirement, field: &str) -> Formula {
        let domain = if key == NAMESPACE {
            NAMESPACE_NAME.clone_into(&mut term.key);
            Domain::Namespace
        } else if let Some(label) = key.strip_prefix(NAMESPACE_LABEL) {
            label.clone_into(&mut term.key);
            Domain::Namespace
        } else if key == SERVICE_ACCOUNT {
            SERVICE_ACCOUNT_NAME.clone_into(&mut term.key);
            Domain::ServiceAccount
        } else if key == CLUSTER {
            return self.of_cluster(&term, field);
        } else if key.contains(':') {
            let why = format!("the label {key:?} is not from Kubernetes");
            return Formula::Unclear(self.reader.doubt(field, why));
        } else if LEFT_OUT.iter().any(|prefix| key.starts_with(prefix)) {
            let why = format!("Cilium leaves the label {key:?} out of identities by default");
            return Formula::Unclear(self.reader.doubt(field, why));
        } else {
            Domain::Pod
        };
        self.reader.term(domain, term, field)
    }

    /// Every pod here is of this cluster.
    fn of_cluster(&mut self, term: &Requirement, field: &str) -> Formula {
        let Some(name) = self.settings.cluster_name() else {
            let why = "the name of this cluster is not known";
            return Formula::Unclear(self.reader.doubt(field, why));
        };
        let labels = std::collections::BTreeMap::from([(term.key.clone(), name.to_owned())]);
        if term.holds(&labels) {
            Formula::EVERYTHING
        } else {
            Formula::Any(Vec::new())
        }
    }
}

/// The terms with their keys, without the sources that mean Kubernetes or any.
fn requirements(value: &Value, field: &str) -> Result<Vec<(String, Requirement)>, BadField> {
    let mut fields = Fields::new(value, field)?;
    fields.pass_over(&["matchLabels", "matchExpressions"]);
    if let Some(unknown) = fields.unknown() {
        return Err(unknown);
    }
    let bad = |why: String| BadField {
        field: field.to_owned(),
        why,
    };
    let selector = serde::Deserialize::deserialize(value)
        .map_err(|error: serde_json::Error| bad(error.to_string()))?;
    let selector = crate::cluster::Selector::from_label_selector(&selector)
        .map_err(|error| bad(error.to_string()))?;
    let terms = selector.requirements.into_iter().map(|mut term| {
        let key = term
            .key
            .trim_start_matches("k8s:")
            .trim_start_matches("any:");
        term.key = key.to_owned();
        (term.key.clone(), term)
    });
    Ok(terms.collect())
}

/// A selector of nodes, by the labels of the Node object.
pub(super) fn nodes(value: &Value, field: &str) -> Result<Formula, BadField> {
    let terms = requirements(value, field)?.into_iter();
    let terms = terms.map(|(_, requirement)| Formula::Label(Domain::Node, requirement));
    Ok(Formula::All(terms.collect()))
}
