//! The second edge: asking. Starts what is needed at each vantage, once, and keeps it for the rounds
//! to come.

mod image;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use kube::Client;
use tokio::time::timeout;

use super::binary::{Agents, Binary};
use super::cleanup::{self, Leftover};
use place::ProbeHost;

use super::launch::{Ephemeral, Existing, is_reusable};
use super::transport::Transport;
use super::{Progress, RUN};
use crate::cluster::ClusterView;
use crate::observe::{ProbeError, Seen, Step, Vantage};
use netpath_protocol::{Fact, Line, Plan, VERSION};

/// How to probe.
#[derive(Clone)]
pub struct Settings {
    pub client: Client,
    /// A small stock image, to upload to.
    pub image: String,
    /// An image that holds the agent; nothing is uploaded then.
    pub agent_image: Option<String>,
    /// The program to upload, in place of the plugin's own agents.
    pub agent_binary: Option<PathBuf>,
    /// Where debug pods are made.
    pub debug_namespace: String,
    /// The longest time an agent may take for one plan.
    pub deadline: Duration,
}

/// What one round brought.
#[derive(Debug, Default)]
pub struct Answers {
    pub seen: Vec<Seen>,
    pub facts: Vec<(Vantage, Fact)>,
    pub failed: Vec<(Vantage, ProbeError)>,
    /// What an answer from a second-best place does not prove.
    pub notes: Vec<(Vantage, String)>,
}

/// Containers and pods that were started, for reuse and for tidying up.
pub struct Session {
    settings: Settings,
    places: BTreeMap<Vantage, ProbeHost>,
    agents: Option<Agents>,
    /// Tells this run's pods from those of others.
    run: String,
    made: Mutex<Made>,
}

/// What there may be because of this run, noted before it is made: also if the run is interrupted
/// before it hears that it was.
#[derive(Debug, Clone, Default)]
struct Made {
    /// Where pods of this run may be.
    namespaces: BTreeSet<String>,
    /// Containers that nobody can remove.
    containers: Vec<Ephemeral>,
    /// Other people's containers that the agent was uploaded to.
    borrowed: Vec<(Existing, Binary)>,
}

/// So many vantages are asked at the same time: more would only wait for the API server.
const SIDE_BY_SIDE: usize = 16;

/// How long tidying up waits for an API server that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Time kept back at the end of all probing to hear what the agents found.
const LAST_ANSWERS: Duration = Duration::from_millis(1_500);

/// Idle containers and debug pods end after this long by themselves.
const LIFETIME_S: u64 = 600;

// === impl Session ===

