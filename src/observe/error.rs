//! Why a probe could not be made.

use super::Vantage;
use crate::cluster::Unread;

/// Why a probe could not be made. Never an answer about the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The API server said no: rights, admission, quota, a pod that takes no such container.
    #[error("{what}: {why}")]
    Refused {
        what: String,
        why: String,
        /// The grant or step that would help.
        grant: String,
    },
    /// The container was accepted and does not start.
    #[error("{what} does not start: {why}")]
    NotStarted { what: String, why: String },
    /// The agent could not be brought there, or did not answer.
    #[error("{what}: {why}")]
    Transport { what: String, why: String },
    /// Nothing was to be created (`--confirm`).
    #[error("creating it was declined")]
    Declined,
    /// The program itself cannot be used as the agent there.
    #[error("{why}")]
    Binary { why: String, hint: String },
}

// === impl ProbeError ===

impl ProbeError {
    /// What stays unknown because of it, and what would help.
    #[must_use]
    pub fn unread(&self, vantage: &Vantage) -> Unread {
        let grant = match self {
            Self::Refused { grant, .. } if !grant.is_empty() => grant.clone(),
            Self::Binary { hint, .. } => hint.clone(),
            Self::Declined => "a yes, or --no-probe for a prediction".to_owned(),
            _ => "to be tried again, or --no-probe".to_owned(),
        };
        Unread {
            what: format!("probe in {vantage}"),
            why: self.to_string(),
            grant,
            resource: None,
            namespace: String::new(),
        }
    }

    /// The same, and why the second best way did not work either.
    #[must_use]
    pub fn and(self, second: &Self) -> Self {
        match self {
            Self::Refused { what, why, grant } => {
                let other = match second {
                    Self::Refused { grant, .. } => grant.as_str(),
                    _ => "",
                };
                let grants = [grant.as_str(), other];
                let grants: Vec<&str> = grants.into_iter().filter(|one| !one.is_empty()).collect();
                Self::Refused {
                    what,
                    why: format!("{why}; {second}"),
                    grant: grants.join(", or "),
                }
            }
            other => other,
        }
    }
}
