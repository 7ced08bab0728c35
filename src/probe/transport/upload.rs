//! Upload: the program is streamed over exec into a container that only sleeps, and run there.

use futures::future::join3;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, AttachParams, AttachedProcess};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Transport, read_lines};
use crate::observe::ProbeError;
use crate::probe::binary::Binary;
use crate::probe::launch::refused;
use netpath_protocol::{Line, Plan};

/// A container that the agent is uploaded to.
pub struct Upload {
    pub client: Client,
    pub namespace: String,
    pub pod: String,
    pub container: String,
    pub binary: Binary,
}

/// Streams are simplex pipes of this size between the websocket and us.
const BUFFER: usize = 256 * 1024;

// === impl Upload ===

impl Upload {
    /// The place the agent has in the container: its size tells versions apart well enough.
    fn path(&self) -> String {
        format!(
            "/tmp/netpath-{}-{}",
            env!("CARGO_PKG_VERSION"),
            self.binary.bytes.len()
        )
    }

    fn what(&self) -> String {
        format!(
            "exec in container {} of pod {}/{}",
            self.container, self.namespace, self.pod
        )
    }

    /// Uploads the agent unless it is there, whole.
    ///
    /// # Errors
    /// When exec is refused, or the stream breaks.
    pub async fn send(&self) -> Result<(), ProbeError> {
        self.upload("").await
    }

    /// The same to somebody else's container, where it deletes itself after some time, whatever becomes
    /// of us.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_for(&self, seconds: u64) -> Result<(), ProbeError> {
        let path = self.path();
        let janitor =
            format!("(sleep {seconds}; rm -f {path} {path}.part) >/dev/null 2>&1 </dev/null &");
        self.upload(&janitor).await
    }

    async fn upload(&self, janitor: &str) -> Result<(), ProbeError> {
        let path = self.path();
        let size = self.binary.bytes.len();
        // `head -c` ends by itself, where an old server cannot close stdin alone (v4 of the channel
        // protocol). The rename makes a half-finished upload invisible.
        let script = format!(
            "[ -x {path} ] && echo there && exit 0; {janitor} echo send; head -c {size} >{path}.part && chmod 755 {path}.part && mv {path}.part {path} && echo sent"
        );
        let mut process = self.exec(&["sh", "-c", &script], true).await?;
        let (Some(mut stdin), Some(mut stdout)) = (process.stdin(), process.stdout()) else {
            return Err(self.broken("the exec stream has no stdin"));
        };
        let mut answer = String::new();
        let mut chunk = [0; 64];
        while !answer.contains('\n') {
            match stdout.read(&mut chunk).await {
                Ok(0) | Err(_) => break,
                Ok(read) => answer.push_str(&String::from_utf8_lossy(&chunk[..read])),
            }
        }
        if answer.starts_with("send") {
            let written = stdin.write_all(&self.binary.bytes).await;
            written.map_err(|error| self.broken(&error.to_string()))?;
            let _ = stdin.flush().await;
            let read = stdout.read_to_string(&mut answer).await;
            read.map_err(|error| self.broken(&error.to_string()))?;
        }
        if answer.contains("there") || answer.contains("sent") {
            return Ok(());
        }
        let mut complaint = String::new();
        if let Some(mut stderr) = process.stderr() {
            let _ = stderr.read_to_string(&mut complaint).await;
        }
        let why = if complaint.is_empty() {
            answer
        } else {
            complaint
        };
        Err(self.broken(&format!("the upload failed: {}", why.trim())))
    }

    /// Deletes the agent again, as well as it goes.
    pub async fn remove(&self) {
        if let Ok(process) = self.exec(&["rm", "-f", &self.path()], false).await {
            let _ = process.join().await;
        }
    }

    async fn exec(&self, command: &[&str], stdin: bool) -> Result<AttachedProcess, ProbeError> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let parameters = AttachParams {
            container: Some(self.container.clone()),
            stdin,
            stdout: true,
            stderr: true,
            max_stdin_buf_size: Some(BUFFER),
            max_stdout_buf_size: Some(BUFFER),
            max_stderr_buf_size: Some(BUFFER),
            ..AttachParams::default()
        };
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        let grant = format!("get,create pods/exec in {}", self.namespace);
        let started = api.exec(&self.pod, command, &parameters).await;
        started.map_err(|error| refused(&self.what(), &grant, &error))
    }

    fn broken(&self, why: &str) -> ProbeError {
        ProbeError::Transport {
            what: self.what(),
            why: why.to_owned(),
        }
    }
}

impl Transport for Upload {
    async fn run(&self, plan: &Plan) -> Result<Vec<Line>, ProbeError> {
        let plan = serde_json::to_string(plan).map_err(|error| self.broken(&error.to_string()))?;
        let path = self.path();
        let mut process = self.exec(&[&path, "--plan", &plan], false).await?;
        let (mut output, mut complaint) = (Vec::new(), Vec::new());
        let (stdout, stderr) = (process.stdout(), process.stderr());
        let status = process.take_status();
        // Both streams must be drained before the status comes.
        let reading_out = async {
            if let Some(mut stdout) = stdout {
                let _ = stdout.read_to_end(&mut output).await;
            }
        };
        let reading_err = async {
            if let Some(mut stderr) = stderr {
                let _ = stderr.read_to_end(&mut complaint).await;
            }
        };
        let waiting = async {
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        let ((), (), status) = join3(reading_out, reading_err, waiting).await;
        let mut complaint = String::from_utf8_lossy(&complaint).into_owned();
        if let Some(status) = status.filter(|status| status.status.as_deref() == Some("Failure")) {
            complaint.push_str(status.message.as_deref().unwrap_or_default());
        }
        read_lines(&self.what(), &String::from_utf8_lossy(&output), &complaint)
    }
}