impl Session {
    /// A session that has started nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            settings,
            places: BTreeMap::new(),
            agents: None,
            run: format!("{:x}-{:x}", std::process::id(), now.as_micros()),
            made: Mutex::default(),
        }
    }

    /// What the steps would create, in words, before anything is.
    #[must_use]
    pub fn announce(&self, view: &ClusterView, steps: &[Step]) -> Vec<String> {
        let reuses = |vantage: &Vantage| match vantage {
            Vantage::Pod { namespace, name } => view.pods.get(namespace, name).is_some_and(|pod| {
                self.settings.agent_image.is_none() && is_reusable(pod, &self.settings.image)
            }),
            Vantage::Node(_) => false,
        };
        let is_fresh = |step: &&Step| match self.places.get(&step.vantage) {
            None => !reuses(&step.vantage),
            Some(ProbeHost::Image(_)) => true,
            Some(_) => false,
        };
        let image = self
            .settings
            .agent_image
            .as_ref()
            .unwrap_or(&self.settings.image);
        let fresh = steps.iter().filter(is_fresh);
        fresh
            .map(|step| match &step.vantage {
                Vantage::Pod { namespace, name } => {
                    let or_twin = if step.takes_twin { "; if the pod does not accept one, a twin of the pod, which is deleted afterwards" } else { "" };
                    format!("an ephemeral container in pod {namespace}/{name} ({image}, unprivileged, ends by itself; Kubernetes keeps it listed in the pod{or_twin})")
                }
                Vantage::Node(node) => {
                    let namespace = &self.settings.debug_namespace;
                    let unless = if self.settings.agent_image.is_some() { "" } else { ", unless a pod there can be borrowed" };
                    format!("a privileged debug pod on node {node} in namespace {namespace} ({image}, deleted afterwards){unless}")
                }
            })
            .collect()
    }

    /// Asks one round of questions, all vantages side by side. What has not answered by `until` counts
    /// as failed.
    pub async fn ask(
        &mut self,
        view: &ClusterView,
        steps: &[Step],
        until: Instant,
        progress: &dyn Progress,
    ) -> Answers {
        let mut answers = Answers::default();
        if self.agents.is_none() && self.settings.agent_image.is_none() && !steps.is_empty() {
            match Agents::find(self.settings.agent_binary.as_deref()) {
                Ok(agents) => self.agents = Some(agents),
                Err(error) => {
                    answers.failed = steps
                        .iter()
                        .map(|step| (step.vantage.clone(), error.clone()))
                        .collect();
                    return answers;
                }
            }
        }
        let asked = steps.iter().map(|step| {
            let place = self.places.get(&step.vantage).cloned();
            self.in_time(step, place, view, until, progress)
        });
        let results: Vec<_> = stream::iter(asked).buffered(SIDE_BY_SIDE).collect().await;
        for (step, (place, result)) in steps.iter().zip(results) {
            let is_twin = place.as_ref().is_some_and(ProbeHost::is_twin);
            if let Some(place) = place {
                if let Some(note) = place
                    .note()
                    .filter(|_| !self.places.contains_key(&step.vantage))
                {
                    answers.notes.push((step.vantage.clone(), note));
                }
                self.places.insert(step.vantage.clone(), place);
            }
            match result {
                // What is inside a twin is not what is inside the source.
                Ok(mut lines) => {
                    lines.retain(|line| !(is_twin && matches!(line, Line::Fact(_))));
                    answers.take(step, lines);
                }
                Err(error) => answers.failed.push((step.vantage.clone(), error)),
            }
        }
        answers
    }

    async fn in_time(
        &self,
        step: &Step,
        place: Option<ProbeHost>,
        view: &ClusterView,
        until: Instant,
        progress: &dyn Progress,
    ) -> (Option<ProbeHost>, Result<Vec<Line>, ProbeError>) {
        let known = place.clone();
        let answers = self.at(step, place, view, until, progress);
        if let Ok(answers) = tokio::time::timeout_at(until.into(), answers).await {
            return answers;
        }
        let what = format!("probe in {}", step.vantage);
        let why = "it did not end before the time was over".to_owned();
        (known, Err(ProbeError::Transport { what, why }))
    }

    /// One vantage: start what is missing, then run the plan. What was started is given back even
    /// if the plan fails, so that it is used again.
    async fn at(
        &self,
        step: &Step,
        place: Option<ProbeHost>,
        view: &ClusterView,
        until: Instant,
        progress: &dyn Progress,
    ) -> (Option<ProbeHost>, Result<Vec<Line>, ProbeError>) {
        let is_new = place.is_none();
        let place = if let Some(place) = place {
            place
        } else {
            progress.doing(&format!("starting a probe at {}", step.vantage));
            match self.start(step, view).await {
                Ok(place) => place,
                Err(error) => return (None, Err(error)),
            }
        };
        let left = until.saturating_duration_since(Instant::now());
        let deadline = self
            .settings
            .deadline
            .min(left.saturating_sub(LAST_ANSWERS));
        let plan = Plan {
            version: VERSION,
            deadline_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            tasks: step.tasks.clone(),
        };
        progress.doing(&format!("asking from {}", step.vantage));
        if let ProbeHost::Image(host) = place {
            let (host, lines) = self.run_image(host, step, &plan, view).await;
            return (Some(ProbeHost::Image(host)), lines);
        }
        let lines = match self.agent_for(&step.vantage, view) {
            Ok(agent) => self.run(&place, agent, &plan, is_new).await,
            Err(error) => Err(error),
        };
        (Some(place), lines)
    }

    async fn run(
        &self,
        place: &ProbeHost,
        agent: &Binary,
        plan: &Plan,
        is_new: bool,
    ) -> Result<Vec<Line>, ProbeError> {
        let Some(container) = place.container() else {
            return Err(ProbeError::Transport {
                what: "upload".to_owned(),
                why: "an image does not accept an upload".to_owned(),
            });
        };
        let upload = self.upload(container, agent.clone());
        if is_new {
            upload.send().await?;
        }
        upload.run(plan).await
    }

    /// Tidies up, and says what is left and why: `(what, why)`.
    pub async fn close(&mut self) -> Vec<(String, String)> {
        self.places.clear();
        let made = self
            .made
            .lock()
            .map(|made| made.clone())
            .unwrap_or_default();
        for (own, agent) in &made.borrowed {
            // It deletes itself in any case.
            let _ = timeout(PATIENCE, self.wipe(own, agent)).await;
        }
        let mut left = made.containers();
        for namespace in &made.namespaces {
            left.extend(self.delete_pods(namespace).await);
        }
        self.note(|made| *made = Made::default());
        left
    }

    /// What there may be still, if tidying up was given up.
    #[must_use]
    pub fn unfinished(&self) -> Vec<(String, String)> {
        let made = self
            .made
            .lock()
            .map(|made| made.clone())
            .unwrap_or_default();
        let pods = made.namespaces.iter().map(|namespace| {
            (
                self.pods_in(namespace),
                "not looked for; they end by themselves, kubectl netpath cleanup removes them"
                    .to_owned(),
            )
        });
        pods.chain(made.containers()).collect()
    }

    fn pods_in(&self, namespace: &str) -> String {
        format!(
            "pods with label {RUN}={} in namespace {namespace}",
            self.run
        )
    }

    /// Notes what is about to be made.
    fn note<T>(&self, note: impl FnOnce(&mut Made) -> T) {
        if let Ok(mut made) = self.made.lock() {
            note(&mut made);
        }
    }

    /// Deletes every pod of this run, found by its label: also one whose creation was interrupted
    /// between the server's doing and our hearing of it.
    async fn delete_pods(&self, namespace: &str) -> Vec<(String, String)> {
        let client = &self.settings.client;
        let search = timeout(
            PATIENCE,
            cleanup::find(client, Some(namespace), Some(&self.run)),
        );
        let why = match search.await {
            Ok(Ok(pods)) => {
                let deletions = pods.iter().map(|pod| self.delete(pod));
                return join_all(deletions).await.into_iter().flatten().collect();
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the API server does not answer".to_owned(),
        };
        let why = format!("not looked for: {why}; they end by themselves");
        vec![(self.pods_in(namespace), why)]
    }

    async fn delete(&self, pod: &Leftover) -> Option<(String, String)> {
        let deletion = cleanup::delete(&self.settings.client, &pod.namespace, &pod.name);
        let why = match timeout(PATIENCE, deletion).await {
            Ok(Ok(())) => return None,
            Ok(Err(why)) => why,
            Err(_) => "the API server does not answer".to_owned(),
        };
        let what = format!("pod {}/{}", pod.namespace, pod.name);
        Some((what, format!("not deleted: {why}; it ends by itself")))
    }
}

