//! What a walk has gathered so far.

use super::{Backend, Break, Hop, Mode, Path, Stage, Status};
use crate::net::Family;
use crate::resolve::Site;

/// The hops and breaks of a walk on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Trail<'v> {
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

    /// Adds a hop that leaves open whether traffic passes, with what was seen there.
    pub(super) fn doubt(&mut self, hop: Hop, seen: Break<'v>) {
        self.hops.push(Hop {
            status: Status::Unknown,
            ..hop
        });
        self.breaks.push(seen);
    }

    /// Closes the walk: what lies behind the first failing hop is not reached.
    pub(super) fn finish(
        mut self,
        sources: Vec<Site<'v>>,
        backends: Vec<Backend<'v>>,
        family: Option<Family>,
        mode: Mode,
    ) -> Path<'v> {
        self.hops.sort_by_key(|hop| hop.stage);
        let failing = self.hops.iter().position(|hop| hop.status == Status::Fail);
        if let Some(position) = failing {
            for hop in &mut self.hops[position + 1..] {
                hop.status = Status::NotReached;
            }
        }
        let last = self.hops.last().map(|hop| hop.stage);
        if failing.is_some() && last < Some(Stage::Destination) {
            self.hops.push(Hop::new(
                Stage::Destination,
                Status::NotReached,
                "not reached",
            ));
        }
        Path {
            sources,
            backends,
            family,
            mode,
            hops: self.hops,
            breaks: self.breaks,
        }
    }
}
