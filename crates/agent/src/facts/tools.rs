//! The node's own tools, for rules that only they can print.
//!
//! ```text
//!  mount namespace of process 1 (a pod that sees the node's processes), else our own
//!     └► iptables-save, nft, ipset, conntrack ─► parts of a fact, as they come
//! ```

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use nix::sched::{CloneFlags, setns, unshare};

use super::post::{PART, Post};

/// Where distributions keep their tools.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:/run/current-system/sw/bin:/opt/bin";

/// A command with its arguments.
pub(super) type Tool = &'static [&'static str];

/// Runs tools where they are. It changes the mount namespace of the thread it lives on.
pub(super) struct Toolbox {
    /// The node's and our own, where the node's can be entered.
    places: Option<(File, File)>,
    deadline: Instant,
}

/// Why a tool printed nothing.
enum Failed {
    /// There is no such tool.
    Absent,
    Other(String),
}

// === impl Toolbox ===

impl Toolbox {
    /// Tools until a deadline; what still runs then is ended.
    pub(super) fn new(deadline: Instant) -> Self {
        Self {
            places: node(),
            deadline,
        }
    }

    /// Sends what the first tool that exists prints, the node's before our own.
    pub(super) fn send(
        &self,
        post: &Post,
        file: &str,
        tools: &[Tool],
        keep: impl Fn(&str) -> bool,
    ) {
        let mut why = None;
        let places: &[bool] = if self.places.is_some() {
            &[true, false]
        } else {
            &[false]
        };
        for on_node in places {
            for tool in tools {
                match self.run(tool, *on_node, &mut |part| post.text(file, &part, &keep)) {
                    Ok(()) => return,
                    Err(Failed::Absent) => {}
                    Err(Failed::Other(error)) => {
                        why = Some(error);
                    }
                }
            }
        }
        let absent = || {
            let names: Vec<&str> = tools
                .iter()
                .filter_map(|tool| tool.first().copied())
                .collect();
            format!("there is no {} here", names.join(" or "))
        };
        post.missing(file, why.unwrap_or_else(absent));
    }

    /// Sends what a tool of the node prints, and nothing where the node has no such tool: few do.
    pub(super) fn send_if_any(&self, post: &Post, file: &str, tool: Tool) {
        let mut parts = Vec::new();
        let on_node = self.places.is_some();
        if self
            .run(tool, on_node, &mut |part| parts.push(part))
            .is_ok()
        {
            post.send(file, Ok(parts.concat()));
        }
    }

    fn run(&self, tool: Tool, on_node: bool, out: &mut dyn FnMut(String)) -> Result<(), Failed> {
        let other = |error: std::io::Error| Failed::Other(format!("{}: {error}", tool.join(" ")));
        let mut child = self
            .start(tool, on_node)
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => Failed::Absent,
                _ => other(error),
            })?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let child = Arc::new(Mutex::new(child));
        let (done, ended) = channel::<()>();
        let watched = Arc::clone(&child);
        let deadline = self.deadline;
        let watch = thread::spawn(move || {
            let patience = deadline.saturating_duration_since(Instant::now());
            if ended.recv_timeout(patience) == Err(RecvTimeoutError::Timeout)
                && let Ok(mut child) = watched.lock()
            {
                let _ = child.kill();
            }
        });
        if let Some(stdout) = stdout {
            parts(stdout, out).map_err(other)?;
        }
        let mut complaint = String::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.read_to_string(&mut complaint);
        }
        drop(done);
        let _ = watch.join();
        let status = wait(&child).map_err(other)?;
        if status {
            return Ok(());
        }
        let said = complaint.lines().next().unwrap_or("it failed");
        Err(Failed::Other(format!("{}: {said}", tool.join(" "))))
    }

    /// A child inherits the mount namespace that the thread is in when it is started.
    fn start(&self, tool: Tool, on_node: bool) -> std::io::Result<Child> {
        let (name, arguments) = tool.split_first().ok_or(ErrorKind::InvalidInput)?;
        let mut command = Command::new(name);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let Some((node, own)) = self.places.as_ref().filter(|_| on_node) else {
            return command.spawn();
        };
        setns(node, CloneFlags::CLONE_NEWNS)?;
        let child = command.spawn();
        setns(own, CloneFlags::CLONE_NEWNS)?;
        child
    }
}

/// The mount namespaces of the first process and our own, if they differ and the first can be entered:
/// so they do in a pod that shares the node's processes, with `SYS_ADMIN` and `SYS_PTRACE`.
fn node() -> Option<(File, File)> {
    let link = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/mnt"));
    let (theirs, ours) = (link("1").ok()?, link("self").ok()?);
    if theirs == ours {
        return None;
    }
    let node = File::open("/proc/1/ns/mnt").ok()?;
    let own = File::open("/proc/self/ns/mnt").ok()?;
    // A mount namespace cannot be left while the root folder is shared with other threads.
    unshare(CloneFlags::CLONE_FS).ok()?;
    setns(&node, CloneFlags::CLONE_NEWNS).ok()?;
    setns(&own, CloneFlags::CLONE_NEWNS).ok()?;
    Some((node, own))
}

/// Hands out text in parts, cut between lines.
fn parts(mut from: impl Read, out: &mut dyn FnMut(String)) -> std::io::Result<()> {
    let mut held: Vec<u8> = Vec::with_capacity(2 * PART);
    let mut room = vec![0; PART];
    loop {
        let length = from.read(&mut room)?;
        held.extend_from_slice(&room[..length]);
        let cut = if length == 0 {
            held.len()
        } else {
            held.iter()
                .rposition(|&byte| byte == b'\n')
                .map_or(0, |end| end + 1)
        };
        if length == 0 || cut >= PART / 2 || held.len() >= PART {
            // One line of JSON may be longer than a part; it is then cut between characters.
            let cut = if cut == 0 { boundary(&held) } else { cut };
            let rest = held.split_off(cut);
            if !held.is_empty() {
                out(String::from_utf8_lossy(&held).into_owned());
            }
            held = rest;
        }
        if length == 0 {
            return Ok(());
        }
    }
}

/// The end of the last whole UTF-8 character.
const fn boundary(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    }
}

fn wait(child: &Mutex<Child>) -> std::io::Result<bool> {
    let mut child = child.lock().map_err(|_| ErrorKind::Other)?;
    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, step: usize) -> Vec<String> {
        struct Slow<'a>(&'a [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
                let length = self.1.min(self.0.len()).min(room.len());
                room[..length].copy_from_slice(&self.0[..length]);
                self.0 = &self.0[length..];
                Ok(length)
            }
        }
        let mut all = Vec::new();
        parts(Slow(text.as_bytes(), step), &mut |part| all.push(part)).unwrap();
        all
    }

    #[test]
    fn nothing_is_lost_between_parts() {
        let lines = "-A X -j Y \u{fc}\n".repeat(20_000);
        for step in [1_000, 70_000] {
            let all = cut(&lines, step);
            assert!(all.len() > 2);
            assert!(all[..all.len() - 1].iter().all(|part| part.ends_with('\n')));
            assert_eq!(all.concat(), lines);
        }
        let one_line = "\u{fc}".repeat(200_000);
        assert_eq!(cut(&one_line, 4_097).concat(), one_line);
        assert_eq!(cut("", 9), [] as [&str; 0]);
    }
}
