//! Running a command in a container.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::Stream;
use rustix::termios::Winsize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::Wish;
use super::channels::{Outgoing, exit_status, failure, next_input};
use crate::api::pods::Found;
use crate::runtime::{self, Command, Input, Stdio};
use crate::world::World;

/// How long output may still come after the command ended, from what it left behind.
const DRAIN: Duration = Duration::from_millis(500);

/// A command that was started.
struct Started {
    child: Child,
    /// Our end of its terminal, if it has one.
    terminal: Option<Arc<OwnedFd>>,
}

/// Runs the command until it ends or the client leaves.
pub async fn run(
    world: &Arc<World>,
    found: &Found,
    wish: &Wish,
    out: &Outgoing,
    mut source: impl Stream<Item = Result<Message, Error>> + Unpin,
) -> Value {
    let mut started = match start(world, found, wish).await {
        Ok(started) => started,
        Err(why) => {
            let why = format!("error executing command in container: {why:#}");
            return failure(&format!("Internal error occurred: {why}"));
        }
    };
    let mut pumps = JoinSet::new();
    let mut stdin = started.child.stdin.take();
    if let Some(terminal) = started.terminal.clone() {
        let out = out.clone();
        pumps.spawn(async move { pump_terminal(&terminal, &out).await });
    }
    if let Some(pipe) = started.child.stdout.take() {
        pumps.spawn(pump(pipe, 1, out.clone(), wish.stdout));
    }
    if let Some(pipe) = started.child.stderr.take() {
        pumps.spawn(pump(pipe, 2, out.clone(), wish.stderr));
    }
    let code = loop {
        tokio::select! {
            ended = started.child.wait() => break ended.map_or(255, code),
            input = next_input(&mut source) => {
                let Some(input) = input else {
                    let _ = started.child.start_kill();
                    break 137;
                };
                feed(input, &mut stdin, started.terminal.as_deref()).await;
            }
        }
    };
    let drained = async { while pumps.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(DRAIN, drained).await;
    exit_status(code)
}

async fn start(world: &Arc<World>, found: &Found, wish: &Wish) -> Result<Started> {
    let missing = || format!("container not found (\"{}\")", found.container);
    let (run, made) = (found.run.clone(), found.made.clone());
    let (run, made) = (run.with_context(missing)?, made.with_context(missing)?);
    let (world, command) = (world.clone(), wish.command.clone());
    let (tty, stdin, ephemeral) = (wish.tty, wish.stdin, found.ephemeral);
    let work = move || -> Result<Started> {
        let program = command.first().cloned().unwrap_or_default();
        if ephemeral && made.process.lock().is_none() {
            anyhow::bail!("container not running");
        }
        let first = made.process(&world, &run)?;
        let root = made.root(&world, &run)?;
        if !runtime::lookup(&root, &program) {
            anyhow::bail!(
                "failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: \
                 unable to start container process: exec: \"{program}\": executable file not found in $PATH"
            );
        }
        let command = Command {
            words: command,
            env: made.environment(&world, &run),
            folder: made.spec.working_dir.clone().unwrap_or_default(),
        };
        let (stdio, terminal) = if tty {
            let pty = nix::pty::openpty(None, None)?;
            (Stdio::Terminal(pty.slave), Some(Arc::new(pty.master)))
        } else {
            (Stdio::Pipes { stdin }, None)
        };
        let child =
            runtime::enter_container(first.pid, &command, &made.security, stdio, &world.runtime)?;
        Ok(Started { child, terminal })
    };
    tokio::task::spawn_blocking(work).await?
}

/// Sends a pipe's content to the client; what is not wanted is thrown away.
async fn pump(mut pipe: impl AsyncRead + Unpin, channel: u8, out: Outgoing, wanted: bool) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(length) = pipe.read(&mut buffer).await {
        if length == 0 || (wanted && !out.send(channel, &buffer[..length]).await) {
            return;
        }
    }
}

/// Sends what a terminal shows; its end shows as an error (EIO).
async fn pump_terminal(terminal: &OwnedFd, out: &Outgoing) {
    let Ok(copy) = terminal.try_clone() else {
        return;
    };
    let (sender, mut chunks) = tokio::sync::mpsc::channel::<Vec<u8>>(16);
    tokio::task::spawn_blocking(move || {
        let mut reader = File::from(copy);
        let mut buffer = [0; 4096];
        while let Ok(length) = reader.read(&mut buffer) {
            if length == 0 || sender.blocking_send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    while let Some(chunk) = chunks.recv().await {
        if !out.send(1, &chunk).await {
            return;
        }
    }
}

/// Gives the command its input. One that reads no more loses it.
async fn feed(input: Input, stdin: &mut Option<ChildStdin>, terminal: Option<&OwnedFd>) {
    match (input, terminal) {
        (Input::Bytes(bytes), Some(terminal)) => drop(rustix::io::write(terminal, &bytes)),
        (Input::End, Some(terminal)) => drop(rustix::io::write(terminal, &[4])),
        (Input::Size(columns, rows), Some(terminal)) => {
            let size = Winsize {
                ws_row: rows,
                ws_col: columns,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            let _ = rustix::termios::tcsetwinsize(terminal, size);
        }
        (Input::Bytes(bytes), None) => {
            if let Some(pipe) = stdin {
                let _ = pipe.write_all(&bytes).await;
            }
        }
        (Input::End, None) => *stdin = None,
        (Input::Size(..), None) => {}
    }
}

fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let signal = status.signal().map(|signal| 128 + signal);
    status.code().or(signal).unwrap_or(255)
}
