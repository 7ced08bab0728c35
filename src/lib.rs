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

pub mod causes;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod confirm;
pub mod demo;
pub mod diagnose;
pub mod dns;
pub mod duration;
pub mod error;
pub mod exit;
pub mod facts;
pub mod log;
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
pub mod suite;
pub mod target;
pub mod terminal;
pub mod text;
pub mod world;
