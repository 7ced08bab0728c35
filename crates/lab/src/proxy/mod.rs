//! kube-proxy: the rules of v1.36 for the Services and EndpointSlices at hand, in its own format.
//!
//! ```text
//!  Services, EndpointSlices ─► service ─► endpoints ─┬─► iptables ─► iptables-restore
//!        (objects)             (ports)    (who may)  └─► nftables ─► nft -f
//! ```

mod agent;
mod config;
mod endpoints;
mod iptables;
mod iptables_service;
mod names;
mod nfacct;
mod nftables;
mod nftables_service;
mod pieces;
mod service;

pub use agent::{Agent, State};
pub use config::{Backend, Config, Mode, WAYS};
pub use iptables::restore_input;
pub use nftables::ruleset;
pub use service::{Port, ports};
