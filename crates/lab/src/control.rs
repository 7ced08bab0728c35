//! Talking to a running lab: one JSON line there, one back, over a socket in its `/run/lab`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::api::Fault;
use super::net::Outcome;
use super::scenario::Injection;

/// The socket's name.
pub const SOCKET: &str = "control.sock";

/// What a lab can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// Run a shell script at a place; in both, `@(…)` stands for what the cluster knows.
    Run { place: String, script: String },
    /// Break the cluster.
    Inject { list: Vec<Injection> },
    /// Break the API server a little more.
    Fault { fault: Fault },
    /// Mend the API server, and let it forget what it was asked.
    NoFaults,
    /// What the API server was asked since then.
    Calls,
    /// Forget the past: older watches and continue tokens expire.
    Compact,
    /// End the lab.
    Down,
}

/// What it says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    Ran {
        code: i32,
        stdout: String,
        stderr: String,
    },
    /// Requests in their order, as `GET /version`.
    Called(Vec<String>),
    Done,
    Failed(String),
}

// === impl Answer ===

impl Answer {
    pub fn into_outcome(self) -> Result<Outcome> {
        match self {
            Self::Ran {
                code,
                stdout,
                stderr,
            } => Ok(Outcome {
                code,
                stdout,
                stderr,
            }),
            Self::Called(_) | Self::Done => bail!("the lab ran nothing"),
            Self::Failed(why) => bail!("{why}"),
        }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        let Outcome {
            code,
            stdout,
            stderr,
        } = outcome;
        Self::Ran {
            code,
            stdout,
            stderr,
        }
    }
}

/// Asks the lab whose socket this is.
pub fn ask(socket: &Path, request: &Request) -> Result<Answer> {
    let mut stream =
        UnixStream::connect(socket).with_context(|| format!("asking {}", socket.display()))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    match serde_json::from_str(&answer).context("the lab ended while it was asked")? {
        Answer::Failed(why) => bail!("{why}"),
        answer => Ok(answer),
    }
}
