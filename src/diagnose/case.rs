//! What a diagnosis may look at.

use crate::cluster::ClusterView;
use crate::path::{Path, Walk};
use crate::resolve::Flow;

/// One question with everything that is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'c, 'v> {
    pub view: &'v ClusterView,
    pub flow: &'c Flow<'v>,
    pub walk: &'c Walk<'v>,
}

// === impl Case ===

impl<'c, 'v> Case<'c, 'v> {
    /// Every walk.
    pub fn paths(&self) -> impl Iterator<Item = &'c Path<'v>> + use<'c, 'v> {
        self.walk.paths.iter()
    }
}
