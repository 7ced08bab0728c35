//! What is asked of a place in the cluster, and what was seen there: the words that planning, probing and
//! diagnosing share.

mod error;
mod observations;
mod step;
mod vantage;

pub use error::ProbeError;
pub use observations::{Attempts, Observations, Seen, time};
pub use step::{Depth, Step};
pub use vantage::Vantage;
