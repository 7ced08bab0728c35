//! Starting a lab and holding on to it.
//!
//! ```text
//!  test or `lab up`                 unshare -Urmnpiu --fork
//!  ┌──────────────┐  TcpListener    ┌───────────────────────┐
//!  │ Lab::start   ├────────────────►│ this program again,   │  pid 1: when it ends, the
//!  │              │◄──── ready ─────┤ as the supervisor     │  kernel ends everything
//!  │ Lab (handle) ├──── life ──────►│                       │
//!  └──────────────┘  (end of file = it ends itself)         │
//!         └── control: /proc/PID/root/run/lab/control.sock ─┘
//! ```
//!
//! The API's listening socket is opened here, outside, and handed in: it belongs to the network
//! namespace it was opened in, so kubectl reaches it on the ordinary loopback.

use std::io::{BufRead, BufReader, IoSlice};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::{Deserialize, Serialize};

use super::control;
use super::options::Options;
use super::proxy::Backend;
use super::scenario::{Injection, Scenario};

/// The variable by which the supervisor knows that it is one.
pub const ROLE: &str = "NETPATH_LAB";
/// The ignored test by which a test binary becomes a supervisor: it calls [`crate::supervisor::run_if_told`].
pub const SUPERVISOR: &str = "supervisor_of_a_lab";

/// Where the supervisor keeps its files, in a `/run` of its own.
pub const HOME: &str = "/run/lab";

/// A running lab. It ends when this is dropped.
#[derive(Debug)]
pub struct Lab {
    child: Child,
    ready: Ready,
    /// The lab ends when this end of the pair closes, however that happens.
    life: Option<UnixStream>,
}

/// What the supervisor says when the cluster is up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ready {
    /// The supervisor's process id as seen from outside.
    pub pid: u32,
    /// Where the API answers, on 127.0.0.1.
    pub port: u16,
    /// Why there is no lab, if there is none.
    pub error: Option<String>,
}

/// Why a lab did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This system does not let this user make namespaces, or lacks a tool.
    #[error("no lab here: {0}")]
    Unavailable(String),
    #[error("the lab did not start: {0:#}")]
    Failed(anyhow::Error),
}

// === impl Lab ===

impl Lab {
    /// Starts a lab and waits until its cluster is up.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        let settings = Scenario::load(options)
            .map_err(StartError::Failed)?
            .settings;
        probe(settings.iptables.unwrap_or_default())?;
        launch(options).map_err(StartError::Failed)
    }

    /// Starts a lab, or says visibly that this test skips.
    pub fn start_or_skip(options: &Options) -> Option<Self> {
        match Self::start(options) {
            Ok(lab) => Some(lab),
            Err(StartError::Unavailable(why)) => {
                eprintln!("SKIPPED: no lab here: {why}");
                None
            }
            Err(StartError::Failed(error)) => panic!("the lab did not start: {error:#}"),
        }
    }

    pub const fn pid(&self) -> u32 {
        self.ready.pid
    }

    pub const fn port(&self) -> u16 {
        self.ready.port
    }

    /// The administrator's kubeconfig. The file lives and ends with the lab.
    pub fn kubeconfig(&self) -> PathBuf {
        self.ready.kubeconfig()
    }

    /// Runs a shell script at a place of the lab: `node1`, `ext`, `cp`, `fabric`, `shop/client-1`.
    pub fn run(&self, place: &str, script: &str) -> Result<super::net::Outcome> {
        let request = control::Request::Run {
            place: place.to_owned(),
            script: script.to_owned(),
        };
        self.ask(&request)?.into_outcome()
    }

    /// Breaks it as a scenario does.
    pub fn inject(&self, list: &[Injection]) -> Result<()> {
        let list = list.to_vec();
        self.ask(&control::Request::Inject { list }).map(drop)
    }

    /// Asks the supervisor.
    pub fn ask(&self, request: &control::Request) -> Result<control::Answer> {
        self.ready.ask(request)
    }

    /// Lets go of a detached lab: it runs on.
    pub fn detach(mut self) -> Ready {
        self.life = None;
        self.ready.clone()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.life.take().is_some() {
            // The supervisor sees the end of the pair and ends; its parent `unshare` follows.
            let _ = self.child.wait();
        }
    }
}

// === impl Ready ===

impl Ready {
    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        inside(self.pid, "kubeconfig")
    }

    /// Asks the supervisor.
    pub fn ask(&self, request: &control::Request) -> Result<control::Answer> {
        control::ask(&inside(self.pid, control::SOCKET), request)
    }
}

