//! The tables of a dataplane (Cilium's maps, OVN's load balancers …) joined to the path.
//!
//! ```text
//!  egress-policy    the policy map of the source's endpoint        policy
//!  nat              the Service table of the first node            service
//!  route            the tunnel, and both ends of it                way
//!  ingress-policy   the policy map of the destination's endpoint   policy
//! ```
//!
//! What a table holds decides over what policies and Services say it ought to hold: it is what packets meet.

mod ends;
mod identity;
mod policy;
mod service;
mod way;

pub(super) use policy::step as policy;
pub(super) use service::{is_served, step as service};
pub(super) use way::{answers, follow, tunnel_of};
