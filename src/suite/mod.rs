//! Suites: many paths with what is expected of each, for CI.
//!
//! ```text
//!  SUITE.yaml ─► Suite ─► one Check for every pair of ends ─► a path each ─► Outcome ─► report, exit code
//! ```

mod expect;
mod file;
mod judge;
pub mod report;

pub use expect::{Blamed, Limits};
pub use file::{BadSuite, Check, Suite};
pub use judge::{Outcome, Tally, judge};
