//! Where an agent runs: the source pod itself, or the next best place.

use futures::future::join;

use super::{LIFETIME_S, Session};
use crate::cluster::ClusterView;
use crate::cluster::access::PodExt;
use crate::probe::launch::{
    Content, DebugPod, Ephemeral, Existing, create_debug_pod, create_twin, find_existing, refused,
    start_idle,
};
use crate::probe::pods::Pods;
use crate::probe::rights::{self, Right};
use crate::probe::transport::Upload;
use crate::probe::{ProbeError, Step, Vantage};

/// Something that runs somewhere on our behalf.
#[derive(Clone)]
pub(super) enum Place {
    Ephemeral(Ephemeral),
    /// A pod of ours in a node's network.
    Debug(DebugPod),
    /// A pod that policies cannot tell from the source.
    Twin(DebugPod),
    /// Somebody else's pod that is in the node's network already.
    Existing(Existing),
    /// A pod that takes a new container for every plan.
    Image {
        namespace: String,
        pod: String,
    },
    /// A node that takes a new pod for every plan.
    NodeImage(String),
}

// === impl Place ===

impl Place {
    /// Namespace, pod and container to upload to.
    pub(super) fn container(&self) -> Option<(&str, &str, &str)> {
        match self {
            Self::Ephemeral(own) => Some((&own.namespace, &own.pod, &own.container)),
            Self::Debug(own) | Self::Twin(own) => Some((&own.namespace, &own.name, &own.container)),
            Self::Existing(own) => Some((&own.namespace, &own.pod, &own.container)),
            Self::Image { .. } | Self::NodeImage(_) => None,
        }
    }

    /// What answers from here do not prove.
    pub(super) fn note(&self) -> Option<String> {
        match self {
            Self::Twin(_) => Some(
                "it was asked from a twin on the same node with the same labels for policies: that proves \
                 policies, rules and routes, not what is inside the pod's own network namespace"
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

// === impl Session ===

impl Session {
    /// Starts the best place there is for a vantage.
    pub(super) async fn start(&self, step: &Step, view: &ClusterView) -> Result<Place, ProbeError> {
        self.fits(&step.vantage, view)?;
        match &step.vantage {
            Vantage::Pod { namespace, name } => match self.start_in_pod(namespace, name).await {
                Err(error @ ProbeError::Refused { .. }) if step.takes_twin => {
                    let twin = self.start_twin(namespace, name, view).await;
                    twin.map_err(|second| error.and(&second))
                }
                outcome => outcome,
            },
            Vantage::Node(node) if self.settings.agent_image.is_some() => {
                let what = format!("debug pod on node {node}");
                let namespace = &self.settings.debug_namespace;
                self.check(namespace, &rights::DEBUG_IMAGE, &what).await?;
                self.note(|made| made.namespaces.insert(namespace.clone()));
                Ok(Place::NodeImage(node.clone()))
            }
            Vantage::Node(node) => match self.borrow(node).await {
                Some(place) => Ok(place),
                None => self.start_on_node(node).await,
            },
        }
    }

    async fn start_in_pod(&self, namespace: &str, name: &str) -> Result<Place, ProbeError> {
        let client = &self.settings.client;
        let needed: &[Right] = if self.settings.agent_image.is_some() {
            &rights::IMAGE
        } else {
            &rights::EPHEMERAL
        };
        let what = format!("ephemeral container in pod {name}");
        let pods = Pods::new(client, Some(namespace));
        let (checked, pod) = join(self.check(namespace, needed, &what), pods.get(name)).await;
        checked?;
        let pod =
            pod.map_err(|error| refused(&what, &format!("get pods in {namespace}"), &error))?;
        if self.settings.agent_image.is_some() {
            return Ok(Place::Image {
                namespace: namespace.to_owned(),
                pod: name.to_owned(),
            });
        }
        let on_start = |own| self.note(|made| made.containers.push(own));
        let started = start_idle(client, &pod, &self.settings.image, LIFETIME_S, &on_start).await;
        started.map(Place::Ephemeral)
    }

    /// Refuses a node that the agent cannot run on, before anything is made there.
    fn fits(&self, vantage: &Vantage, view: &ClusterView) -> Result<(), ProbeError> {
        let node = match vantage {
            Vantage::Node(name) => Some(name.as_str()),
            Vantage::Pod { namespace, name } => {
                let pod = view.pods.get(namespace, name);
                pod.and_then(PodExt::node_name)
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
        match (&self.binary, info) {
            (Some(binary), Some(info)) => binary.fits(&info.operating_system, &info.architecture),
            _ => Ok(()),
        }
    }

    /// A pod beside the source, where the source takes no container.
    async fn start_twin(
        &self,
        namespace: &str,
        name: &str,
        view: &ClusterView,
    ) -> Result<Place, ProbeError> {
        let what = format!("twin of pod {name}");
        self.check(namespace, &rights::DEBUG_POD, &what).await?;
        let pod = view
            .pods
            .get(namespace, name)
            .ok_or_else(|| ProbeError::Transport {
                what,
                why: "the pod is not known".to_owned(),
            })?;
        self.note(|made| made.namespaces.insert(namespace.to_owned()));
        let run = (self.run.as_str(), LIFETIME_S);
        let twin = create_twin(&self.settings.client, view, pod, &self.settings.image, run).await;
        twin.map(Place::Twin)
    }

    /// A pod that is there already, if it takes the agent.
    async fn borrow(&self, node: &str) -> Option<Place> {
        let client = &self.settings.client;
        let found = find_existing(client, node).await?;
        let exec = [rights::EPHEMERAL[2], rights::EPHEMERAL[3]];
        if !rights::missing(client, &found.namespace, &exec)
            .await
            .is_empty()
        {
            return None;
        }
        let upload = self.upload(&found.namespace, &found.pod, &found.container)?;
        self.note(|made| made.borrowed.push(found.clone()));
        upload.send_for(LIFETIME_S).await.ok()?;
        Some(Place::Existing(found))
    }

    async fn start_on_node(&self, node: &str) -> Result<Place, ProbeError> {
        let namespace = &self.settings.debug_namespace;
        self.check(
            namespace,
            &rights::DEBUG_POD,
            &format!("debug pod on node {node}"),
        )
        .await?;
        self.note(|made| made.namespaces.insert(namespace.clone()));
        let run = (self.run.as_str(), LIFETIME_S);
        let content = Content::idle(&self.settings.image, LIFETIME_S);
        let created = create_debug_pod(&self.settings.client, namespace, node, &content, run).await;
        created.map(Place::Debug)
    }

    /// Asks for the rights first: a refusal midway would leave something behind for nothing.
    async fn check(&self, namespace: &str, needed: &[Right], what: &str) -> Result<(), ProbeError> {
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

    /// The upload to a container, if there is an agent to upload.
    pub(super) fn upload(&self, namespace: &str, pod: &str, container: &str) -> Option<Upload> {
        Some(Upload {
            client: self.settings.client.clone(),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.to_owned(),
            binary: self.binary.clone()?,
        })
    }

    /// Takes the agent out of somebody else's container again.
    pub(super) async fn wipe(&self, place: &Existing) {
        if let Some(upload) = self.upload(&place.namespace, &place.pod, &place.container) {
            upload.remove().await;
        }
    }
}
