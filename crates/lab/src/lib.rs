//! The lab: a cluster that is real where it matters (kernel, packets, rules, DNS, sockets, API wire
//! protocol) and needs no Kubernetes, no container runtime and no root.
//!
//! ```text
//!  crates/lab/scenarios/NAME ─► scenario ─► world: store ◄─► api (kubectl, netpath)
//!                                        │
//!                     controllers ◄──────┤
//!                  kubelet ─► runtime, servers, dns     in a namespace per pod
//!                  proxy, policy                        in a namespace per node
//!                                        │
//!                                     control ◄─ Lab (handle of a test or of the example)
//! ```
//!
//! A test starts one, skips visibly where namespaces are forbidden, and points kubectl or netpath at it;
//! it ends when the handle is dropped:
//!
//! ```ignore
//! let Some(lab) = Lab::start_or_skip(&Options::default()) else { return };   // about a second
//! let kubeconfig = lab.kubeconfig();                                         // a path, for KUBECONFIG
//! let outcome = lab.run("shop/client-1", "wget -qO- http://api:8080/hostname")?;
//! lab.ask(&control::Request::Fault { fault: Fault { status: Some(429), ..Fault::default() } })?;
//! ```
//!
//! Without a scenario it is the healthy world (`crates/lab/scenarios/world`): pods `shop/client-1`, `client-2`,
//! Deployments `web` and `api`, `data/db`, `mon/prober`, CoreDNS, two nodes. An image is a set of the host's
//! tools; `Options::images` maps a reference to one program, as the probe's own image needs.

// Only tests call this: they unwrap what fails, and use what is returned.
#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::new_without_default
)]

pub mod api;
pub mod control;
mod control_server;
mod controllers;
mod defaults;
mod dns;
mod hosts;
mod inject;
mod kubelet;
pub mod launch;
pub mod net;
mod options;
mod pki;
mod place;
mod policy;
pub mod proxy;
mod resolver;
mod runtime;
pub mod scenario;
mod servers;
pub mod store;
pub mod supervisor;
mod vips;
mod world;

pub use launch::{Lab, StartError};
pub use options::Options;
