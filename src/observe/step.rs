//! How deep to look, and what is asked of one place.

use netpath_protocol::Task;

use super::Vantage;

/// How deep to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What the API says.
    Api,
    /// What the pods' own namespaces say, too.
    Probe,
    /// What the nodes say, too.
    Deep,
}

// === impl Depth ===

impl Depth {
    /// What two flags say.
    #[must_use]
    pub const fn of(no_probe: bool, deep: bool) -> Self {
        match (no_probe, deep) {
            (true, _) => Self::Api,
            (false, true) => Self::Deep,
            (false, false) => Self::Probe,
        }
    }
}

/// Questions for one vantage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub vantage: Vantage,
    pub tasks: Vec<Task>,
    /// Whether another pod can answer in its place: for where traffic starts, one on the same node with
    /// the same labels; for where it ends, none.
    pub takes_twin: bool,
}
