//! What every namespace gets: its own name as a label, a service account, the cluster's certificate.

use serde_json::json;

use crate::store::{Key, Store};

pub fn sync(store: &Store, authority: &str) {
    for namespace in store.list("", "namespaces") {
        let name = namespace["metadata"]["name"].as_str().unwrap_or_default();
        if !namespace["metadata"]["deletionTimestamp"].is_null() {
            continue;
        }
        if store
            .get(&Key::new("", "serviceaccounts", name, "default"))
            .is_none()
        {
            let _ = store.add(json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}));
        }
        if store
            .get(&Key::new("", "configmaps", name, "kube-root-ca.crt"))
            .is_none()
        {
            let _ = store.add(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"ca.crt": authority},
                "metadata": {"name": "kube-root-ca.crt", "namespace": name}}),
            );
        }
    }
}
