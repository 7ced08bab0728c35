//! Addresses, prefixes, ports and packets: the plain network words everything else is written in.
//!
//! No Kubernetes type appears here, so that the policy evaluator, the rule evaluator and the probe
//! share one vocabulary without sharing an API.

mod packet;
mod port;
mod prefix;

pub use netpath_protocol::{Family, Protocol, UnknownProtocol};
pub use packet::Packet;
pub use port::PortRange;
pub use prefix::{BadPrefix, parse_address, parse_prefix};
