//! From what was seen to what it means: causes, whom to blame, how to repair it.
//!
//! ```text
//!  Walk { Path { hops, breaks } } ─► one file per family names the cause of a break ─► Finding
//!                                 ─► beside: what is wrong on the path without breaking it
//!                                 ─► hints: what only a probe or a node can confirm
//!                                 ─► verdict over all paths
//! ```
//!
//! The codes are those of the catalogue (`kubectl netpath explain CODE`).

mod beside;
mod case;
mod catalogue;
mod dns;
mod dst;
mod ends;
mod eps;
mod eps_ready;
mod ext;
mod finding;
mod hints;
mod ing;
pub(crate) mod kubectl;
mod measured;
mod node;
mod pol;
mod pol_cause;
mod pol_idle;
mod rte;
mod src;
mod svc;
mod svc_near;
mod verdict;

pub(in crate::diagnose) use crate::path::Path;
pub use case::Case;
pub use catalogue::{Cause, FAMILIES, catalogue, cause};
pub use finding::{Blame, Confidence, Finding, Fix, Severity};
pub(crate) use pol_idle::notices;
pub use verdict::{Diagnosis, Verdict, diagnose};
