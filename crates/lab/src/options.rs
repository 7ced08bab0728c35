//! What a lab is started with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::net::{Links, Transport};
use super::proxy::{Backend, Mode};

/// Everything a lab can be told. The scenario's own wishes come first, then these.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Options {
    /// A scenario folder or a file of objects; without one, the healthy world.
    pub scenario: Option<PathBuf>,
    pub proxy: Option<Mode>,
    pub iptables: Option<Backend>,
    pub transport: Option<Transport>,
    /// IPv6 beside IPv4, where the scenario has IPv4 alone.
    pub dual: bool,
    /// MTUs of single links.
    pub mtu: Links,
    /// Images that hold one program of this machine each, with the words of their entry point: first
    /// the program's path.
    pub images: BTreeMap<String, Vec<String>>,
    /// Injections to leave out, by name; `*` leaves out all.
    pub without: Vec<String>,
    /// Go on when the process that started the lab ends. The folder is for what others need to find
    /// the lab, and goes with it.
    pub detached: Option<PathBuf>,
}
