//! The container runtime: processes in the right namespaces, as the user and with the capabilities
//! the pod asks for, in a small root of their own.
//!
//! ```text
//!  image (which tools) ─► root (folders) ─┐
//!  securityContext ─► security ───────────┼─► spawn: a thread enters network, mount, UTS, IPC and PID
//!  volumes ───────────────────────────────┘          namespaces, pivots into the root and starts
//! ```
//!
//! No image is ever pulled: known names stand for sets of the host's own tools.

mod image;
mod logs;
mod process;
mod root;
mod security;
mod spawn;

pub use image::{Image, Images};
pub use logs::{Log, LogEntry};
pub use process::{Input, Process};
pub use root::{Mount, Root, inside_host, lookup};
pub use security::{Security, security};
pub use spawn::{Command, Pids, Stdio, Where, enter_container, start_container};