// === impl Made ===

impl Made {
    fn containers(&self) -> Vec<(String, String)> {
        let containers = self.containers.iter().map(|own| {
            (
                format!(
                    "ephemeral container {} in pod {}/{}",
                    own.container, own.namespace, own.pod
                ),
                "Kubernetes cannot remove it; it ends by itself".to_owned(),
            )
        });
        containers.collect()
    }
}

// === impl Answers ===

impl Answers {
    fn take(&mut self, step: &Step, lines: Vec<Line>) {
        let mut observations = Vec::new();
        for line in lines {
            match line {
                Line::Observation(observation) => observations.push(observation),
                Line::Fact(part) => {
                    match self.facts.iter_mut().rev().find(|(vantage, fact)| {
                        *vantage == step.vantage && fact.continues_in(&part)
                    }) {
                        Some((_, fact)) => fact.append(part),
                        None => self.facts.push((step.vantage.clone(), part)),
                    }
                }
                Line::Hello(_) | Line::Done(_) => {}
            }
        }
        // Answers come as they are ready; they are read in the order of the questions.
        observations.sort_by_key(|observation| observation.task);
        for observation in observations {
            if let Some(task) = step.tasks.get(observation.task) {
                self.seen.push(Seen {
                    vantage: step.vantage.clone(),
                    task: task.clone(),
                    outcome: observation.outcome,
                });
            }
        }
        // Facts come without an observation of their own; asking again would bring the same.
        for task in &step.tasks {
            let is_facts = matches!(
                task,
                netpath_protocol::Task::PodFacts | netpath_protocol::Task::NodeFacts { .. }
            );
            let answered = self
                .seen
                .iter()
                .any(|seen| seen.vantage == step.vantage && seen.task == *task);
            if !answered {
                let why = if is_facts {
                    "gathered"
                } else {
                    "no answer before the deadline"
                };
                self.seen.push(Seen {
                    vantage: step.vantage.clone(),
                    task: task.clone(),
                    outcome: netpath_protocol::Outcome::Unsupported {
                        why: why.to_owned(),
                    },
                });
            }
        }
    }
}
