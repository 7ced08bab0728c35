//! What a diagnosis may look at.

use crate::cluster::ClusterView;
use crate::confirm::Symptom;
use crate::path::{Basis, Path, Walk};
use crate::resolve::Flow;

/// One question with everything that is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'c, 'v> {
    pub view: &'v ClusterView,
    pub flow: &'c Flow<'v>,
    pub walk: &'c Walk<'v>,
    /// What probes saw that nothing predicted.
    pub symptoms: &'c [Symptom<'v>],
    /// What the walk rests on.
    pub basis: &'c [Basis],
}

// === impl Case ===

impl<'c, 'v> Case<'c, 'v> {
    /// Every walk.
    pub fn paths(&self) -> impl Iterator<Item = &'c Path<'v>> + Clone + use<'c, 'v> {
        self.walk.paths.iter()
    }
}
