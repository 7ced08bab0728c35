//! What a node or a pod holds, parsed, and what becomes of a packet there.
//!
//! ```text
//!  NodeFacts (raw text) ─► NodeState { rules, host, sysctls, neighbours, bridges, connections … }
//! ```

mod state;

pub use state::{NodeState, PodState, Unreadable};
