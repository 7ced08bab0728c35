//! The program in the lab while the lab's API server fails. What it says of networks that are broken is data:
//! `scenarios/lab`.
//!
//! With `NETPATH_STATIC` naming a static program (see README, "Install"), that one is uploaded instead.

mod ask;
mod interference;
mod repeat;
