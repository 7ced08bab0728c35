//! Stage `gateway`: doors into the cluster, who serves them, and where their routes lead.
//!
//! ```text
//!  URL ─► url (which door takes it) ─► rule (the route's rule, filters, backends by weight)
//!  Gateway ─► gateway (class, listeners) ─► front (client ─► Service or node ─► proxies, by plane)
//!  Route ─► route (attached to which listeners) ─► rule ─► backends, with the proxies as source
//! ```

mod backend_tls;
pub(super) mod front;
mod gateway;
pub(super) mod ingress_rule;
pub(super) mod plane;
pub(super) mod products;
mod route;
mod rule;
mod url;

pub(super) use gateway::{to_gateway, to_listener_set};
pub(super) use route::to_route;
pub(super) use url::{AskedUrl, nobody, to_url};
