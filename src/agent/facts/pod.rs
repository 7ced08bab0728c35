//! The facts of the network namespace the agent is in.

use super::post::{Post, file};
use super::sockets;

type Gather = fn() -> Result<String, String>;

/// Gathers them all.
pub(in crate::agent) async fn pod(post: &Post<'_>) {
    let files: [(&str, Gather); 2] = [
        ("resolv.conf", || file("/etc/resolv.conf")),
        ("sockets.txt", sockets::listening),
    ];
    for (file, gather) in files {
        // Reading /proc takes its time, and probes are being timed on this thread.
        let text = tokio::task::spawn_blocking(gather).await;
        let text = text.unwrap_or_else(|error| Err(error.to_string()));
        post.send(file, text).await;
    }
}
