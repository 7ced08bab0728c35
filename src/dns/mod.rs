//! How a name becomes an address, as one particular pod sees it.
//!
//! ```text
//!  dnsPolicy, dnsConfig ─► ResolvConf ─► expansions ─► Corefile (who answers) ─► zone (what it answers)
//! ```
//!
//! Whether the pod can reach the DNS servers at all is judged by the walk (`path::dns`); this module
//! only knows names.

mod cluster;
mod corefile;
mod handler;
mod lookup;
mod resolv_conf;
mod zone;

pub use cluster::ClusterDns;
pub use corefile::{BadCorefile, Corefile, Plugin, ServerBlock};
pub use handler::{Handler, handler};
pub use lookup::{Attempt, Lookup, Reply, lookup};
pub use resolv_conf::{Origin, ResolvConf, is_link_local};
pub use zone::{Answer, NoName, answer, service_of_name};
