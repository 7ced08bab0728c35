//! Suites: many paths with what is expected of each, for CI.
//!
//! ```text
//!  SUITE.yaml ─► Suite ─► one Check for every pair of ends ─► a path each ─► Outcome ─► report, exit code
//! ```

mod expect;
mod file;
pub mod job;
mod judge;
pub mod propose;
pub mod report;
mod shard;

pub use expect::{Blamed, Limits};
pub use file::{BadSuite, Check, Suite};
pub use judge::{Outcome, Tally, judge};
pub use shard::Shard;
