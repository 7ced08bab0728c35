//! What a run made, and getting rid of it: also while somebody else still thinks.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use kube::Client;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::probe::RUN;
use crate::probe::binary::Binary;
use crate::probe::cleanup::{self, Leftover};
use crate::probe::gate::Gate;
use crate::probe::launch::{Ephemeral, Existing};
use crate::probe::transport::Upload;

/// How long tidying up waits for an API server that does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The traces of one run, and the way to remove them.
pub struct Tidy {
    pub(super) client: Client,
    /// Tells this run's pods from those of others.
    pub(super) run: String,
    /// Through which everything is created.
    pub(super) gate: Gate,
    made: Mutex<Made>,
    /// What was left when it was tidied up.
    left: OnceCell<Vec<(String, String)>>,
}

/// What there may be because of this run, noted before it is made: also if the run is interrupted
/// before it hears that it was.
#[derive(Debug, Clone, Default)]
pub(super) struct Made {
    /// Where pods of this run may be.
    pub namespaces: BTreeSet<String>,
    /// Containers that nobody can remove.
    pub containers: Vec<Ephemeral>,
    /// Other people's containers that the agent was uploaded to.
    pub borrowed: Vec<(Existing, Binary)>,
}

// === impl Tidy ===

impl Tidy {
    pub(super) fn new(client: Client) -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        Self {
            client,
            run: format!("{:x}-{:x}", std::process::id(), now.as_micros()),
            gate: Gate::default(),
            made: Mutex::default(),
            left: OnceCell::new(),
        }
    }

    /// Notes what is about to be made.
    pub(super) fn note<T>(&self, note: impl FnOnce(&mut Made) -> T) {
        note(&mut self.made.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn made(&self) -> Made {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.clone()
    }

    /// Removes what was made, once, and says what is left and why: `(what, why)`. Nothing is created after
    /// it.
    pub async fn up(&self) -> Vec<(String, String)> {
        self.left.get_or_init(|| self.remove()).await.clone()
    }

    async fn remove(&self) -> Vec<(String, String)> {
        // What is being created is found only once it is there.
        let _ = timeout(PATIENCE, self.gate.close()).await;
        let made = self.made();
        for (own, agent) in &made.borrowed {
            // It deletes itself in any case.
            let _ = timeout(PATIENCE, self.upload(own, agent).remove()).await;
        }
        let mut left = made.containers();
        for namespace in &made.namespaces {
            left.extend(self.delete_pods(namespace).await);
        }
        left
    }

    /// What there may be still, if tidying up was given up.
    #[must_use]
    pub fn unfinished(&self) -> Vec<(String, String)> {
        let made = self.made();
        let pods = made.namespaces.iter().map(|namespace| {
            (
                self.pods_in(namespace),
                "not looked for; they end by themselves, kubectl netpath cleanup removes them"
                    .to_owned(),
            )
        });
        pods.chain(made.containers()).collect()
    }

    fn upload(&self, place: &Existing, agent: &Binary) -> Upload {
        Upload {
            client: self.client.clone(),
            namespace: place.namespace.clone(),
            pod: place.pod.clone(),
            container: place.container.clone(),
            binary: agent.clone(),
            run: self.run.clone(),
        }
    }

    fn pods_in(&self, namespace: &str) -> String {
        format!(
            "pods with label {RUN}={} in namespace {namespace}",
            self.run
        )
    }

    /// Deletes every pod of this run, found by its label: also one whose creation was interrupted
    /// between the server's doing and our hearing of it.
    async fn delete_pods(&self, namespace: &str) -> Vec<(String, String)> {
        let search = timeout(
            PATIENCE,
            cleanup::find(&self.client, Some(namespace), Some(&self.run)),
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
        let deletion = cleanup::delete(&self.client, pod);
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
