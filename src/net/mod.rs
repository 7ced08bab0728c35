//! Addresses, prefixes, ports and packets: the plain network words everything else is written in.
//!
//! No Kubernetes type appears here, so that the policy evaluator, the rule evaluator and the probe
//! share one vocabulary without sharing an API.

mod family;
mod packet;
mod port;
mod prefix;

pub use family::Family;
pub use packet::Packet;
pub use port::{PortRange, Protocol, UnknownProtocol};
pub use prefix::{BadPrefix, parse_address, parse_prefix};
