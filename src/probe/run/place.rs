//! Where an agent runs: the source pod itself, or the next best place.

use futures::future::join;

use super::Session;
use crate::cluster::{ClusterView, Pod};
use crate::observe::{ProbeError, Step, Vantage};
use crate::probe::binary::Binary;
use crate::probe::launch::{
    DebugPod, Ephemeral, Existing, NodeRights, Program, create_debug_pod, create_twin,
    find_existing, refused, start_ephemeral,
};
use crate::probe::pods::Pods;
use crate::probe::rights::{self, Right};
use crate::probe::transport::Upload;
use netpath_protocol::Task;

/// Something that runs somewhere on our behalf.
#[derive(Clone)]
pub(super) enum ProbeHost {
    Ephemeral(Ephemeral),
    /// A pod of ours in a node's network.
    Debug(DebugPod),
    /// A pod that policies cannot tell from the source.
    Twin(DebugPod),
    /// Somebody else's pod that is in the node's network already.
    Existing(Existing),
    /// A place that takes a new container for every plan.
    Image(Host),
}

/// Where a container with an image of ours is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host {
    /// In the pod itself.
    Pod,
    /// In a pod that policies cannot tell from it.
    Twin,
    /// In a node's network.
    Node,
}

// === impl ProbeHost ===

impl ProbeHost {
    /// Namespace, pod and container to upload to.
    pub(super) fn container(&self) -> Option<(&str, &str, &str)> {
        match self {
            Self::Ephemeral(own) => Some((&own.namespace, &own.pod, &own.container)),
            Self::Debug(own) | Self::Twin(own) => Some((&own.namespace, &own.name, &own.container)),
            Self::Existing(own) => Some((&own.namespace, &own.pod, &own.container)),
            Self::Image(_) => None,
        }
    }

    /// Whether it stands for another pod.
    pub(super) const fn is_twin(&self) -> bool {
        matches!(self, Self::Twin(_) | Self::Image(Host::Twin))
    }

    /// What answers from here do not prove.
    pub(super) fn note(&self) -> Option<String> {
        self.is_twin().then(|| {
            "it was asked from a twin on the same node with the same labels for policies: that proves \
             policies, rules and routes, not what is inside the pod's own network namespace"
                .to_owned()
        })
    }
}

// === impl Session ===

impl Session {
    /// Starts the best place there is for a vantage.
    pub(super) async fn start(
        &self,
        step: &Step,
        view: &ClusterView,
    ) -> Result<ProbeHost, ProbeError> {
        if self.settings.agent_image.is_some() {
            return self.image_place(step).await;
        }
        let agent = self.agent_for(&step.vantage, view)?;
        match &step.vantage {
            Vantage::Pod { namespace, name } => match self.start_in_pod(namespace, name).await {
                Err(error @ ProbeError::Refused { .. }) if step.takes_twin => {
                    let twin = self.start_twin(namespace, name, view).await;
                    twin.map_err(|second| error.and(&second))
                }
                outcome => outcome,
            },
            Vantage::Node(node) => match self.borrow(node, agent).await {
                Some(place) => Ok(place),
                None => self.start_on_node(node, rights_for(step)).await,
            },
        }
    }

    async fn start_in_pod(&self, namespace: &str, name: &str) -> Result<ProbeHost, ProbeError> {
        let client = &self.settings.client;
        let what = format!("ephemeral container in pod {name}");
        let pods = Pods::new(client, Some(namespace));
        let rights = self.check(namespace, &rights::EPHEMERAL, &what);
        let (checked, pod) = join(rights, pods.get(name)).await;
        checked?;
        let pod =
            pod.map_err(|error| refused(&what, &format!("get pods in {namespace}"), &error))?;
        let on_start = |own| self.tidy.note(|made| made.containers.push(own));
        let started =
            start_ephemeral(client, &pod, &self.idle(), (self.order().gate, &on_start)).await;
        started.map(ProbeHost::Ephemeral)
    }

    /// The agent that runs where a vantage is, before anything is made there.
    pub(super) fn agent_for(
        &self,
        vantage: &Vantage,
        view: &ClusterView,
    ) -> Result<&Binary, ProbeError> {
        let node = match vantage {
            Vantage::Node(name) => Some(name.as_str()),
            Vantage::Pod { namespace, name } => {
                let pod = view.pods.get(namespace, name);
                pod.and_then(Pod::node_name)
            }
        };
        let info = node.and_then(|name| {
            view.nodes
                .get("", name)?
                .status
                .as_ref()?
                .node_info
                .as_ref()
        });
        let (system, arch) = info.map_or(("", ""), |info| {
            (info.operating_system.as_str(), info.architecture.as_str())
        });
        let agents = self.agents.as_ref().ok_or_else(|| ProbeError::Transport {
            what: "upload".to_owned(),
            why: "no agent was looked for".to_owned(),
        })?;
        agents.for_node(system, arch)
    }

