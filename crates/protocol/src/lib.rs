//! What the plugin asks an agent, and what the agent answers.
//!
//! ```text
//!  plugin --Plan (argument or environment)--> agent
//!  agent  --Hello, Observation…, Fact…, Done--> plugin     one JSON object a line on stdout
//! ```
//!
//! Beside the messages stand the two words of the network that they are written in: [`Family`] and
//! [`Protocol`]. Nothing here knows Kubernetes, and nothing here does anything.

mod family;
mod message;
mod transport;

pub use family::Family;
pub use message::*;
pub use transport::{Protocol, UnknownProtocol};
