//! One container: what it would run, and the process once it runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use k8s_openapi::api::core::v1::Container;
use nix::sys::signal::Signal;
use parking_lot::Mutex;

use super::pod::PodRun;
use super::status::State;
use super::{environment, volumes};
use crate::launch::{HOME, find};
use crate::place::kubelet;
use crate::runtime::{self, Command, Image, Pids, Process, Root, Security, Stdio, Where};
use crate::store::now;
use crate::world::World;

/// A container of a pod. Its root and its first process are made when they are needed.
#[derive(Debug)]
pub struct ContainerRun {
    pub name: String,
    pub security: Security,
    pub spec: Container,
    image: Image,
    place: Where,
    folder: PathBuf,
    root: Mutex<Option<Root>>,
    pub process: Mutex<Option<Process>>,
    pub previous: Mutex<Option<Process>>,
}

/// Whether a container could be made.
#[derive(Debug)]
pub enum Made {
    Ready(Arc<ContainerRun>),
    Refused { reason: String, message: String },
}

// === impl ContainerRun ===

impl ContainerRun {
    /// Makes a container, unless its image or its securityContext forbids it. `beside` is a process
    /// whose PID namespace it shares.
    pub fn make(world: &World, run: &PodRun, container: &Container, beside: Option<u32>) -> Made {
        let image = container.image.clone().unwrap_or_default();
        let refused = |reason: &str, message: String| Made::Refused {
            reason: reason.to_owned(),
            message,
        };
        let Some(found) = world.kubelet.images.find(&image) else {
            return refused("ErrImagePull", pull_failure(&image));
        };
        let spec = run.pod.spec.as_ref();
        let pod_context = spec.and_then(|spec| spec.security_context.as_ref());
        let security =
            match runtime::security(pod_context, container.security_context.as_ref(), found.uid) {
                Ok(security) => security,
                Err(message) => return refused("CreateContainerConfigError", message),
            };
        let shared = spec.is_some_and(|spec| spec.host_pid == Some(true));
        let hostname = if spec.is_some_and(|spec| spec.host_network == Some(true)) {
            run.node.clone()
        } else {
            run.store_key.name.clone()
        };
        Made::Ready(Arc::new(Self {
            name: container.name.clone(),
            folder: PathBuf::from(format!("{HOME}/containers/{}/{}", run.uid, container.name)),
            security,
            spec: container.clone(),
            image: found,
            place: Where {
                ns: run.ns.clone(),
                hostname,
                pids: match beside {
                    _ if shared => Pids::Node,
                    Some(pid) => Pids::Of(pid),
                    None => Pids::Own,
                },
            },
            root: Mutex::default(),
            process: Mutex::default(),
            previous: Mutex::default(),
        }))
    }

    /// What runs in it now; for a container whose servers the supervisor holds, something that waits
    /// in its place.
    pub fn process(&self, world: &World, run: &PodRun) -> Result<Process> {
        let mut process = self.process.lock();
        if let Some(running) = process
            .as_ref()
            .filter(|process| process.exit_code().is_none())
        {
            return Ok(running.clone());
        }
        if process.is_some() || run.is_ending() {
            anyhow::bail!("container not running");
        }
        let sleep = find("sleep").unwrap_or_else(|| "/usr/bin/sleep".into());
        let words = vec![
            runtime::inside_host(&sleep).to_string_lossy().into_owned(),
            "infinity".to_owned(),
        ];
        let started = self.start(world, run, words)?;
        *process = Some(started.clone());
        Ok(started)
    }

    /// Runs the container's own command, and again as its pod's restartPolicy says.
    pub fn run(self: &Arc<Self>, world: &Arc<World>, run: &Arc<PodRun>) {
        let words = self.words();
        let started = self.start(world, run, words);
        let started = match started {
            Ok(started) => started,
            Err(error) => {
                let message = format!("{error:#}");
                run.change(world, &self.name, |seen| {
                    seen.ready = false;
                    seen.state = State::Waiting {
                        reason: "RunContainerError".to_owned(),
                        message,
                    };
                });
                return;
            }
        };
        *self.process.lock() = Some(started.clone());
        let (world, run, this) = (world.clone(), run.clone(), self.clone());
        let runtime = world.runtime.clone();
        runtime.spawn(async move {
            let code = started.ended().await;
            this.ended(&world, &run, &started, code).await;
        });
    }

