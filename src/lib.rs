//! netpath: does traffic from a source reach a destination in a Kubernetes cluster, and if not, at
//! which hop does it break, which object is to blame, how do we know, and what fixes it?
//!
//! ```text
//!  cluster (live | snapshot) ─► ClusterView ─► World ─► Case { resolve ─► path ─► confirm }
//!          async edge           plain data       │        │
//!                                                │        ├─► plan ─► probe ─► observations and facts
//!                                                │        │            async edge      │
//!                                                ▲        └─► diagnose ─► report       │
//!                                                └─────────────────────────────────────┘
//! ```
//!
//! A snapshot, examined as the program does it:
//!
//! ```
//! use netpath::{cluster::snapshot, commands::examine, observe::Observations, target::Request, world::World};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let view = snapshot::load("tests/scenarios/recorded/ok-pod-to-service".as_ref())?;
//! let request = Request {
//!     source: "pod/client-1".parse()?,
//!     destination: "svc/api".parse()?,
//!     source_namespace: "shop".to_owned(),
//!     destination_namespace: "shop".to_owned(),
//!     protocol: None,
//!     http: Default::default(),
//! };
//! let report = examine(&World::of(&view), &request, &Observations::default())?;
//! assert_eq!(format!("{:?}", report.verdict), "Reachable");
//! # Ok(())
//! # }
//! ```

pub mod causes;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod confirm;
pub mod dataplane;
pub mod demo;
pub mod diagnose;
pub mod dns;
pub mod duration;
pub mod error;
pub mod exit;
pub mod facts;
pub mod gateway;
pub mod log;
pub mod mesh;
pub mod nat;
pub mod net;
pub mod node;
pub mod observe;
pub mod path;
pub mod plan;
pub mod policy;
pub mod probe;
pub mod report;
pub mod resolve;
pub mod resource;
pub mod route;
pub mod shell;
pub mod suite;
pub mod sweep;
pub mod tap;
pub mod target;
pub mod terminal;
pub mod text;
pub mod visible;
pub mod world;
