//! One network namespace, and ways to do things inside it.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use nix::mount::MsFlags;
use nix::sched::CloneFlags;

/// Where `ip netns` looks for names. The supervisor has a `/run` of its own.
pub const NAMES: &str = "/run/netns";

/// A network namespace that lives as long as someone holds it or its name is mounted.
#[derive(Debug, Clone)]
pub struct Ns {
    name: String,
    file: Arc<File>,
}

/// What a command said.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

// === impl Ns ===

impl Ns {
    /// Makes a new one, known to `ip netns` under `name`, with `lo` up.
    pub fn create(name: &str) -> Result<Self> {
        let made = on_a_thread(|| -> Result<Self> {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET).context("unshare(CLONE_NEWNET)")?;
            Self::adopt(name)
        })?;
        // An address is usable at once: nobody else in a lab has it (RFC 4862, 5.4).
        made.sysctl(&[
            ("net/ipv6/conf/default/accept_dad", "0"),
            ("net/ipv6/conf/all/accept_dad", "0"),
        ])?;
        made.ip(&["link set lo up".to_owned()])?;
        Ok(made)
    }

    /// Names the namespace of the calling thread.
    pub fn adopt(name: &str) -> Result<Self> {
        let path = format!("{NAMES}/{name}");
        File::create(&path).with_context(|| format!("making {path}"))?;
        let own = "/proc/thread-self/ns/net";
        nix::mount::mount(
            Some(own),
            path.as_str(),
            None::<&str>,
            MsFlags::MS_BIND,
            None::<&str>,
        )
        .with_context(|| format!("mounting {path}"))?;
        let file = Arc::new(File::open(own)?);
        let name = name.to_owned();
        Ok(Self { name, file })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the namespace is mounted, for `nsenter --net=`.
    pub fn path(&self) -> String {
        format!("{NAMES}/{}", self.name)
    }

    /// Takes the name away; the namespace ends when its last user does.
    pub fn forget(&self) {
        let path = self.path();
        let _ = nix::mount::umount2(path.as_str(), nix::mount::MntFlags::MNT_DETACH);
        let _ = std::fs::remove_file(path);
    }

    /// Runs `work` on a thread of its own inside the namespace: sockets it opens and processes it
    /// starts belong here, and no other thread ever changes place.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        on_a_thread(|| {
            nix::sched::setns(&*self.file, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("entering the namespace {}", self.name))?;
            Ok(work())
        })
    }

    /// Runs a program to its end, with `input` on its standard input.
    pub fn run(&self, program: &str, arguments: &[&str], input: &str) -> Result<Outcome> {
        self.enter(|| feed(Command::new(program).args(arguments), input))?
            .with_context(|| format!("{program} in {}", self.name))
    }

    /// Runs a program that must succeed.
    pub fn must(&self, program: &str, arguments: &[&str], input: &str) -> Result<String> {
        let outcome = self.run(program, arguments, input)?;
        if outcome.code != 0 {
            let Outcome { code, stderr, .. } = outcome;
            let called = arguments.join(" ");
            let (said, given) = (beginning(&stderr), beginning(input));
            bail!(
                "{}: {program} {called} ended with {code}: {said}\n{given}",
                self.name
            );
        }
        Ok(outcome.stdout)
    }

    /// Runs a shell script to its end.
    pub fn shell(&self, script: &str) -> Result<Outcome> {
        self.run("sh", &["-c", script], "")
    }

    /// Runs lines of `ip` in one process; the first that fails ends them.
    pub fn ip(&self, lines: &[String]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        self.must("ip", &["-batch", "-"], &lines.join("\n"))?;
        Ok(())
    }

    /// Sets sysctls of the namespace, `net/ipv4/ip_forward` = `1`. One the kernel does not have
    /// (a module that is not loaded) is passed over.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.enter(|| {
            for (key, value) in settings {
                let path = format!("/proc/sys/{key}");
                match std::fs::write(&path, value) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        bail!("{}: writing {value} to {path}: {error}", self.name)
                    }
                    _ => {}
                }
            }
            Ok(())
        })?
    }
}

// === impl Outcome ===

impl Outcome {
    pub const fn success(&self) -> bool {
        self.code == 0
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// As much of a text as helps in an error.
fn beginning(text: &str) -> String {
    text.chars().take(1000).collect()
}

/// Runs a command to its end, feeding it `input` while its output is read.
fn feed(command: &mut Command, input: &str) -> Result<Outcome> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pipe = child.stdin.take();
    std::thread::scope(|scope| {
        if let Some(mut pipe) = pipe {
            // A program that ends without reading everything is judged by its exit code.
            scope.spawn(move || pipe.write_all(input.as_bytes()).ok());
        }
        Ok(child.wait_with_output()?.into())
    })
}

/// Runs `work` on a new thread and waits for it.
fn on_a_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(_) => bail!("a thread of the lab panicked"),
    })
}
