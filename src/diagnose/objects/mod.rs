//! Causes that objects of the API show: one file per family of codes.

pub(in crate::diagnose) mod beside;
pub(in crate::diagnose) mod dns;
pub(in crate::diagnose) mod dst;
pub(in crate::diagnose) mod ends;
pub(in crate::diagnose) mod eps;
mod eps_ready;
pub(in crate::diagnose) mod ext;
pub(in crate::diagnose) mod gateway;
pub(in crate::diagnose) mod ing;
pub(in crate::diagnose) mod mc;
pub(in crate::diagnose) mod mesh;
pub(in crate::diagnose) mod pol;
mod pol_cause;
mod pol_idle;
pub(in crate::diagnose) mod rte;
pub(in crate::diagnose) mod src;
pub(in crate::diagnose) mod svc;
mod svc_near;

pub(crate) use pol_idle::notices;
