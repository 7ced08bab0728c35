//! The lab: a cluster that is real where it matters (kernel, packets, rules, DNS, sockets, API wire
//! protocol) and needs no Kubernetes, no container runtime and no root.

// Two programs are built from this folder, the integration tests and the example, and each uses a part.
#![allow(dead_code, unused_imports)]

pub mod control;
mod control_server;
mod controllers;
mod defaults;
mod dns;
mod hosts;
mod kubelet;
mod launch;
pub mod net;
mod options;
mod pki;
mod place;
mod policy;
pub mod proxy;
mod resolver;
mod runtime;
mod scenario;
mod servers;
pub mod store;
pub mod supervisor;
mod vips;
mod world;

pub use launch::{Lab, StartError};
pub use options::Options;
