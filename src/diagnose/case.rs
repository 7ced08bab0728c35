//! One question with everything that is known about it: what a diagnosis may look at.

use crate::cluster::{ClusterView, Unread};
use crate::confirm::{Confirmed, Symptom, confirm};
use crate::observe::Observations;
use crate::path::{Basis, Path, Walk, walk};
use crate::resolve::{Flow, Unresolved, resolve};
use crate::target::Request;
use crate::world::World;

/// One question, worked out.
#[derive(Debug)]
pub struct Case<'w, 'v> {
    pub world: &'w World<'v>,
    pub view: &'v ClusterView,
    pub flow: Flow<'v>,
    pub walk: Walk<'v>,
    /// What probes saw that nothing predicted.
    pub symptoms: Vec<Symptom<'v>>,
    /// What the answer rests on.
    pub basis: Vec<Basis>,
    /// Whether a probe was asked for and could not be had.
    pub lacks_probe: bool,
    /// What the probes that could not be had leave unknown.
    pub unheard: Vec<Unread>,
}

// === impl Case ===

impl<'w, 'v> Case<'w, 'v> {
    /// Resolves, walks and confirms. There is no other place where these meet, so that what is planned and what
    /// is reported cannot disagree.
    ///
    /// # Errors
    /// When an end of the question cannot be found in the view.
    pub fn of(
        world: &'w World<'v>,
        request: &Request,
        observations: &Observations,
    ) -> Result<Self, Unresolved> {
        let flow = resolve(world.view, request)?.knowing(observations.names());
        let confirmed = confirm(world, &flow, walk(world, &flow), observations);
        let basis = confirmed.basis();
        let Confirmed { walk, symptoms } = confirmed;
        Ok(Self {
            world,
            view: world.view,
            flow,
            walk,
            symptoms,
            lacks_probe: !observations.failed.is_empty() && !basis.contains(&Basis::Probe),
            unheard: observations
                .failed
                .iter()
                .map(|(vantage, error)| error.unread(vantage))
                .collect(),
            basis,
        })
    }

    /// Every walk.
    pub fn paths(&self) -> impl Iterator<Item = &Path<'v>> + Clone {
        self.walk.paths.iter()
    }
}
