//! What the API only hints at: a probe or a node has to confirm it. Told as a notice, never as found.
//!
//! ```text
//!  source     SRC-05 SRC-12                   outside   EXT-05 EXT-08 EXT-13 ING-05
//!  dns        DNS-05 DNS-10                   policy    POL-15 POL-18
//!  service    SVC-03 SVC-10 SVC-12            agents    KPX-01 DNS-17 RTE-04 RTE-29
//!  endpoints  SVC-08 SVC-16 EPS-02 EPS-09     underlay  RTE-09 RTE-10 RTE-17 RTE-18 RTE-33 EGR-01
//!             POL-22                             dataplane RTE-35 POL-16 RTE-04 RTE-29
//! ```

mod agents;
mod dataplane;
mod dns;
mod endpoints;
mod outside;
mod policy;
mod service;
mod source;
mod underlay;

use crate::causes::Code;
use crate::diagnose::{Case, Finding};
use crate::path::{Basis, Stage};

/// Every hint about the path.
pub(super) fn findings(case: &Case<'_, '_>) -> Vec<Finding> {
    // Manifests run nowhere: nothing in them can hint at what a cluster does.
    if case.view.is_planned() {
        return source::findings(case);
    }
    [
        source::findings,
        dns::findings,
        service::findings,
        endpoints::findings,
        outside::findings,
        policy::findings,
        agents::findings,
        dataplane::findings,
        underlay::findings,
    ]
    .iter()
    .flat_map(|hints| hints(case))
    .collect()
}

/// Something that could be, and that nothing proves.
fn hint(code: Code, stage: Stage, summary: impl Into<String>) -> Finding {
    Finding::new(code, stage, summary).notice().suspected()
}

/// Whether a probe has asked: then it has seen what could only be guessed at before.
fn is_probed(case: &Case<'_, '_>) -> bool {
    case.basis.contains(&Basis::Probe)
}
