//! Getting a place to run: building the object is plain data, creating and waiting is separate.

mod claims;
mod debug_pod;
mod ephemeral;
mod existing;
mod own;
mod program;
mod refusal;
mod twin;
mod wait;

use crate::probe::gate::Gate;

pub use debug_pod::{DebugPod, NodeRights, create as create_debug_pod};
pub use ephemeral::{Ephemeral, OnStart, is_reusable, start as start_ephemeral};
pub use existing::{Existing, find as find_existing};
pub(super) use own::{is_own_container, is_own_pod};
pub use program::Program;
pub(crate) use refusal::refused;
pub use twin::create as create_twin;
pub(super) use wait::is_running;

/// What something is made for.
#[derive(Debug, Clone, Copy)]
pub struct Order<'r> {
    /// The run that may remove it.
    pub run: &'r str,
    /// After so long it ends by itself.
    pub seconds: u64,
    /// Through which it is created.
    pub gate: &'r Gate,
}
