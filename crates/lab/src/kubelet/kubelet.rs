//! Which pods should run, and making it so.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use ipnet::IpNet;
use parking_lot::Mutex;
use serde_json::Value;

use super::pod::PodRun;
use super::{end, ephemeral};
use crate::runtime::Images;
use crate::store::Key;
use crate::world::World;

/// The kubelets of all nodes.
#[derive(Debug)]
pub struct Kubelet {
    pub images: Images,
    pods: Mutex<BTreeMap<String, Arc<PodRun>>>,
    /// The address last given out of each range.
    pub last: Mutex<BTreeMap<IpNet, IpAddr>>,
}

// === impl Kubelet ===

impl Kubelet {
    pub fn new(images: Images) -> Self {
        Self {
            images,
            pods: Mutex::default(),
            last: Mutex::default(),
        }
    }

    /// The pod `namespace/name`, if it runs.
    pub fn pod(&self, key: &str) -> Option<Arc<PodRun>> {
        self.pods.lock().get(key).cloned()
    }

    pub fn all(&self) -> Vec<Arc<PodRun>> {
        self.pods.lock().values().cloned().collect()
    }

    /// Starts what should run and does not, ends what should not and does.
    pub fn sync(&self, world: &Arc<World>) -> Result<()> {
        let objects = world.store.list("", "pods");
        self.end_gone(world, &objects);
        let mut starting = Vec::new();
        for object in &objects {
            let (key, node) = (key_of(object), text(&object["spec"]["nodeName"]));
            let running = self.pod(&key);
            let over = matches!(
                object["status"]["phase"].as_str(),
                Some("Succeeded" | "Failed")
            );
            let deleted = !object["metadata"]["deletionTimestamp"].is_null();
            match running {
                Some(run) if deleted => end::begin(world, &run, object),
                Some(run) if over => end::stop(world, &run),
                Some(run) => ephemeral::sync(world, &run, object),
                None if deleted => drop(world.store.remove(&pod_key(object))),
                None if !over && world.wires.plan.node(node).is_some() => {
                    starting.push(object.clone());
                }
                None => {}
            }
        }
        self.start_all(world, &starting)
    }

    /// Starts pods side by side: each waits mostly for the kernel.
    fn start_all(&self, world: &Arc<World>, pods: &[Arc<Value>]) -> Result<()> {
        // Addresses are given out one after the other.
        for pod in pods {
            let run =
                PodRun::prepare(world, pod).with_context(|| format!("starting {}", key_of(pod)))?;
            self.pods.lock().insert(run.key.clone(), Arc::new(run));
        }
        std::thread::scope(|scope| {
            let job = |pod: &Arc<Value>| {
                let run = self.pod(&key_of(pod));
                scope.spawn(move || run.map_or(Ok(()), |run| run.start(world)))
            };
            let jobs: Vec<_> = pods.iter().map(job).collect();
            for (job, pod) in jobs.into_iter().zip(pods) {
                let done = job
                    .join()
                    .map_err(|_| anyhow::anyhow!("panicked"))
                    .flatten();
                done.with_context(|| format!("starting {}", key_of(pod)))?;
            }
            Ok(())
        })
    }

    fn end_gone(&self, world: &Arc<World>, objects: &[Arc<Value>]) {
        let wanted: BTreeMap<String, &str> = objects
            .iter()
            .map(|object| (key_of(object), text(&object["metadata"]["uid"])))
            .collect();
        let gone: Vec<Arc<PodRun>> = self
            .all()
            .into_iter()
            .filter(|run| wanted.get(&run.key) != Some(&run.uid.as_str()))
            .collect();
        for run in gone {
            end::stop(world, &run);
            self.pods.lock().remove(&run.key);
        }
    }
}

/// `namespace/name`.
pub fn key_of(object: &Value) -> String {
    format!(
        "{}/{}",
        text(&object["metadata"]["namespace"]),
        text(&object["metadata"]["name"])
    )
}

pub fn pod_key(object: &Value) -> Key {
    Key::pod(
        text(&object["metadata"]["namespace"]),
        text(&object["metadata"]["name"]),
    )
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
