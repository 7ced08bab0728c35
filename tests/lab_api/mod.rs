//! The lab's API server: against recordings of a real one, and in what tests rely on.

pub mod client;
mod compare;
mod exchanges;
mod faults;
mod life;

use tokio::runtime::Runtime;

/// For tests that wait for answers.
pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}
