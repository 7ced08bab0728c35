//! Where the kernel sends a packet: local addresses, policy rules, tables, longest prefix.
//!
//! ```text
//!  links, routes, rules (facts) ─► Host ─► lookup(packet, from where) ─► Decision
//! ```
//!
//! A [`Host`] is one network namespace: a node or a pod. What is not known of it stays unknown:
//! every question has three answers.

mod decision;
mod host;
mod lookup;

pub use decision::{Decision, NoWay, Query};
pub use host::{AddressType, Host, Known};
pub use lookup::{Routing, Selected};
