//! Getting a place to run: building the object is plain data, creating and waiting is separate.

mod content;
mod debug_pod;
mod ephemeral;
mod existing;
mod refusal;
mod twin;
mod wait;

pub use content::Content;
pub use debug_pod::{DebugPod, create as create_debug_pod};
pub(super) use ephemeral::is_ours;
pub use ephemeral::{Ephemeral, OnStart, is_reusable, start_idle, start_image};
pub use existing::{Existing, find as find_existing};
pub(crate) use refusal::refused;
pub use twin::create as create_twin;
pub(super) use wait::is_running;
