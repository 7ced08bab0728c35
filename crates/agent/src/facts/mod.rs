//! Facts in the form of a snapshot's folders: what ordinary tools would print here.
//!
//! ```text
//!  /proc · netlink · tools of the node ─► text ─► Post ─► Fact lines, long texts in parts
//! ```

mod links;
mod neighbours;
mod node;
mod pod;
mod post;
mod routes;
mod sockets;
mod sysctl;
mod tools;

use std::net::IpAddr;
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

pub(super) use links::Links;
pub(super) use post::Post;

/// Gathers the facts of the network namespace the agent is in.
pub(super) async fn pod(post: Post) {
    apart(move || pod::gather(&post)).await;
}

/// Gathers the facts of the node, and the connections of some addresses, or all.
pub(super) async fn node(post: Post, addresses: Vec<IpAddr>, deadline: Instant) {
    apart(move || node::gather(&post, &addresses, deadline)).await;
}

/// Runs slow work on a thread of its own: probes are being timed on this one, and some of the work
/// changes namespaces.
async fn apart(work: impl FnOnce() + Send + 'static) {
    let (done, ended) = oneshot::channel::<()>();
    let thread = thread::Builder::new().name("facts".to_owned());
    let started = thread.spawn(move || {
        work();
        drop(done);
    });
    if started.is_ok() {
        // The sender is dropped at the end, or by a panic: either is the end.
        let _ = ended.await;
    }
}
