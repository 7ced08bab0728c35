//! Asking the agent of a dataplane that runs on a node already: by exec into its container, never by a pod of our
//! own.
//!
//! Every command has a time limit of its own, since an agent that hangs answers some of them for ever not.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::{join, join_all};
use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::Client;
use kube::api::{Api, AttachParams, ListParams};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::Progress;
use super::pods::Pods;
use crate::cluster::{Named, Pod, Unread};

/// A file of the node's folder, and the command that prints it.
type Command = (&'static str, &'static [&'static str]);

/// What Cilium's agent is asked.
const CILIUM: [Command; 6] = [
    ("cilium/status.json", &["status", "-o", "json"]),
    (
        "cilium/service-list.json",
        &["service", "list", "-o", "json"],
    ),
    (
        "cilium/bpf-lb-list.json",
        &["bpf", "lb", "list", "-o", "json"],
    ),
    (
        "cilium/endpoint-list.json",
        &["endpoint", "list", "-o", "json"],
    ),
    (
        "cilium/bpf-policy-get-all.json",
        &["bpf", "policy", "get", "--all", "-n", "-o", "json"],
    ),
    (
        "cilium/bpf-ipcache-list.json",
        &["bpf", "ipcache", "list", "-o", "json"],
    ),
];
/// Its counters, which are read twice.
const METRICS: [&str; 5] = ["bpf", "metrics", "list", "-o", "json"];
/// Its program, by its newer and its older name.
const PROGRAMS: [&str; 2] = ["cilium-dbg", "cilium"];
const CONTAINER: &str = "cilium-agent";
const LABEL: &str = "k8s-app=cilium";

/// How long one command may take. Healthy agents answer within half a second.
const LIMIT: Duration = Duration::from_secs(5);
/// More than any table of a large cluster.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What one agent said: texts by file, and what it did not say.
#[derive(Debug, Default)]
pub struct Said {
    pub files: Vec<(&'static str, String)>,
    pub unread: Vec<Unread>,
}

/// The agent of one node.
struct Agent {
    client: Client,
    node: String,
    namespace: String,
    pod: String,
    program: &'static str,
}

/// The agents of all nodes that were asked for.
#[derive(Default)]
pub struct Agents {
    asked: BTreeSet<String>,
    found: Vec<Agent>,
}

// === impl Agents ===

impl Agents {
    /// Asks the agents of nodes that were not asked before, all at once.
    pub async fn ask<'n>(
        &mut self,
        client: &Client,
        nodes: impl Iterator<Item = &'n str>,
        progress: &dyn Progress,
    ) -> Vec<(String, Said)> {
        let fresh = nodes.filter(|node| self.asked.insert((*node).to_owned()));
        let fresh: Vec<&str> = fresh.collect();
        let found = join_all(fresh.iter().map(|node| Agent::find(client, node))).await;
        let mut said = Vec::new();
        let mut agents = Vec::new();
        for (node, agent) in fresh.into_iter().zip(found) {
            match agent {
                Ok(agent) => {
                    progress.say(&agent.words());
                    agents.push(agent);
                }
                Err(unread) => {
                    let unread = vec![unread];
                    said.push((
                        node.to_owned(),
                        Said {
                            unread,
                            ..Said::default()
                        },
                    ));
                }
            }
        }
        let answers = join_all(agents.iter_mut().map(Agent::ask)).await;
        let names = agents.iter().map(|agent| agent.node.clone());
        said.extend(names.zip(answers));
        self.found.extend(agents);
        said
    }

    /// Reads the counters of all of them again.
    pub async fn ask_again(&self) -> Vec<(String, Said)> {
        let answers = join_all(self.found.iter().map(Agent::ask_again)).await;
        let names = self.found.iter().map(|agent| agent.node.clone());
        names.zip(answers).collect()
    }
}

// === impl Agent ===

impl Agent {
    /// Finds Cilium's agent on a node: one list of pods by label.
    async fn find(client: &Client, node: &str) -> Result<Self, Unread> {
        let selector = ListParams::default()
            .labels(LABEL)
            .fields(&format!("spec.nodeName={node}"));
        let pods = Pods::new(client, None);
        let listed = timeout(LIMIT, pods.list(&selector)).await;
        let pods = match listed {
            Ok(Ok(page)) => page.pods,
            Ok(Err(error)) => return Err(silent(node, error.to_string())),
            Err(_) => return Err(silent(node, "the API server does not answer".to_owned())),
        };
        let is_up = |pod: &&Pod| pod.phase() == "Running" && !pod.is_terminating();
        let Some(pod) = pods.iter().find(is_up) else {
            return Err(silent(node, "no pod of it runs there".to_owned()));
        };
        Ok(Self {
            client: client.clone(),
            node: node.to_owned(),
            namespace: pod.namespace().to_owned(),
            pod: pod.name().to_owned(),
            program: PROGRAMS[0],
        })
    }

    /// In words, before it is asked.
    fn words(&self) -> String {
        format!(
            "asks Cilium's agent on {} (exec in pod {}/{})",
            self.node, self.namespace, self.pod
        )
    }

    /// Everything that describes the node now, and the counters before the probes.
    async fn ask(&mut self) -> Said {
        // An older program has another name.
        if matches!(self.run(CILIUM[0].1).await, Err(why) if is_missing(&why)) {
            self.program = PROGRAMS[1];
        }
        let answers = join_all(CILIUM.iter().map(|(_, words)| self.run(words)));
        let (answers, metrics) = join(answers, self.run(&METRICS)).await;
        let mut said = Said::default();
        for ((file, words), answer) in CILIUM.iter().zip(answers) {
            self.take(&mut said, file, words, answer);
        }
        self.take(
            &mut said,
            "cilium/bpf-metrics-before.json",
            &METRICS,
            metrics,
        );
        said
    }

    /// The counters after the probes.
    async fn ask_again(&self) -> Said {
        let mut said = Said::default();
        let answer = self.run(&METRICS).await;
        self.take(&mut said, "cilium/bpf-metrics-after.json", &METRICS, answer);
        said
    }

    fn take(
        &self,
        said: &mut Said,
        file: &'static str,
        words: &[&str],
        answer: Result<String, String>,
    ) {
        match answer {
            Ok(text) => said.files.push((file, text)),
            Err(why) => {
                let what = format!("`{} {}` on {}", self.program, words.join(" "), self.node);
                let grant = format!("get,create pods/exec in {}", self.namespace);
                said.unread.push(Unread {
                    what,
                    why,
                    grant,
                    resource: None,
                    namespace: String::new(),
                });
            }
        }
    }

    /// Runs one command; an error is what it said in place of an answer.
    async fn run(&self, words: &[&str]) -> Result<String, String> {
        match timeout(LIMIT, self.exec(words)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        }
    }

    async fn exec(&self, words: &[&str]) -> Result<String, String> {
        let api: Api<PodObject> = Api::namespaced(self.client.clone(), &self.namespace);
        let parameters = AttachParams {
            container: Some(CONTAINER.to_owned()),
            stdin: false,
            stdout: true,
            stderr: true,
            ..AttachParams::default()
        };
        let command = std::iter::once(self.program).chain(words.iter().copied());
        let started = api
            .exec(&self.pod, command.map(str::to_owned), &parameters)
            .await;
        let mut process = started.map_err(|error| error.to_string())?;
        let (stdout, stderr, status) = (process.stdout(), process.stderr(), process.take_status());
        let reading = |stream| async move {
            let mut text = Vec::new();
            if let Some(stream) = stream {
                let _ = AsyncReadExt::take(stream, LARGEST)
                    .read_to_end(&mut text)
                    .await;
            }
            String::from_utf8_lossy(&text).into_owned()
        };
        let complaining = async {
            let mut text = Vec::new();
            if let Some(stream) = stderr {
                let _ = AsyncReadExt::take(stream, LARGEST)
                    .read_to_end(&mut text)
                    .await;
            }
            String::from_utf8_lossy(&text).into_owned()
        };
        let (output, complaint) = join(reading(stdout), complaining).await;
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        match status.filter(|status| status.status.as_deref() == Some("Failure")) {
            None => Ok(output),
            Some(status) => {
                let said = complaint.lines().find(|line| !line.trim().is_empty());
                Err(said.map_or_else(|| status.message.unwrap_or_default(), str::to_owned))
            }
        }
    }
}

/// Whether the container has no program of that name, as runtimes say it.
fn is_missing(why: &str) -> bool {
    why.contains("not found") || why.contains("no such file")
}

fn silent(node: &str, why: String) -> Unread {
    Unread {
        what: format!("Cilium's agent on {node}"),
        why,
        grant: "list pods and get,create pods/exec in the namespace of Cilium".to_owned(),
        resource: None,
        namespace: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::NodeFacts;

    #[test]
    fn every_answer_has_a_place_in_the_folder_of_a_node() {
        let files = CILIUM.iter().map(|(file, _)| *file);
        let metrics = [
            "cilium/bpf-metrics-before.json",
            "cilium/bpf-metrics-after.json",
        ];
        for file in files.chain(metrics) {
            assert!(NodeFacts::FILES.contains(&file), "{file}");
        }
    }

    #[test]
    fn programs_that_are_missing() {
        assert!(is_missing(
            "exec: \"cilium-dbg\": executable file not found in $PATH: unknown"
        ));
        assert!(is_missing(
            "exec /usr/bin/cilium-dbg: no such file or directory"
        ));
        assert!(!is_missing(
            "Get \"http://localhost/v1/healthz\": dial unix /var/run/cilium/cilium.sock: connect: connection refused"
        ));
    }
}
