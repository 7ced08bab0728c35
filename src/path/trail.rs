//! What a walk has gathered so far.

use k8s_openapi::api::core::v1::Service;

use super::{Backend, Break, Hop, Mode, Path, Status};
use crate::net::Family;
use crate::resolve::Site;

/// The hops and breaks of a walk on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail<'v> {
    /// The Service on the way, once one was met.
    pub service: Option<&'v Service>,
    pub hops: Vec<Hop>,
    pub breaks: Vec<Break<'v>>,
}

// === impl Trail ===

impl<'v> Trail<'v> {
    /// Adds a hop.
    pub(super) fn push(&mut self, hop: Hop) {
        self.hops.push(hop);
    }

    /// Adds a hop that stops traffic, with what was seen there.
    pub(super) fn stop(&mut self, hop: Hop, seen: Break<'v>) {
        self.hops.push(Hop {
            status: Status::Fail,
            ..hop
        });
        self.breaks.push(seen);
    }

    /// Adds a hop that traffic passes, but not as it should, with what was seen there.
    pub(super) fn warn(&mut self, hop: Hop, seen: Break<'v>) {
        self.hops.push(Hop {
            status: Status::Warn,
            ..hop
        });
        self.breaks.push(seen);
    }

    /// Adds a hop that leaves open whether traffic passes, with what was seen there.
    pub(super) fn doubt(&mut self, hop: Hop, seen: Break<'v>) {
        self.hops.push(Hop {
            status: Status::Unknown,
            ..hop
        });
        self.breaks.push(seen);
    }

    /// Closes the walk.
    pub(super) fn finish(
        mut self,
        sources: Vec<Site<'v>>,
        backends: Vec<Backend<'v>>,
        family: Option<Family>,
        mode: Mode,
    ) -> Path<'v> {
        self.hops.sort_by_key(|hop| hop.stage);
        Path {
            sources,
            backends,
            family,
            mode,
            service: self.service,
            hops: self.hops,
            breaks: self.breaks,
        }
    }
}
