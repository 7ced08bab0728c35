//! What is wrong with a listener.

use crate::cluster::ObjectRef;

/// Why a listener serves nothing, or less than it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotTrouble {
    /// Another listener has the port for another protocol, or the same host.
    Conflict {
        with: String,
        reason: &'static str,
    },
    UnsupportedProtocol(String),
    /// A kind of route that the protocol cannot carry; and whether others remain.
    Kinds {
        kind: String,
        protocol: String,
        has_others: bool,
    },
    /// A certificate, or the authority of clients' certificates, that cannot be used.
    Reference {
        what: &'static str,
        to: ObjectRef,
        why: ReferenceTrouble,
    },
    /// It terminates TLS, and no certificate is set.
    NoCertificate,
    /// The controller says so, and nothing that was read says why.
    Status {
        condition: String,
        reason: String,
        message: String,
    },
}

/// Why a reference leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceTrouble {
    /// No ReferenceGrant permits it.
    NotPermitted,
    Missing,
    /// It is there, and not in the form that is needed.
    Malformed,
    /// A kind that cannot be used here.
    Kind,
}

// === impl SlotTrouble ===

impl SlotTrouble {
    /// The reason, as conditions name it.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Conflict { reason, .. } => reason,
            Self::UnsupportedProtocol(_) => "UnsupportedProtocol",
            Self::Kinds { .. } => "InvalidRouteKinds",
            Self::Reference {
                why: ReferenceTrouble::NotPermitted,
                ..
            } => "RefNotPermitted",
            Self::Reference {
                what: "certificate",
                ..
            }
            | Self::NoCertificate => "InvalidCertificateRef",
            Self::Reference { .. } => "InvalidCACertificateRef",
            Self::Status { reason, .. } => reason,
        }
    }

    /// What is wrong, in a few words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Conflict {
                with,
                reason: "ProtocolConflict",
            } => {
                format!("its port is taken for another protocol by listener {with}")
            }
            Self::Conflict { with, .. } => {
                format!("its port and host name are taken by listener {with}")
            }
            Self::UnsupportedProtocol(protocol) => format!("no protocol {protocol} exists"),
            Self::Kinds { kind, protocol, .. } => {
                format!("a listener for {protocol} does not support {kind}")
            }
            Self::Reference { what, to, why } => format!("its {what} {to} {}", why.words()),
            Self::NoCertificate => "it terminates TLS, and no certificate is set".to_owned(),
            Self::Status {
                reason, message, ..
            } if message.is_empty() => reason.clone(),
            Self::Status {
                reason, message, ..
            } => format!("{reason}: {message}"),
        }
    }
}

// === impl ReferenceTrouble ===

impl ReferenceTrouble {
    /// What is wrong, to follow the name of the reference.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotPermitted => "is in another namespace, and no ReferenceGrant permits it",
            Self::Missing => "does not exist",
            Self::Malformed => "has no data in PEM format",
            Self::Kind => "is of a kind that is not supported here",
        }
    }
}
