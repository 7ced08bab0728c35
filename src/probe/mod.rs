//! Probing: ask the real source pod, then find the hop.

pub mod protocol;
