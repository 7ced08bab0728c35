//! Finding the container a request is about.

use std::sync::Arc;

use serde_json::Value;

use super::refusal::Refusal;
use super::request::{Call, Target};
use crate::kubelet::{ContainerRun, PodRun};
use crate::store::ResourceType;
use crate::world::World;

/// A container of a pod: by name, or the only one.
pub struct Found {
    pub object: Arc<Value>,
    pub container: String,
    pub run: Option<Arc<PodRun>>,
    pub made: Option<Arc<ContainerRun>>,
    pub ephemeral: bool,
}

// === impl Found ===

impl Found {
    /// The entry of the container in the pod's status.
    pub fn status(&self) -> Option<&Value> {
        let lists = ["containerStatuses", "ephemeralContainerStatuses"];
        lists
            .iter()
            .flat_map(|list| items(&self.object["status"][*list]))
            .find(|status| status["name"] == self.container.as_str())
    }
}

/// Looks for the container a request names.
pub fn find(
    world: &World,
    call: &Call,
    target: &Target,
    kind: &ResourceType,
) -> Result<Found, Refusal> {
    let object = world
        .store
        .get(&target.key(kind))
        .ok_or_else(|| Refusal::not_found(kind, &target.name))?;
    let names = |list: &str| -> Vec<String> {
        items(&object["spec"][list])
            .filter_map(|one| one["name"].as_str().map(str::to_owned))
            .collect()
    };
    let (containers, ephemeral) = (names("containers"), names("ephemeralContainers"));
    let container = match (call.query.get("container"), containers.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, several) => {
            return Err(Refusal::bad_request(format!(
                "a container name must be specified for pod {}, choose one of: [{}]",
                target.name,
                several.join(" ")
            )));
        }
    };
    let known = [&containers, &names("initContainers"), &ephemeral]
        .iter()
        .any(|list| list.contains(&container));
    if !known {
        return Err(Refusal::bad_request(format!(
            "container {container} is not valid for pod {}",
            target.name
        )));
    }
    let run = world
        .kubelet
        .pod(&format!("{}/{}", target.namespace, target.name));
    let made = run
        .as_ref()
        .and_then(|run| run.containers.lock().get(&container).cloned());
    Ok(Found {
        ephemeral: ephemeral.contains(&container),
        object,
        container,
        run,
        made,
    })
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
