//! kubelet, of all nodes at once: gives pods their network, their servers and processes, probes them,
//! and writes into their status what became of them.
//!
//! ```text
//!  Pod with nodeName ─► pod (start) ─┬─► net       cable and addresses
//!                                    ├─► servers   what is known to listen
//!                                    ├─► runtime   processes: everything else, exec, ephemeral containers
//!                                    └─► probe     readiness
//!                       status  ◄────┘
//! ```

mod container;
mod deadline;
mod dns_pod;
mod end;
mod environment;
mod ephemeral;
mod events;
#[expect(
    clippy::module_inception,
    reason = "one kubelet for the kubelets of all nodes"
)]
mod kubelet;
mod pod;
mod probe;
pub mod status;
mod volumes;

pub use container::ContainerRun;
pub use events::record;
pub use kubelet::Kubelet;
pub use pod::PodRun;
