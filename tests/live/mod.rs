//! The program against an API server that counts, refuses, delays, cuts off and pages.
//!
//! ```text
//!  world (objects) ─► Stub (HTTP on loopback) ◄─ kubectl-netpath --server … ─► report, exit code
//!                       └─► log: who asked what, and in how many rounds
//! ```

mod bounds;
mod capture;
mod credentials;
mod odd;
mod refused;
mod signals;
mod skew;
pub mod stub;
mod transport;
mod world;

use std::process::{Command, Stdio};

use serde_json::Value;

/// What the program said.
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program against a server, with nothing of the environment but what is given.
pub fn ask(server: &str, words: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .args(words)
        .args(["--server", server])
        .env_clear()
        .env("KUBECONFIG", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    Said {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Asks for a path in namespace shop, as JSON.
pub fn path(server: &str, source: &str, destination: &str) -> (i32, Value) {
    let words = [
        source,
        destination,
        "-n",
        "shop",
        "--no-probe",
        "-o",
        "json",
    ];
    let said = ask(server, &words);
    assert_eq!(said.stderr, "", "{source} {destination}");
    let report = serde_json::from_str(&said.stdout).expect("a report");
    (said.code, report)
}
