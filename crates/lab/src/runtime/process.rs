//! A container's process while it runs and after.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use rustix::termios::Winsize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::logs::Log;

/// What goes to a process.
#[derive(Debug)]
pub enum Input {
    Bytes(Vec<u8>),
    /// Columns and rows of the terminal.
    Size(u16, u16),
    End,
}

/// A process, its output, and how it ended. Clones are the same process.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: u32,
    pub started: Timestamp,
    pub log: Log,
    input: mpsc::UnboundedSender<Input>,
    exit: watch::Receiver<Option<i32>>,
}

// === impl Process ===

impl Process {
    /// Takes charge of a child that writes to pipes.
    pub fn piped(mut child: Child, runtime: &Handle) -> Self {
        let log = Log::new();
        let (input, mut inputs) = mpsc::unbounded_channel();
        let (done, exit) = watch::channel(None);
        let pid = child.id().unwrap_or_default();
        let mut stdin = child.stdin.take();
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let out = log.clone();
        runtime.spawn(async move {
            while let Some(next) = inputs.recv().await {
                match (next, &mut stdin) {
                    // A process that no longer reads loses what it is sent.
                    (Input::Bytes(bytes), Some(pipe)) => drop(pipe.write_all(&bytes).await),
                    (Input::End, _) => stdin = None,
                    _ => {}
                }
            }
        });
        runtime.spawn(async move {
            let reading = async {
                tokio::join!(
                    drain(stdout.as_mut(), 1, &out),
                    drain(stderr.as_mut(), 2, &out)
                );
            };
            let waiting = async { child.wait().await };
            let ((), status) = tokio::join!(reading, waiting);
            out.close();
            let _ = done.send(Some(code(&status)));
        });
        Self {
            pid,
            started: Timestamp::now(),
            log,
            input,
            exit,
        }
    }

    /// Takes charge of a child on a terminal, whose other end this is.
    pub fn on_terminal(
        mut child: Child,
        master: std::os::fd::OwnedFd,
        runtime: &Handle,
    ) -> Result<Self> {
        let log = Log::new();
        let (input, mut inputs) = mpsc::unbounded_channel();
        let (done, exit) = watch::channel(None);
        let pid = child.id().unwrap_or_default();
        let master = Arc::new(master);
        let mut reader = std::fs::File::from(master.try_clone()?);
        let out = log.clone();
        let read = runtime.spawn_blocking(move || {
            let mut buffer = [0; 4096];
            // The end of a terminal shows as an error (EIO).
            while let Ok(length) = std::io::Read::read(&mut reader, &mut buffer) {
                if length == 0 {
                    break;
                }
                out.write(1, &buffer[..length]);
            }
        });
        runtime.spawn(async move {
            while let Some(next) = inputs.recv().await {
                match next {
                    Input::Bytes(bytes) => drop(rustix::io::write(&*master, &bytes)),
                    Input::Size(columns, rows) => {
                        let size = Winsize {
                            ws_row: rows,
                            ws_col: columns,
                            ws_xpixel: 0,
                            ws_ypixel: 0,
                        };
                        let _ = rustix::termios::tcsetwinsize(&*master, size);
                    }
                    // ^D, as a terminal says it.
                    Input::End => drop(rustix::io::write(&*master, &[4])),
                }
            }
        });
        let out = log.clone();
        runtime.spawn(async move {
            let status = child.wait().await;
            let _ = read.await;
            out.close();
            let _ = done.send(Some(code(&status)));
        });
        Ok(Self {
            pid,
            started: Timestamp::now(),
            log,
            input,
            exit,
        })
    }

    /// Sends input; to a process that is gone it is lost.
    pub fn send(&self, input: Input) {
        let _ = self.input.send(input);
    }

    /// The exit code, as a shell says it, once there is one.
    pub fn exit_code(&self) -> Option<i32> {
        *self.exit.borrow()
    }

    /// Waits for the end.
    pub async fn ended(&self) -> i32 {
        let mut exit = self.exit.clone();
        let code = exit
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|code| *code);
        code.unwrap_or(137)
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        if self.exit_code().is_none()
            && let Ok(pid) = i32::try_from(self.pid)
        {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
        }
    }
}

/// Reads a pipe to its end into the log.
async fn drain(pipe: Option<&mut (impl AsyncReadExt + Unpin)>, stream: u8, log: &Log) {
    let Some(pipe) = pipe else { return };
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length) = pipe.read(&mut buffer).await {
        if length == 0 {
            break;
        }
        log.write(stream, &buffer[..length]);
    }
}

fn code(status: &std::io::Result<std::process::ExitStatus>) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let Ok(status) = status else { return 255 };
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(255)
}
