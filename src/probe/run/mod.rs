//! The second edge: asking. Starts what is needed at each vantage, once, and keeps it for the rounds
//! to come.

mod image;
mod place;
mod tap;
mod tidy;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use kube::Client;
use tokio::sync::OnceCell;

use super::Progress;
use super::binary::{Agents, Binary};
use super::launch::{NodeRights, Order, is_reusable};
use super::transport::Transport;
use crate::cluster::ClusterView;
use crate::observe::{ProbeError, Seen, Step, Vantage};
use netpath_protocol::{Fact, Line, Plan, VERSION};
use place::ProbeHost;

pub use tidy::Tidy;

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
    /// After so long everything that was made ends by itself.
    pub lifetime: Duration,
    /// Asks whether a pod with labels of production may be made.
    pub agrees: Agrees,
}

/// Asks somebody, who may have agreed beforehand.
pub type Agrees = Arc<dyn Fn(String) -> BoxFuture<'static, bool> + Send + Sync>;

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
    /// Whether twins may be made, once it was asked.
    twins: OnceCell<bool>,
    tidy: Arc<Tidy>,
}

/// So many vantages are asked at the same time: more would only wait for the API server.
const SIDE_BY_SIDE: usize = 16;

/// Time kept back at the end of all probing to hear what the agents found.
const LAST_ANSWERS: Duration = Duration::from_millis(1_500);

// === impl Session ===

impl Session {
    /// A session that has started nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let tidy = Arc::new(Tidy::new(settings.client.clone()));
        Self {
            settings,
            places: BTreeMap::new(),
            agents: None,
            twins: OnceCell::new(),
            tidy,
        }
    }

    /// The way to remove what it makes, for whoever hears that it is to end.
    #[must_use]
    pub fn tidy(&self) -> Arc<Tidy> {
        Arc::clone(&self.tidy)
    }

    /// What pods and containers are made for.
    fn order(&self) -> Order<'_> {
        Order {
            run: &self.tidy.run,
            seconds: self.settings.lifetime.as_secs(),
            gate: &self.tidy.gate,
        }
    }

    /// What the steps would create, in words, before anything is.
    #[must_use]
    pub fn announce(&self, view: &ClusterView, steps: &[Step]) -> Vec<String> {
        let reuses = |vantage: &Vantage| match vantage {
            Vantage::Pod { namespace, name } => view.pods.get(namespace, name).is_some_and(|pod| {
                self.settings.agent_image.is_none() && is_reusable(pod, &self.idle())
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
                    let or_twin = if step.takes_twin { "; if the pod does not accept one and you agree or set --allow-twin, a twin of the pod, which is deleted afterwards" } else { "" };
                    format!("an ephemeral container in pod {namespace}/{name} ({image}, unprivileged, ends by itself; Kubernetes keeps it listed in the pod{or_twin})")
                }
                Vantage::Node(node) => {
                    let namespace = &self.settings.debug_namespace;
                    let unless = if self.settings.agent_image.is_some() { "" } else { ", unless a pod there can be borrowed" };
                    let rights = match place::rights_for(step) {
                        NodeRights::Everything => "debug pod with root",
                        NodeRights::Tap => "pod with hostNetwork, NET_RAW and NET_ADMIN",
                    };
                    format!("a {rights} on node {node} in namespace {namespace} ({image}, deleted afterwards){unless}")
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
        if let Err(error) = self.find_agents() {
            let failed = steps.iter();
            answers.failed = failed
                .map(|step| (step.vantage.clone(), error.clone()))
                .collect();
            return answers;
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
                Ok(lines) if is_cut_off(&lines) => {
                    let what = format!("probe in {}", step.vantage);
                    let why = "it ended before it answered anything".to_owned();
                    let error = ProbeError::Transport { what, why };
                    answers.failed.push((step.vantage.clone(), error));
                }
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

    /// Looks for the agents to upload, once, where any are.
    fn find_agents(&mut self) -> Result<(), ProbeError> {
        if self.agents.is_none() && self.settings.agent_image.is_none() {
            let agents = Agents::find(self.settings.agent_binary.as_deref())?;
            self.agents = Some(agents);
        }
        Ok(())
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

    /// One vantage: start what is missing, then run the plan. What was started earlier may have ended
    /// meanwhile: it is started once more.
    async fn at(
        &self,
        step: &Step,
        place: Option<ProbeHost>,
        view: &ClusterView,
        until: Instant,
        progress: &dyn Progress,
    ) -> (Option<ProbeHost>, Result<Vec<Line>, ProbeError>) {
        let was_there = place.is_some();
        let (place, lines) = self.once(step, place, view, until, progress).await;
        match lines {
            Err(ProbeError::Transport { .. } | ProbeError::Refused { .. }) if was_there => {
                self.once(step, None, view, until, progress).await
            }
            lines => (place, lines),
        }
    }

    /// What was started is given back even if the plan fails, so that it is used again.
    async fn once(
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
        let plan = self.plan(step, until);
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

    /// What the agent is told: the questions, and how long it may take for them.
    fn plan(&self, step: &Step, until: Instant) -> Plan {
        let left = until.saturating_duration_since(Instant::now());
        let left = left.saturating_sub(LAST_ANSWERS);
        let deadline = self.settings.deadline.min(left);
        Plan {
            version: VERSION,
            deadline_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
            tasks: step.tasks.clone(),
        }
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
}

/// Whether an agent began and was ended, with its container, say, before it said anything: that is no answer.
fn is_cut_off(lines: &[Line]) -> bool {
    lines.iter().all(|line| matches!(line, Line::Hello(_)))
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
                // Taps are heard as they speak.
                Line::Hello(_) | Line::Tap(_) | Line::Done(_) => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use netpath_protocol::Done;

    #[test]
    fn an_agent_that_was_ended_has_not_answered() {
        let done = Line::Done(Done {
            elapsed_ms: 1,
            cut_short: true,
        });
        assert!(is_cut_off(&[]));
        assert!(!is_cut_off(&[done]));
    }
}
