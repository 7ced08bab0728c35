//! Network policies: what they say about one flow, and why.
//!
//! ```text
//!  ClusterView ─► dialect::* ─► Policies { Stack of Tiers of Policies of Rules }   neutral model
//!  ClusterView ─► Ends ─► End ┐
//!                             ├─► Question ─► judge ─► Judgement { egress, ingress }
//!                        End ─┘                          verdict, deciding rules, near misses, fix
//! ```
//!
//! Every verdict is three-valued. A flow is judged as the enforcing node sees it: after the
//! destination was translated (pod port, not Service port) and, for ingress, after the source was.

mod alike;
mod ask;
mod bulk;
mod dialect;
mod ends;
mod eval;
mod explain;
mod fix;
mod formula;
mod lint;
pub mod matrix;
mod model;
mod named;
mod peers;
mod policies;
mod stack;
mod truth;
mod why;
mod words;

pub use alike::Group;
pub use ask::{PolicyQuestion, Unaskable, ask};
pub use bulk::{Answer, Bulk, Line};
pub use dialect::Problem;
pub use ends::{End, Ends, Labelled, NAMESPACE_NAME, NamedPort, PodTraits, SERVICE_ACCOUNT_NAME};
pub use eval::{DirectionJudgement, Judgement, PolicyVerdict, Question, Reason, Unpoliced};
pub use explain::{Cause, LabelMiss, LeafMiss, PeerMiss, PortMiss, PortMissKind, RuleMiss, Split};
pub use fix::{Closing, Fix};
pub use formula::{Anchor, Context, Domain, Families, Formula, Part};
pub use lint::{Idle, Lint, Linter, lint};
pub use matrix::{Class, Matrix, PortSet, UnitMatrix};
pub use model::{
    Action, Direction, Peers, Policy, PolicyRef, Port, PortNumber, Ports, Rule, RuleRef, Section,
    Stack, Tier,
};
pub use named::UnknownEnd;
pub use policies::Policies;
pub use truth::{Doubt, Truth};
