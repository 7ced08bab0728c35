//! Prediction and observation, laid side by side.
//!
//! ```text
//!  Walk + Observations ─► split (backends that were seen to behave alike) ─► names · backends · proxy
//!                      ─► Confirmed { Walk with what was observed at each hop, Symptoms }
//! ```
//!
//! What was seen decides: a predicted break that traffic passes all the same is no break, and where
//! traffic stops although nothing predicted it, a [`Symptom`] says what was seen there.

mod backends;
mod inside;
mod names;
mod proxy;
mod speech;
mod split;
mod symptom;

use crate::observe::Observations;
use crate::path::{Basis, Stage, Status, Walk};
use crate::resolve::Flow;
use crate::world::World;

pub use inside::Inside;
pub use symptom::{BackendSymptom, NameSymptom, Others, Server, Symptom};

/// A walk with what was observed on it.
#[derive(Debug, Clone)]
pub struct Confirmed<'v> {
    pub walk: Walk<'v>,
    pub symptoms: Vec<Symptom<'v>>,
}

// === impl Confirmed ===

impl Confirmed<'_> {
    /// The kinds of evidence it all rests on. A probe counts where what it saw says something of the way: one that
    /// only resolved the name, or was heard from a node about something else, leaves the rest a prediction.
    #[must_use]
    pub fn basis(&self) -> Vec<Basis> {
        let mut hops = self.walk.paths.iter().flat_map(|path| &path.hops);
        let is_seen = hops.any(|hop| {
            let decides = hop.stage > Stage::Dns || hop.status != Status::Pass;
            hop.observed.is_some() && decides
        });
        let mut basis = self.walk.basis();
        basis.extend((is_seen || !self.symptoms.is_empty()).then_some(Basis::Probe));
        basis
    }
}

/// Lays observations over a walk.
#[must_use]
pub fn confirm<'v>(
    world: &World<'v>,
    flow: &Flow<'v>,
    walk: Walk<'v>,
    observations: &Observations,
) -> Confirmed<'v> {
    let mut confirmed = Confirmed {
        walk: split::by_sight(walk, observations),
        symptoms: Vec::new(),
    };
    if observations.is_empty() {
        return confirmed;
    }
    names::confirm(&mut confirmed, world, flow, observations);
    backends::confirm(&mut confirmed, world, observations);
    speech::confirm(&mut confirmed, observations);
    proxy::confirm(&mut confirmed, world.view, observations);
    confirmed
}
