//! How a name becomes an address, as one particular pod sees it.
//!
//! ```text
//!  dnsPolicy, dnsConfig ─► ResolvConf ─► expansions ─► Corefile (who answers) ─► zone (what it answers)
//!                                        (of the node's cache first)  ├► cluster_set (of several clusters)
//!                                                                     └► upstream (who is asked)
//! ```
//!
//! Whether the pod can reach the DNS servers at all is judged by the walk (`path::dns`); this module
//! only knows names.

mod cluster;
mod cluster_set;
mod corefile;
mod handler;
mod import;
mod lookup;
mod resolv_conf;
mod rewrite;
mod sanity;
mod upstream;
mod zone;

pub use cluster::{CUSTOM, ClusterDns, NODE_CACHE};
pub use cluster_set::{ZONE as CLUSTER_SET, import_of_name, is_name as is_of_cluster_set};
pub use corefile::{At, BadCorefile, Corefile, Plugin, ServerBlock};
pub use handler::{Handler, handler};
pub use lookup::{Attempt, Lookup, Reply, lookup};
pub use resolv_conf::{Origin, ResolvConf, is_cache};
pub use upstream::{knows_no_cluster, servers};
pub use zone::{Answer, NoName, answer, service_of_name};