    /// After the process ended: for good, or until it is started again.
    async fn ended(
        self: Arc<Self>,
        world: &Arc<World>,
        run: &Arc<PodRun>,
        process: &Process,
        code: i32,
    ) {
        const BACK_OFF: std::time::Duration = std::time::Duration::from_secs(10);
        if run.is_ending() {
            return;
        }
        let policy = run
            .pod
            .spec
            .as_ref()
            .and_then(|spec| spec.restart_policy.as_deref())
            .unwrap_or("Always");
        let ended = ended_state(process, code);
        let again = policy == "Always" || (policy == "OnFailure" && code != 0);
        if !again {
            run.change(world, &self.name, |seen| {
                seen.ready = false;
                seen.state = ended;
            });
            return;
        }
        let back_off = format!(
            "back-off 10s restarting failed container={} pod={}",
            self.name, run.key
        );
        run.change(world, &self.name, |seen| {
            seen.ready = false;
            seen.last = Some(ended);
            seen.restarts += 1;
            seen.state = State::Waiting {
                reason: "CrashLoopBackOff".to_owned(),
                message: back_off.clone(),
            };
        });
        run.note(world, "BackOff", &back_off);
        *self.previous.lock() = Some(process.clone());
        tokio::time::sleep(BACK_OFF).await;
        if !run.is_ending() {
            let probed = self.spec.readiness_probe.is_some();
            let (this, world, run) = (self.clone(), world.clone(), run.clone());
            let started = tokio::task::spawn_blocking(move || {
                this.run(&world, &run);
                run.change(&world, &this.name, |seen| {
                    seen.ready = !probed;
                    seen.state = State::Running { since: now() };
                });
            });
            let _ = started.await;
        }
    }

    /// Starts a first process.
    pub fn start(&self, world: &World, run: &PodRun, words: Vec<String>) -> Result<Process> {
        let root = self.root(world, run)?;
        let stdin = self.spec.stdin == Some(true);
        let command = Command {
            words,
            env: self.environment(world, run),
            folder: self.spec.working_dir.clone().unwrap_or_default(),
        };
        let (place, security, runtime) = (&self.place, &self.security, &world.runtime);
        if self.spec.tty == Some(true) {
            let pty = nix::pty::openpty(None, None)?;
            let child = runtime::start_container(
                place,
                &root,
                &command,
                security,
                Stdio::Terminal(pty.slave),
                runtime,
            )?;
            return Process::on_terminal(child, pty.master, runtime);
        }
        let child = runtime::start_container(
            place,
            &root,
            &command,
            security,
            Stdio::Pipes { stdin },
            runtime,
        )?;
        Ok(Process::piped(child, runtime))
    }

    /// The variables of a process in it.
    pub fn environment(&self, world: &World, run: &PodRun) -> BTreeMap<String, String> {
        environment::of(world, run, &self.spec)
    }

    /// Its root folder, made once.
    pub fn root(&self, world: &World, run: &PodRun) -> Result<Root> {
        let mut root = self.root.lock();
        if let Some(root) = &*root {
            return Ok(root.clone());
        }
        let resolver = kubelet(world, &run.node).pod_file(&run.pod);
        let etc = environment::etc(run, &resolver);
        let mounts = volumes::of(world, run, &self.spec)?;
        let made = Root::lay_out(
            &self.folder.join("root"),
            &self.image,
            &etc,
            mounts,
            self.security.read_only_root,
        )?;
        *root = Some(made.clone());
        Ok(made)
    }

    /// The words of its own command.
    pub fn words(&self) -> Vec<String> {
        let command = self
            .spec
            .command
            .clone()
            .filter(|command| !command.is_empty());
        let mut entry = self.image.entry_point.clone();
        if let Some(program) = entry.first_mut() {
            // Its place in the root is where its own file is bound.
            let name = program.rsplit('/').next().unwrap_or_default();
            *program = format!("/{name}");
        }
        let mut words = command.unwrap_or(entry);
        words.extend(self.spec.args.iter().flatten().cloned());
        if words.is_empty() {
            words.push("sh".to_owned());
        }
        words
    }

    pub fn kill(&self) {
        if let Some(process) = &*self.process.lock() {
            process.signal(Signal::SIGKILL);
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// How a process that ended shows.
pub fn ended_state(process: &Process, code: i32) -> State {
    State::Terminated {
        code,
        reason: if code == 0 { "Completed" } else { "Error" }.to_owned(),
        since: process.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        until: now(),
    }
}

/// containerd's words where no registry can be reached.
pub fn pull_failure(image: &str) -> String {
    let (host, rest) = image.split_once('/').unwrap_or(("docker.io", image));
    let (name, tag) = rest.rsplit_once(':').unwrap_or((rest, "latest"));
    format!(
        "failed to pull and unpack image \"{image}\": failed to resolve image: failed to do request: \
         Head \"https://{host}/v2/{name}/manifests/{tag}\": dial tcp: lookup {host} on 172.30.0.200:53: no such host"
    )
}
