//! Short ways to the fields of Kubernetes objects that the walk asks for, one file per kind.
//!
//! The generated types wrap every field in an `Option`; these traits say once what an absent field
//! means (`k8s.io/api` documents the defaults).

mod ingress;
mod node;
mod pod;
mod service;
mod slice;

pub use ingress::host_matches;
pub use node::{NodeExt, ZONE};
pub use pod::Waiting;
pub use service::{ServiceExt, ServiceKind, ServicePortExt, target_port};
pub use slice::{EndpointExt, MANAGED_BY, MIRRORED, SERVICE_NAME, SliceExt};
