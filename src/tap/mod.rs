//! From what taps saw to where a packet vanishes. Pure.
//!
//! ```text
//!  Tapped (points of every node) + Ends ─► journey: the points of one attempt, in the order of the path
//!                                       ─► End: complete, or the gap behind the last point
//!                                       ─► Located: what the attempts agree on
//!  Tapped                               ─► pcapng: the same packets, as a file
//! ```
//!
//! Clocks of two nodes are never compared: within a node time orders the points, between nodes the path does.
//! That a point was not seen counts where its tap was looking all the time ([`NodeTap::blind`]).
//!
//! [`NodeTap::blind`]: crate::observe::NodeTap::blind

mod journey;
mod locate;
mod pcapng;
mod words;

pub use journey::{Direction, Ends, Stop};
pub use locate::{End, Gap, Located, locate};
pub use pcapng::pcapng;
pub use words::rule as rule_words;
