//! What the user typed for SRC and DST, parsed but not yet looked up.
//!
//! ```text
//!  NAME               a pod; a bare IP; a name with a dot is a DNS name unless a pod has it
//!  KIND/NAME          NAMESPACE/KIND/NAME
//!  ip/ADDR            dns/NAME        scheme://HOST[:PORT][/PATH]
//!  external[/ADDR]    and :PORT (a number or a name) behind any of them
//! ```

mod grammar;
mod kind;
mod request;

use std::fmt;
use std::net::IpAddr;

pub use grammar::BadTarget;
pub use kind::Kind;
pub use request::{HttpAsked, Request};

/// One end of the question, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub spec: Spec,
    pub port: Option<PortSpec>,
    /// What a URL adds.
    pub url: Option<Url>,
}

/// What kind of end it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// A name without a kind: a pod, or a DNS name if it has a dot and no pod has it.
    Bare(String),
    Object {
        kind: Kind,
        namespace: Option<String>,
        name: String,
    },
    Address(IpAddr),
    /// A name to be looked up in the DNS.
    Name(String),
    /// A client or host outside the cluster, by address if that matters.
    External(Option<IpAddr>),
}

/// A port by number or by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PortSpec {
    Number(u16),
    Name(String),
}

/// The parts of a URL that matter beyond host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub scheme: String,
    pub path: String,
}

// === impl PortSpec ===

impl fmt::Display for PortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}
