//! What listens in pods: small servers on sockets that belong to the pod's network namespace, all
//! served by the supervisor.

mod open;
mod pages;
mod serve;
mod site;
mod spec;
mod udp;

pub use open::{Running, start};
pub use spec::{Kind, Server, http, of_container, parse_list};

/// Who answers.
#[derive(Debug, Clone)]
pub struct Identity {
    pub namespace: String,
    pub pod: String,
}
