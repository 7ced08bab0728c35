//! The wires: namespaces, bridges, cables and addresses.
//!
//! ```text
//!            ┌───────────── fabric (bridge br0) ─────────────┐
//!            │          │                │                   │
//!           ext         cp             node1      …        nodeN
//!     outside host   API server       (cni0)               (cni0)
//!                                     │    │               │    │
//!                                    pod  pod             pod  pod
//! ```

mod cluster;
mod links;
mod node;
mod ns;
mod overlay;
mod plan;
mod pod;

pub use cluster::Wires;
pub use links::Links;
pub use node::{BRIDGE, host_rules};
pub use ns::{NAMES, Ns, Outcome};
pub use plan::{Host, Plan, Transport};
pub use pod::{PodWire, fingerprint, next_address};
