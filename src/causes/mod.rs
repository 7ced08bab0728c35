//! The registry of causes: a typed code for each, and one readable file per family that says what
//! it means.
//!
//! ```text
//!  code.rs  Code::SVC_01 ─┐
//!  SVC.md   ## SVC-01 …  ─┴─► Cause ─► title of a finding · `explain` · kubectl-netpath-causes(7)
//! ```
//!
//! An entry of a family's file has this form; a test holds every entry to it:
//!
//! ```text
//!  ## CODE title
//!  Visible in: API objects, node state, a probe, hints  (where the diagnosis raises it)
//!  ### What you see · Why it happens · How netpath tells it apart · How to fix it · Read more
//! ```
//!
//! `Visible in: nothing yet` marks a cause that can be looked up and that nothing recognizes so far.

mod code;
mod entry;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub use code::Code;
pub use entry::{Block, Cause, Family, Section};

/// The families, in the order a packet meets them.
const FILES: [&str; 13] = [
    include_str!("SRC.md"),
    include_str!("DNS.md"),
    include_str!("SVC.md"),
    include_str!("EPS.md"),
    include_str!("KPX.md"),
    include_str!("EXT.md"),
    include_str!("ING.md"),
    include_str!("POL.md"),
    include_str!("RTE.md"),
    include_str!("DST.md"),
    include_str!("EGR.md"),
    include_str!("MC.md"),
    include_str!("MESH.md"),
];

/// Every family with its causes.
#[must_use]
pub fn families() -> &'static [Family] {
    static ALL: OnceLock<Vec<Family>> = OnceLock::new();
    ALL.get_or_init(|| FILES.iter().copied().map(Family::read).collect())
}

/// Every cause, by family and number.
pub fn causes() -> impl Iterator<Item = &'static Cause> {
    families().iter().flat_map(|family| &family.causes)
}

/// What is written about a code.
#[must_use]
pub fn cause(code: Code) -> Option<&'static Cause> {
    causes().find(|cause| cause.code == code)
}
