//! One pod while it runs.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Container, Pod};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::container::{ContainerRun, Made};
use super::kubelet::{key_of, pod_key};
use super::status::{self, Seen, State};
use super::{deadline, dns_pod, events, probe};
use crate::net::{Ns, next_address};
use crate::servers::{self, Identity, Running, Server};
use crate::store::{Key, now};
use crate::world::World;

/// The annotation that says what a pod serves, in place of its containers.
const SERVERS: &str = "lab.netpath/servers";

/// A pod, its network, and what runs in it.
#[derive(Debug)]
pub struct PodRun {
    /// `namespace/name`.
    pub key: String,
    pub uid: String,
    pub pod: Pod,
    pub node: String,
    pub ns: Ns,
    pub store_key: Key,
    /// The containers as the status shows them.
    pub seen: Mutex<Vec<Seen>>,
    pub containers: Mutex<BTreeMap<String, Arc<ContainerRun>>>,
    pub servers: Mutex<Vec<Running>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    pub ending: AtomicBool,
    /// Whether its object is marked and will go.
    pub leaving: AtomicBool,
    /// Readiness probes that have not decided yet.
    pub undecided: AtomicUsize,
    /// Tells the readiness probes to decide anew.
    pub stirred: watch::Sender<()>,
    /// Whether the object already said that it runs: a recording's.
    adopted: bool,
}

// === impl PodRun ===

impl PodRun {
    /// Gives a pod its addresses and its cable.
    pub fn prepare(world: &World, object: &Value) -> Result<Self> {
        let pod = Pod::deserialize(object)?;
        let key = key_of(object);
        let spec = pod.spec.clone().unwrap_or_default();
        let node = spec.node_name.clone().unwrap_or_default();
        let own_network = spec.host_network != Some(true);
        let host = world
            .wires
            .plan
            .node(&node)
            .map_or(&[][..], |node| &node.host.addresses);
        let addresses = if own_network {
            addresses(world, &pod, &node)?
        } else {
            host.to_vec()
        };
        let ns = if own_network {
            world.wires.plug(&key, &node, &addresses)?.ns
        } else {
            world.wires.host(&node)?.clone()
        };
        let phase = object["status"]["phase"].as_str();
        let adopted = phase == Some("Running") || object["status"]["containerStatuses"].is_array();
        let store_key = pod_key(object);
        let seen: Vec<Seen> = spec.containers.iter().map(first_seen).collect();
        if !adopted {
            let mut first = status::first(object, host, &addresses);
            let waiting = seen.iter().map(|one| one.value(false)).collect();
            first.insert("containerStatuses".to_owned(), waiting);
            world
                .store
                .modify(&store_key, |pod| pod["status"] = Value::Object(first));
        }
        Ok(Self {
            uid: pod.metadata.uid.clone().unwrap_or_default(),
            key,
            node,
            ns,
            store_key,
            seen: Mutex::new(seen),
            containers: Mutex::default(),
            servers: Mutex::default(),
            tasks: Mutex::default(),
            ending: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            undecided: AtomicUsize::new(0),
            stirred: watch::Sender::new(()),
            adopted,
            pod,
        })
    }

