//! The API server: what netpath and kubectl use of Kubernetes' REST interface, over TLS.
//!
//! ```text
//!  listener ─► server (TLS, HTTP) ─► fault ─► identity (who) ─► rbac (may they) ─► handle
//!                                                                                   ├─► discovery, openapi, review
//!                                                                                   ├─► read, watch ─► form (JSON, Table, metadata)
//!                                                                                   ├─► write ─► patch, validate, podsecurity ─► store
//!                                                                                   └─► log, stream (exec, attach), node
//! ```
//!
//! Words and shapes are those of v1.36, as far as recordings of a real one show them.

mod body;
mod columns;
mod create;
mod delete;
mod discovery;
pub mod fault;
mod fields;
mod form;
mod handle;
mod identity;
mod kubeconfig;
mod log;
mod node;
mod openapi;
mod page;
mod patch;
mod pods;
mod podsecurity;
mod protobuf;
mod query;
mod rbac;
mod read;
mod refusal;
mod request;
mod respond;
mod review;
mod scale;
mod server;
mod stream;
mod table;
mod typed;
mod update;
mod validate;
mod watch;

pub use fault::{Fault, Faults};
pub use patch::merge;
pub use rbac::bootstrap;
pub use server::serve;