    /// A pod beside the source, where the source takes no container.
    async fn start_twin(
        &self,
        namespace: &str,
        name: &str,
        view: &ClusterView,
    ) -> Result<ProbeHost, ProbeError> {
        let what = format!("twin of pod {name}");
        self.check(namespace, &rights::DEBUG_POD, &what).await?;
        self.agrees_to(&what, namespace).await?;
        let pod = known(view, namespace, name)?;
        self.tidy
            .note(|made| made.namespaces.insert(namespace.to_owned()));
        let twin = create_twin(&self.settings.client, view, pod, &self.idle(), self.order()).await;
        twin.map(ProbeHost::Twin)
    }

    /// Asks before the first twin; the answer counts for all of them.
    pub(super) async fn agrees_to(&self, what: &str, namespace: &str) -> Result<(), ProbeError> {
        let question = format!(
            "Create a {what} in namespace {namespace}, with those of its labels that policies select, and delete it afterwards?"
        );
        let answer = self.twins.get_or_init(|| (self.settings.agrees)(question));
        if *answer.await {
            return Ok(());
        }
        Err(ProbeError::Refused {
            what: what.to_owned(),
            why: "a pod with labels of production was not allowed".to_owned(),
            grant: "--allow-twin".to_owned(),
        })
    }

    pub(super) fn idle(&self) -> Program {
        Program::idle(&self.settings.image, self.settings.lifetime.as_secs())
    }

    /// A pod that is there already, if it takes the agent.
    async fn borrow(&self, node: &str, agent: &Binary) -> Option<ProbeHost> {
        let client = &self.settings.client;
        let found = find_existing(client, node).await?;
        let exec = [rights::EPHEMERAL[2], rights::EPHEMERAL[3]];
        if !rights::missing(client, &found.namespace, &exec)
            .await
            .is_empty()
        {
            return None;
        }
        let container = (
            found.namespace.as_str(),
            found.pod.as_str(),
            found.container.as_str(),
        );
        let upload = self.upload(container, agent.clone());
        self.tidy
            .note(|made| made.borrowed.push((found.clone(), agent.clone())));
        upload
            .send_for(self.settings.lifetime.as_secs())
            .await
            .ok()?;
        Some(ProbeHost::Existing(found))
    }

    async fn start_on_node(&self, node: &str, may: NodeRights) -> Result<ProbeHost, ProbeError> {
        let namespace = &self.settings.debug_namespace;
        self.check(
            namespace,
            &rights::DEBUG_POD,
            &format!("debug pod on node {node}"),
        )
        .await?;
        self.tidy
            .note(|made| made.namespaces.insert(namespace.clone()));
        let client = &self.settings.client;
        let asked = (&self.idle(), may);
        let created = create_debug_pod(client, namespace, node, asked, self.order()).await;
        created.map(ProbeHost::Debug)
    }

    /// Asks for the rights first: a refusal midway would leave something behind for nothing.
    pub(super) async fn check(
        &self,
        namespace: &str,
        needed: &[Right],
        what: &str,
    ) -> Result<(), ProbeError> {
        let missing = rights::missing(&self.settings.client, namespace, needed).await;
        if missing.is_empty() {
            return Ok(());
        }
        let grants: Vec<String> = missing.iter().map(ToString::to_string).collect();
        Err(ProbeError::Refused {
            what: what.to_owned(),
            why: "forbidden".to_owned(),
            grant: format!("{} in {namespace}", grants.join(", ")),
        })
    }

    /// The upload of an agent to a container: namespace, pod, name.
    pub(super) fn upload(
        &self,
        (namespace, pod, container): (&str, &str, &str),
        agent: Binary,
    ) -> Upload {
        Upload {
            client: self.settings.client.clone(),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.to_owned(),
            binary: agent,
            run: self.tidy.run.clone(),
        }
    }
}

/// The least that a step on a node takes.
pub(super) fn rights_for(step: &Step) -> NodeRights {
    let is_tap = |task: &Task| matches!(task, Task::Tap(_));
    if !step.tasks.is_empty() && step.tasks.iter().all(is_tap) {
        NodeRights::Tap
    } else {
        NodeRights::Everything
    }
}

/// The pod as it was read.
pub(super) fn known<'v>(
    view: &'v ClusterView,
    namespace: &str,
    name: &str,
) -> Result<&'v Pod, ProbeError> {
    let pod = view.pods.get(namespace, name);
    pod.ok_or_else(|| ProbeError::Transport {
        what: format!("twin of pod {name}"),
        why: "the pod is not known".to_owned(),
    })
}
