//! The agent on networks that are broken on purpose.

pub mod ground;
mod packets;
mod reach;
mod servers;

/// The program under test.
const PROGRAM: &str = env!("NETPATH_AGENT");
