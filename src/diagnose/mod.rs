//! From what was seen to what it means: causes, whom to blame, how to repair it.
//!
//! ```text
//!  Walk { Path { hops, breaks } } ─► objects: the cause of a break that the API shows     ─► Finding
//!                                 ─► nodes: of one that facts of a node or a pod show
//!  Symptom                        ─► probes: of what a probe saw and nothing predicted
//!                                 ─► hints: what only a probe or a node can confirm
//!                                 ─► verdict over all paths
//! ```
//!
//! The folder of a cause is the evidence that shows it, its file the family of its code.
//!
//! The codes are those of [`crate::causes`] (`kubectl netpath explain CODE`).

mod case;
mod finding;
mod hints;
mod keeper;
pub(crate) mod kubectl;
mod nodes;
mod objects;
mod probes;
mod verdict;

pub(in crate::diagnose) use crate::path::Path;
pub use case::Case;
pub use finding::{Blame, Confidence, Finding, Fix, Severity};
pub(crate) use objects::notices;
pub use verdict::{Diagnosis, Verdict, diagnose};
