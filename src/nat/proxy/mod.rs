//! kube-proxy: what it ought to have written, and what there is.
//!
//! ```text
//!  Services, EndpointSlices ─► entries (address:port) ─► expectation per origin ─┐
//!                                                                                ├─► differences
//!  rules of kube-proxy alone ─► the same packets walked ────────────────────────┘
//! ```
//!
//! Comparing what becomes of packets, not texts, holds for every mode and survives every change of
//! kube-proxy's way of writing rules.

mod drift;
mod entries;
mod expected;
mod footprint;
mod idle;
mod ipvs;
mod judge;
mod setup;
mod stale;

pub use drift::{
    Difference, DifferenceKind, Drift, compare, compare_entry, covered, is_local, without_routes,
};
pub use entries::{EntryKind, ProxyEntry, SliceIndex, entries, entries_of};
pub use expected::{Expected, Origin, OriginKind, expect};
pub use footprint::{Footprint, Layer, MissingJump};
pub use idle::targets as idle_targets;
pub use judge::differences;
pub use setup::{Detector, Mode, NodePortAddresses, ProxySetup};
