//! The stages of a walk: each adds its hop to the trail, and knows nothing of what follows it.

pub(in crate::path) mod destination;
pub(in crate::path) mod dns;
mod dns_name;
mod dns_server;
pub(in crate::path) mod endpoints;
pub(in crate::path) mod group;
mod hosts;
pub(in crate::path) mod import;
pub(in crate::path) mod mesh;
pub(in crate::path) mod nodes;
pub(in crate::path) mod policy;
pub(in crate::path) mod remote;
pub(in crate::path) mod service;
pub(in crate::path) mod source;
