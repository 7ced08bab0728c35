//! What a node or a pod holds, parsed, and what becomes of a packet there.
//!
//! ```text
//!  NodeFacts (raw text) ─► NodeState { rules, host, sysctls, neighbours, bridges, connections … }
//! ```

mod setup;
mod state;

pub use setup::proxy_setup;
pub use state::{NodeState, PodState, Unreadable};