/// A path of the supervisor's own `/run/lab`, from outside.
pub fn inside(pid: u32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/root{HOME}/{name}"))
}

/// Whether namespaces can be made here, and the tools are there.
fn probe(backend: Backend) -> Result<(), StartError> {
    let iptables = [false, true].map(|ipv6| backend.program(ipv6, ""));
    let [first, second] = &iptables;
    let tools = ["ip", "bridge", "nft", first, second, "sysctl"];
    let unavailable = |why: String| StartError::Unavailable(why);
    for tool in tools.iter().chain(&["nsenter", "setpriv"]) {
        if find(tool).is_none() {
            let packages = "iproute2 nftables iptables procps util-linux";
            return Err(unavailable(format!(
                "`{tool}` is missing (Debian: apt install {packages})"
            )));
        }
    }
    let mut try_out = Command::new("unshare");
    // The tools of iptables-legacy may be there while newer kernels lack its tables.
    let script = format!(
        "mount -t proc proc /proc && mount -t tmpfs tmpfs /run && {first} -t nat -S >/dev/null"
    );
    try_out
        .args(NAMESPACES)
        .args(["sh", "-c", &script])
        .env("PATH", path());
    let output = try_out
        .output()
        .map_err(|error| unavailable(format!("`unshare`: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() {
        return Ok(());
    }
    if said.starts_with("iptables") {
        return Err(unavailable(format!(
            "this kernel has no tables for it: {said}"
        )));
    }
    Err(unavailable(format!(
        "this system does not let this user make namespaces ({said})"
    )))
}

/// All but the cgroup and time namespaces. Whoever starts it is root inside.
const NAMESPACES: [&str; 9] = [
    "--user",
    "--map-root-user",
    "--mount",
    "--net",
    "--pid",
    "--ipc",
    "--uts",
    "--fork",
    "--kill-child",
];

/// The path of a program. The system's own come first: administrators' programs may be outside a
/// plain user's PATH, and what else is on the PATH may be of no use in a container.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let system = [
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
        "/usr/local/sbin",
        "/usr/local/bin",
    ];
    let mut folders = system.into_iter().chain(path.split(':'));
    folders
        .find_map(|folder| Some(PathBuf::from(folder).join(program)).filter(|file| file.is_file()))
}

/// The PATH of this user, and where administrators' programs are.
fn path() -> String {
    let own = std::env::var("PATH").unwrap_or_default();
    format!("{own}:/usr/local/sbin:/usr/sbin:/sbin")
}

fn launch(options: &Options) -> Result<Lab> {
    let (life, inner) = UnixStream::pair()?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    // A lab of its own must not end with the terminal it was started from.
    let detached = options.detached.is_some();
    let program = std::env::current_exe()?;
    let mut command = Command::new(if detached { "setsid" } else { "unshare" });
    command
        .args(detached.then_some("unshare"))
        .args(NAMESPACES)
        .arg("--")
        .arg(&program)
        .args(role_arguments(&program))
        .env(ROLE, serde_json::to_string(options)?)
        .env("PATH", path())
        .stdin(Stdio::from(OwnedFd::from(inner)))
        .stdout(Stdio::null());
    if let Some(folder) = &options.detached {
        let log = std::fs::File::create(folder.join("log"))?;
        command.stderr(log);
    }
    let child = command.spawn().context("starting `unshare`")?;
    hand_over(&life, &listener)?;
    let mut line = String::new();
    BufReader::new(&life).read_line(&mut line)?;
    let mut ready: Ready =
        serde_json::from_str(&line).context("the supervisor ended before it was ready")?;
    ready.port = port;
    let lab = Lab {
        child,
        life: Some(life),
        ready,
    };
    match &lab.ready.error {
        Some(error) => anyhow::bail!("{error}"),
        None => Ok(lab),
    }
}

/// Sends the listening socket along the pair.
fn hand_over(pair: &UnixStream, listener: &TcpListener) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let sockets = [listener.as_fd()];
    control.push(SendAncillaryMessage::ScmRights(&sockets));
    rustix::net::sendmsg(
        pair,
        &[IoSlice::new(b"L")],
        &mut control,
        SendFlags::empty(),
    )?;
    Ok(())
}

/// How this program is called to be the supervisor. A test binary, which cargo puts into `deps`, runs its
/// ignored test of that name; any other program looks at the variable first.
fn role_arguments(program: &Path) -> Vec<String> {
    let folder = program.parent().and_then(Path::file_name);
    if folder.is_some_and(|folder| folder == "deps") {
        let words = [
            SUPERVISOR,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ];
        words.map(str::to_owned).to_vec()
    } else {
        Vec::new()
    }
}
