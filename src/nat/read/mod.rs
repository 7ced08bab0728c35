//! Readers: the dumps of the ordinary tools to the neutral model.
//!
//! A construct that a reader does not know becomes a doubt in its rule; only text that is no dump at
//! all is an error.

pub mod ipset;
pub mod iptables;
pub mod ipvs;
mod ipvs_listing;
pub mod nft;

use super::model::Step;

pub use ipset::read_ipset;
pub use iptables::read_iptables;
pub use ipvs::read_ipvs;
pub use nft::read_nft;

/// Text that is no dump of the tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the output of `{tool}`: {message}")]
pub struct BadDump {
    /// The command whose output was expected.
    pub tool: &'static str,
    pub message: String,
}

/// Puts tests that can always be decided before those that may stay in doubt, between one action and
/// the next: all of them must hold, so their order is free.
fn order(steps: &mut [Step]) {
    let rank = |step: &Step| match step {
        Step::Test(_) => 0,
        Step::Lookup(_) => 1,
        Step::Chance(_) => 2,
        Step::Doubt(_) => 3,
        Step::Act(_) => 4,
    };
    for run in steps.split_mut(|step| matches!(step, Step::Act(_))) {
        run.sort_by_key(rank);
    }
}
