//! The Gateway API as its specification reads: pure functions over the objects of a view.
//!
//! ```text
//!  Gateway + ListenerSets ─► listener  (who may listen, conflicts, protocols, certificates)
//!                         ─► programmed (its class, parameters, certificate, status)
//!  Route + ParentRef      ─► attach    (kinds, namespaces, host names, port, section; and what the status says)
//!  BackendRef             ─► backend   (does it exist, is it permitted: grant)
//!  request + routes       ─► matching  (which rule takes it)
//! ```
//!
//! Conditions of a status count only where the Gateway's own controller wrote them, for the generation
//! that the object has now.

pub mod attach;
pub mod backend;
pub mod class;
pub mod grant;
pub mod hostname;
pub mod listener;
pub mod matching;
pub mod programmed;
pub mod request;

pub use attach::{Attachment, Refusal, attachments};
pub use backend::{BackendTrouble, Target, target};
pub use class::{ClassState, class_of};
pub use listener::{Slot, SlotTrouble, slots};
pub use request::HttpRequest;
