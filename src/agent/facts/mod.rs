//! Facts in the form of a snapshot's folders: what ordinary tools would print here.
//!
//! ```text
//!  /proc · netlink · tools of the node ─► text ─► Post ─► Fact lines, long texts in parts
//! ```

mod pod;
mod post;
mod sockets;

pub(super) use pod::pod;
pub(super) use post::Post;
