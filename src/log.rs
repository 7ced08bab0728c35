//! What a user who reports a problem can show: `-v`, `-vv` or `NETPATH_LOG`, on standard error.
//!
//! Requests are logged by method, path, status and time; headers and bodies, which may hold secrets, never are.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::uptime;

/// The variable that takes a filter of the crate `tracing-subscriber`, such as `netpath=trace`.
pub const VARIABLE: &str = "NETPATH_LOG";

/// Starts logging: what `-v` asks for, else what the variable says, else nothing. A second call changes nothing.
///
/// `-v` tells requests, refusals and rounds; `-vv` every question and answer, and what kube says.
pub fn init(verbosity: u8) {
    let asked = match verbosity {
        0 => std::env::var(VARIABLE).ok(),
        1 => Some("netpath=debug".to_owned()),
        _ => Some("netpath=trace,kube=debug,kube_client=debug".to_owned()),
    };
    let Some(asked) = asked.filter(|filter| !filter.is_empty()) else {
        return;
    };
    // Somebody else may log already, in a test.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(asked))
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_timer(uptime())
        .with_target(false)
        .try_init();
}
