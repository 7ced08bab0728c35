//! Starting processes inside containers.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::Stdio as StdStdio;

use anyhow::{Context, Result};
use nix::sched::CloneFlags;
use tokio::process::Child;
use tokio::runtime::Handle;

use super::root::{PATH, Root, inside_host};
use super::security::Security;
use crate::launch::find;
use crate::net::Ns;

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Command {
    pub words: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// Empty for `/`.
    pub folder: String,
}

/// What it reads and writes.
#[derive(Debug)]
pub enum Stdio {
    /// Pipes; standard input only if wanted.
    Pipes { stdin: bool },
    /// One end of a terminal.
    Terminal(OwnedFd),
}

/// Where a new container lives.
#[derive(Debug, Clone)]
pub struct Where {
    pub ns: Ns,
    pub hostname: String,
    pub pids: Pids,
}

/// Which processes a container sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pids {
    Own,
    /// Those of the container that this process is in.
    Of(u32),
    /// Those of the node (`hostPID`): the first is the supervisor, with all of the host's tools.
    Node,
}

/// Starts the first process of a container.
pub fn start_container(
    place: &Where,
    root: &Root,
    command: &Command,
    security: &Security,
    stdio: Stdio,
    runtime: &Handle,
) -> Result<Child> {
    let shared = match place.pids {
        Pids::Of(pid) => Some(File::open(format!("/proc/{pid}/ns/pid"))?),
        Pids::Own | Pids::Node => None,
    };
    place.ns.enter(|| {
        let own = CloneFlags::CLONE_FS
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC;
        nix::sched::unshare(own).context("namespaces of a container")?;
        nix::unistd::sethostname(&place.hostname)?;
        root.enter()?;
        let mut words = Vec::new();
        if place.pids != Pids::Node {
            match shared {
                Some(shared) => nix::sched::setns(shared, CloneFlags::CLONE_NEWPID)?,
                None => nix::sched::unshare(CloneFlags::CLONE_NEWPID)?,
            }
            // In its PID namespace and not before: /proc shows what the namespace of its mounter holds.
            words.extend([tool("unshare"), "--mount-proc".to_owned(), "--".to_owned()]);
        }
        words.extend(wrapped(command, security, &stdio));
        spawn(&words, command, stdio, runtime)
    })?
}

/// Starts a further process in the container whose first process is `pid`.
pub fn enter_container(
    pid: u32,
    command: &Command,
    security: &Security,
    stdio: Stdio,
    runtime: &Handle,
) -> Result<Child> {
    let open = |kind: &str| {
        File::open(format!("/proc/{pid}/ns/{kind}")).context("the container is not running")
    };
    let (mnt, net, uts, ipc, pids) = (
        open("mnt")?,
        open("net")?,
        open("uts")?,
        open("ipc")?,
        open("pid")?,
    );
    let work = || -> Result<Child> {
        nix::sched::unshare(CloneFlags::CLONE_FS)?;
        nix::sched::setns(net, CloneFlags::CLONE_NEWNET)?;
        nix::sched::setns(uts, CloneFlags::CLONE_NEWUTS)?;
        nix::sched::setns(ipc, CloneFlags::CLONE_NEWIPC)?;
        nix::sched::setns(pids, CloneFlags::CLONE_NEWPID)?;
        nix::sched::setns(mnt, CloneFlags::CLONE_NEWNS)?;
        let words = wrapped(command, security, &stdio);
        spawn(&words, command, stdio, runtime)
    };
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(_) => anyhow::bail!("a thread of the lab panicked"),
    })
}

fn wrapped(command: &Command, security: &Security, stdio: &Stdio) -> Vec<String> {
    let mut words = security.wrapper(&|name| tool(name));
    if matches!(stdio, Stdio::Terminal(_)) {
        words.extend([tool("setsid"), "--ctty".to_owned(), "--wait".to_owned()]);
    }
    words.extend(command.words.iter().cloned());
    words
}

fn spawn(words: &[String], command: &Command, stdio: Stdio, runtime: &Handle) -> Result<Child> {
    let (program, arguments) = words.split_first().context("no command")?;
    let mut process = tokio::process::Command::new(program);
    process
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .envs(&command.env);
    process.current_dir(if command.folder.is_empty() {
        "/"
    } else {
        &command.folder
    });
    match stdio {
        Stdio::Pipes { stdin } => {
            process.stdin(if stdin {
                StdStdio::piped()
            } else {
                StdStdio::null()
            });
            process.stdout(StdStdio::piped()).stderr(StdStdio::piped());
        }
        Stdio::Terminal(end) => {
            process.stdin(StdStdio::from(end.try_clone()?));
            process
                .stdout(StdStdio::from(end.try_clone()?))
                .stderr(StdStdio::from(end));
        }
    }
    let _context = runtime.enter();
    process
        .spawn()
        .with_context(|| format!("starting {program}"))
}

/// A tool of the host by the path it has inside.
fn tool(name: &str) -> String {
    let program = find(name).unwrap_or_else(|| format!("/usr/bin/{name}").into());
    inside_host(&program).to_string_lossy().into_owned()
}