    /// Starts its servers and processes, its probes and its deadline.
    pub fn start(self: &Arc<Self>, world: &Arc<World>) -> Result<()> {
        let spec = self.pod.spec.clone().unwrap_or_default();
        let annotated = self
            .pod
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(SERVERS));
        if let Some(list) = annotated {
            self.serve(
                world,
                &servers::parse_list(list).with_context(|| format!("{}: {SERVERS}", self.key))?,
            );
        }
        for (at, container) in spec.containers.iter().enumerate() {
            self.start_container(world, container, at, annotated.is_some());
        }
        if spec.containers.iter().any(|one| {
            one.image
                .as_deref()
                .is_some_and(|image| image.contains("coredns/coredns"))
        }) {
            dns_pod::start(world, self)?;
        }
        if !self.adopted {
            self.publish(world);
        }
        probe::start_all(world, self);
        deadline::watch(world, self);
        Ok(())
    }

    /// Replaces what the pod serves.
    pub fn serve(&self, world: &World, list: &[Server]) {
        let (namespace, pod) = self.key.split_once('/').unwrap_or_default();
        let identity = Identity {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
        };
        let before = std::mem::take(&mut *self.servers.lock());
        before.into_iter().for_each(Running::end);
        for server in list {
            match servers::start(
                server,
                &self.ns,
                &identity,
                &world.authority,
                &world.runtime,
            ) {
                Ok(running) => self.servers.lock().push(running),
                // As a program whose port is taken: the pod runs, and nobody listens.
                Err(error) => eprintln!("lab: {error:#}"),
            }
        }
    }

    /// Lets the readiness probes decide anew, soon.
    pub fn stir(&self) {
        let spec = self.pod.spec.iter();
        let probed = spec
            .flat_map(|spec| &spec.containers)
            .filter(|one| one.readiness_probe.is_some());
        self.undecided.fetch_add(probed.count(), Ordering::SeqCst);
        self.stirred.send_replace(());
    }

    fn start_container(
        self: &Arc<Self>,
        world: &Arc<World>,
        container: &Container,
        at: usize,
        annotated: bool,
    ) {
        let made = ContainerRun::make(world, self, container, None);
        let state = match &made {
            Made::Refused { reason, message } => {
                self.note(world, "Failed", message);
                State::Waiting {
                    reason: reason.clone(),
                    message: message.clone(),
                }
            }
            Made::Ready(run) => {
                self.containers.lock().insert(run.name.clone(), run.clone());
                let listed = servers::of_container(container);
                match listed {
                    _ if annotated => {}
                    Some(list) => self.add_servers(world, &list),
                    // What cannot be known by its name must run to show.
                    None => run.run(world, self),
                }
                if !self.adopted {
                    self.note(world, "Started", "Container started");
                }
                State::Running { since: now() }
            }
        };
        let mut seen = self.seen.lock();
        if let Some(one) = seen
            .get_mut(at)
            .filter(|one| !matches!(one.state, State::Terminated { .. }))
        {
            one.ready = state.is_running()
                && (container.readiness_probe.is_none() || self.was_ready(&one.name));
            if let Made::Ready(run) = &made {
                one.user = Some((run.security.uid, run.security.gid));
            }
            one.state = state;
        }
    }

    fn add_servers(&self, world: &World, list: &[Server]) {
        let mut before = std::mem::take(&mut *self.servers.lock());
        self.serve(world, list);
        self.servers.lock().append(&mut before);
    }

    /// Whether the recording says a container was ready.
    fn was_ready(&self, container: &str) -> bool {
        let statuses = self
            .pod
            .status
            .as_ref()
            .and_then(|status| status.container_statuses.as_ref());
        self.adopted
            && statuses
                .into_iter()
                .flatten()
                .any(|one| one.name == container && one.ready)
    }

    /// Writes the containers' states into the object.
    pub fn publish(&self, world: &World) {
        let seen = self.seen.lock().clone();
        let restarts = self
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.restart_policy.as_deref())
            != Some("Never");
        let over = !restarts
            && seen
                .iter()
                .all(|one| matches!(one.state, State::Terminated { .. }));
        world
            .store
            .modify(&self.store_key, |pod| status::apply(pod, &seen, over));
    }

    /// Changes what is known of a container, and the object with it.
    pub fn change(&self, world: &World, container: &str, change: impl FnOnce(&mut Seen)) {
        if let Some(one) = self
            .seen
            .lock()
            .iter_mut()
            .find(|one| one.name == container)
        {
            change(one);
        }
        self.publish(world);
    }

    /// Notes an event about the pod.
    pub fn note(&self, world: &World, reason: &str, message: &str) {
        if let Some(object) = world.store.get(&self.store_key) {
            events::record(
                &world.store,
                &object,
                ("kubelet", &self.node),
                reason,
                message,
            );
        }
    }

    /// Keeps a task until the pod ends.
    pub fn keep(&self, task: JoinHandle<()>) {
        self.tasks.lock().push(task);
    }

    /// Ends everything that runs for the pod.
    pub fn halt(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.servers.lock().clear();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.iter().for_each(JoinHandle::abort);
        // What they wrote stays readable as long as the object is there.
        let containers = self.containers.lock().clone();
        for container in containers.into_values() {
            container.kill();
        }
    }

    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }
}

fn first_seen(container: &Container) -> Seen {
    Seen {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        state: State::creating(),
        last: None,
        restarts: 0,
        ready: false,
        user: None,
    }
}

/// The addresses a recording names, else the next free ones of the node's ranges.
fn addresses(world: &World, pod: &Pod, node: &str) -> Result<Vec<IpAddr>> {
    let listed = pod
        .status
        .as_ref()
        .and_then(|status| status.pod_ips.as_ref());
    let recorded: Vec<IpAddr> = listed
        .into_iter()
        .flatten()
        .filter_map(|one| one.ip.parse().ok())
        .collect();
    let planned = world
        .wires
        .plan
        .node(node)
        .with_context(|| format!("no node {node}"))?;
    if !recorded.is_empty() {
        return Ok(recorded);
    }
    let pods = world.store.list("", "pods");
    let promised = |address: IpAddr| {
        let text = address.to_string();
        pods.iter().any(|pod| {
            pod["status"]["podIPs"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|one| one["ip"] == text.as_str())
        })
    };
    let taken = |address: IpAddr| world.wires.is_taken(address) || promised(address);
    let mut last = world.kubelet.last.lock();
    let free = planned.pods.iter().map(|range| {
        let address = next_address(range, last.get(range).copied(), &taken);
        let address = address.with_context(|| format!("{range} is full"))?;
        last.insert(*range, address);
        Ok(address)
    });
    free.collect()
}
