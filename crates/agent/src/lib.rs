//! The agent: answers a plan from where it runs.
//!
//! ```text
//!  Order ─► hello · connect · udp · dns · http · tls · echo · mtu · trace · facts
//!                  side by side on one thread          │ Line
//!                                                      ▼ bounded channel
//!                                            run: one line of JSON at a time
//! ```
//!
//! It takes little memory, needs no right that it does not find, resolves no name (a static C library
//! cannot), and ends by its own deadline: what was found until then is reported.

// Everything waits on one thread.
#![allow(clippy::future_not_send)]

mod attempts;
mod certificate;
mod connect;
mod datagram;
mod diag;
mod dns;
mod echo;
mod engine;
mod facts;
mod failure;
mod hello;
mod hex;
mod http;
mod mtu;
mod netlink;
mod order;
mod socket;
mod tls;
mod trace;
mod udp;

pub use engine::run;
pub use order::Order;

/// Microseconds since `started`.
fn micros(started: std::time::Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}
