//! StatefulSets: pods with numbers and names of their own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::names::template_hash;
use super::pods::{self, count, is_ready, owned, set_status};
use crate::store::{Key, Store};

pub fn sync(store: &Store) {
    for set in store.list("apps", "statefulsets") {
        if set["metadata"]["deletionTimestamp"].is_null() {
            one(store, &set);
        }
    }
}

fn one(store: &Store, set: &Value) {
    let wanted = set["spec"]["replicas"].as_u64().unwrap_or(1);
    let name = set["metadata"]["name"].as_str().unwrap_or_default();
    let namespace = set["metadata"]["namespace"].as_str().unwrap_or_default();
    let revision = format!("{name}-{}", template_hash(&set["spec"]["template"]));
    for number in 0..wanted {
        let pod = format!("{name}-{number}");
        if store.get(&Key::pod(namespace, &pod)).is_some() {
            continue;
        }
        let extra = BTreeMap::from([
            (
                "apps.kubernetes.io/pod-index".to_owned(),
                number.to_string(),
            ),
            ("controller-revision-hash".to_owned(), revision.clone()),
            ("statefulset.kubernetes.io/pod-name".to_owned(), pod.clone()),
        ]);
        pods::create(store, set, &pod, &extra, |object| {
            object["spec"]["hostname"] = pod.clone().into();
            object["spec"]["subdomain"] = set["spec"]["serviceName"].clone();
        });
    }
    let have = owned(store, set);
    for pod in &have {
        let number = pod["metadata"]["name"]
            .as_str()
            .and_then(|pod| pod.rsplit('-').next()?.parse::<u64>().ok());
        if number.is_some_and(|number| number >= wanted) {
            pods::delete(store, pod);
        }
    }
    let ready = have.iter().filter(|pod| is_ready(pod)).count();
    set_status(
        store,
        "apps",
        "statefulsets",
        set,
        &json!({
            "replicas": have.len(), "readyReplicas": count(ready), "availableReplicas": ready,
            "currentReplicas": count(have.len()), "updatedReplicas": count(have.len()),
            "currentRevision": revision, "updateRevision": revision, "collisionCount": 0,
        }),
    );
}
