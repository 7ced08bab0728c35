//! Getting a place to run: building the object is plain data, creating and waiting is separate.

mod debug_pod;
mod ephemeral;
mod existing;
mod program;
mod refusal;
mod twin;
mod wait;

pub use debug_pod::{DebugPod, create as create_debug_pod};
pub(super) use ephemeral::is_ours;
pub use ephemeral::{Ephemeral, OnStart, is_reusable, start as start_ephemeral};
pub use existing::{Existing, find as find_existing};
pub use program::Program;
pub(crate) use refusal::refused;
pub use twin::create as create_twin;
pub(super) use wait::is_running;
