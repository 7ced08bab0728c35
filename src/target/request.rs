//! The question itself.

use super::Target;
use crate::net::Protocol;

/// The question, as plain data.
#[derive(Debug, Clone)]
pub struct Request {
    pub source: Target,
    pub destination: Target,
    /// Where a source without a namespace lives.
    pub source_namespace: String,
    /// Where a destination without a namespace lives.
    pub destination_namespace: String,
    /// What was asked for; absent means what the destination offers, TCP before anything else.
    pub protocol: Option<Protocol>,
}
