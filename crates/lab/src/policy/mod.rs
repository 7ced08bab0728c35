//! The NetworkPolicy engine: real rules on every node, after DNAT, one chain per pod and direction.
//!
//! ```text
//!  forward ─► established? accept ─► source pod isolated? jump egress chain ─► destination pod isolated? jump ingress chain
//!  input   ─►                        source pod isolated? jump egress chain      (pods to their own node)
//! ```
//!
//! A chain returns for what some policy admits and drops the rest. Packets a node sends to its own
//! pods meet no chain: the resident node is always let in.

mod engine;
mod peers;
mod rules;

pub use engine::Engine;
