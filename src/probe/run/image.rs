//! An image that holds the agent: every plan takes a container of its own, in the pod itself or as a pod
//! beside it.

use super::Session;
use super::place::{Host, ProbeHost, known, rights_for};
use crate::cluster::ClusterView;
use crate::observe::{ProbeError, Step, Vantage};
use crate::probe::launch::{Program, create_debug_pod, create_twin, refused, start_ephemeral};
use crate::probe::pods::Pods;
use crate::probe::rights;
use crate::probe::transport::{Image, Transport};
use netpath_protocol::{Line, Plan};

// === impl Session ===

impl Session {
    /// The best place that the rights allow.
    pub(super) async fn image_place(&self, step: &Step) -> Result<ProbeHost, ProbeError> {
        let host = match &step.vantage {
            Vantage::Pod { namespace, name } => {
                let what = format!("ephemeral container in pod {name}");
                match self.check(namespace, &rights::IMAGE, &what).await {
                    Ok(()) => Host::Pod,
                    Err(error) if step.takes_twin => self.twin_instead(error, step).await?,
                    Err(error) => return Err(error),
                }
            }
            Vantage::Node(node) => {
                let what = format!("debug pod on node {node}");
                let namespace = &self.settings.debug_namespace;
                self.check(namespace, &rights::IMAGE_POD, &what).await?;
                Host::Node
            }
        };
        Ok(ProbeHost::Image(host))
    }

    /// Runs one plan, and says where: a pod that takes no container may have a twin.
    pub(super) async fn run_image(
        &self,
        host: Host,
        step: &Step,
        plan: &Plan,
        view: &ClusterView,
    ) -> (Host, Result<Vec<Line>, ProbeError>) {
        match (self.answers(host, step, plan, view).await, host) {
            (Err(error @ ProbeError::Refused { .. }), Host::Pod) if step.takes_twin => {
                match self.twin_instead(error, step).await {
                    Ok(twin) => (twin, self.answers(twin, step, plan, view).await),
                    Err(error) => (host, Err(error)),
                }
            }
            (outcome, _) => (host, outcome),
        }
    }

    /// Whether there may be a twin; else why not, beside why it is needed.
    async fn twin_instead(&self, error: ProbeError, step: &Step) -> Result<Host, ProbeError> {
        let Vantage::Pod { namespace, name } = &step.vantage else {
            return Err(error);
        };
        let what = format!("twin of pod {name}");
        let checked = async {
            self.check(namespace, &rights::IMAGE_POD, &what).await?;
            self.agrees_to(&what, namespace).await
        };
        checked.await.map_err(|second| error.and(&second))?;
        Ok(Host::Twin)
    }

    async fn answers(
        &self,
        host: Host,
        step: &Step,
        plan: &Plan,
        view: &ClusterView,
    ) -> Result<Vec<Line>, ProbeError> {
        let container = self.container(host, step, plan, view).await?;
        container.run(plan).await
    }

    /// A new container that answers a plan.
    pub(super) async fn container(
        &self,
        host: Host,
        step: &Step,
        plan: &Plan,
        view: &ClusterView,
    ) -> Result<Image, ProbeError> {
        let image = self.settings.agent_image.as_deref().unwrap_or_default();
        let text = serde_json::to_string(plan).unwrap_or_default();
        let program = Program::agent(image, text);
        self.begin(host, step, &program, view).await
    }

    /// Starts the container with its plan.
    async fn begin(
        &self,
        host: Host,
        step: &Step,
        program: &Program,
        view: &ClusterView,
    ) -> Result<Image, ProbeError> {
        let client = &self.settings.client;
        let order = self.order();
        let made = match (&step.vantage, host) {
            (Vantage::Pod { namespace, name }, Host::Pod) => {
                let pods = Pods::new(client, Some(namespace));
                // As it is now: the new container takes a name that none has yet.
                let pod = pods.get(name).await.map_err(|error| {
                    let what = format!("ephemeral container in pod {name}");
                    refused(&what, &format!("get pods in {namespace}"), &error)
                })?;
                let on_start = |own| self.tidy.note(|made| made.containers.push(own));
                let own = start_ephemeral(client, &pod, program, (order.gate, &on_start)).await?;
                (own.namespace, own.pod, own.container)
            }
            (Vantage::Pod { namespace, name }, _) => {
                let pod = known(view, namespace, name)?;
                self.tidy
                    .note(|made| made.namespaces.insert(namespace.clone()));
                let own = create_twin(client, view, pod, program, order).await?;
                (own.namespace, own.name, own.container)
            }
            (Vantage::Node(node), _) => {
                let namespace = &self.settings.debug_namespace;
                self.tidy
                    .note(|made| made.namespaces.insert(namespace.clone()));
                let asked = (program, rights_for(step));
                let own = create_debug_pod(client, namespace, node, asked, order).await?;
                (own.namespace, own.name, own.container)
            }
        };
        let (namespace, pod, container) = made;
        Ok(Image {
            client: client.clone(),
            namespace,
            pod,
            container,
        })
    }
}
