//! What the nodes really do with packets: rules read from any backend into one model, and a packet
//! walked through it.
//!
//! ```text
//!  iptables-save ─┐
//!  nft -j         ├─ read ─► Ruleset (model) ─► eval(packet, Host) ─► outcomes with probability,
//!  ipset, ipvsadm ┘                                                   masquerade and rule trail
//! ```

pub mod chain_names;
pub mod dataplane;
pub mod eval;
pub mod model;
pub mod owner;
pub mod proxy;
pub mod read;
