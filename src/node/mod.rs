//! What a node or a pod holds, parsed, and what becomes of a packet there.
//!
//! ```text
//!  NodeFacts (raw text) ─► NodeState { rules, host, sysctls, neighbours, bridges, connections … }
//! ```

mod attachment;
mod objects;
mod setup;
mod state;

pub use attachment::{Attachment, Hanging};
pub(crate) use objects::recognise as recognise_objects;
pub use setup::proxy_setup;
pub use state::{Dump, NodeState, PodState, Unreadable};
