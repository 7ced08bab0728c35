//! Getting a place to run: building the object is plain data, creating and waiting is separate.

mod debug_pod;
mod ephemeral;
mod refusal;
mod wait;

pub use debug_pod::{DebugPod, create as create_debug_pod};
pub use ephemeral::{Ephemeral, is_reusable, start_idle, start_image};
pub(crate) use refusal::refused;
