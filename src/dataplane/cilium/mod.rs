//! Cilium: what the agent of a node answers, and what that makes of a packet.
//!
//! ```text
//!  service list        what the agent means            bpf lb list         what packets meet
//!  endpoint list       its pods, their identities,     bpf policy get      the verdict maps
//!                      the policy that is in force     bpf ipcache list    who an address is
//!  bpf metrics list    counters before and after       monitor             packets that were dropped
//! ```
//!
//! `service list` repeats the agent's own tables and stays right when a map is not, so the maps decide.

mod agent;
mod drops;
mod endpoints;
mod ipcache;
mod lb_map;
mod policy_map;
mod service_list;
mod status;

pub use agent::Agent;
pub use drops::{Counter, Drop, counters, drops, growth};
pub use endpoints::{Endpoint, endpoints};
pub use ipcache::{AddressBook, Owner, ipcache};
pub use lb_map::service_map;
pub use policy_map::{ByteOrder, PolicyMap, Side, Sight, policy_maps};
pub use service_list::{Meant, meant};
pub(in crate::dataplane) use status::replaces;
pub use status::{Status, status};
