//! Dataplanes that carry Services and policies where no rule dump shows them: in BPF maps, or in flows of
//! Open vSwitch.
//!
//! ```text
//!  objects of the API ───────────────────► Installed: who is there, and what it replaces
//!  nodes/NODE/{cilium,calico,ovn,…}/… ───► Tables: what its agent says it has programmed
//!        Services ─► ServiceTable ─► drift against Services and EndpointSlices
//!        endpoints, policy maps, identities ─► the verdict as it is enforced
//! ```
//!
//! Every reader takes what an agent's own command printed. What it does not understand is an error of that
//! one file, never a table with holes: versions that answer otherwise leave things unknown.

mod answer;
pub mod calico;
pub mod cilium;
mod drift;
pub mod eks;
mod installed;
pub mod ovn;
mod services;
mod tables;

pub use answer::BadAnswer;
pub use drift::{compare, differences, redirected};
pub use installed::{Installed, Replaces, cilium_config, installed};
pub use services::{Frontend, ServiceTable, Slot};
pub use tables::Tables;
