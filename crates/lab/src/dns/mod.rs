//! CoreDNS: answers for the cluster's zone from the objects, the rest as its Corefile says.
//!
//! ```text
//!  query ─► corefile (which block, which plugins) ─┬─► zone     names of Services and pods
//!                                                  ├─► hosts, template, rewrite
//!                                                  └─► forward  upstream, from the server's own namespace
//! ```

mod corefile;
mod forward;
mod index;
mod reverse;
mod server;
mod zone;

pub use corefile::Corefile;
pub use index::Source;
pub use server::{Resolver, start};
