//! What is known of a cluster: one immutable struct, however it was read.
//!
//! ```text
//!  live (kube) ─┐
//!  snapshot     ├─► JSON objects ─► Builder ─► ClusterView { tables, facts, unread }
//!  tests        ┘
//! ```
//!
//! Everything after this module is a plain function over a [`ClusterView`].

pub mod access;
mod builder;
mod coverage;
pub mod endpoints;
mod facts;
pub mod gateway_api;
pub mod live;
mod mirror;
pub mod multicluster;
pub mod names;
mod object;
mod pod;
pub mod query;

pub mod scope;
mod selected;
mod selector;
pub mod snapshot;
mod table;
mod view;
mod workload;

pub use crate::resource::{Resource, Scope};
pub use builder::Builder;
pub use coverage::Coverage;
pub use facts::{Facts, NodeFacts, PodFacts};
pub use object::ObjectRef;
pub use pod::{Container, ContainerStatus, EnvVar, Pod, PodSpec, PodStatus, SecurityContext};
pub use selected::{resolve_port, selected};
pub use selector::{BadSelector, Operator, Requirement, Selector};
pub use table::{Named, Table};
pub use view::{ClusterView, Provenance, Rejected, Unread};
pub use workload::Workload;
