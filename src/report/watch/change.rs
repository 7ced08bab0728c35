//! What is different from the round before.

use serde::Serialize;

use crate::diagnose::{Blame, Verdict};
use crate::path::Stage;

/// The kinds of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The first answer.
    Began,
    /// Another verdict than before.
    Verdict,
    /// A cause, or a backend, that was not broken before.
    Broke,
    /// A cause that is gone, or a backend that answers again.
    Healed,
    /// A backend that is new.
    Added,
    /// A backend that is gone.
    Removed,
    /// The cluster could not be asked.
    NotAsked,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub api_version: &'static str,
    /// `PathChange`.
    #[serde(rename = "kind")]
    pub document: &'static str,
    /// When the answer was complete (RFC 3339).
    pub at: String,
    /// Counted from 1.
    pub round: usize,
    pub change: Kind,
    pub summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Whether a probe measured the verdict.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub measured: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Where on the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Blame>,
    /// The backends that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<String>,
}

// === impl Change ===

impl Change {
    pub(super) fn new(at: &str, round: usize, change: Kind, summary: String) -> Self {
        Self {
            api_version: "netpath/v1",
            document: "PathChange",
            at: at.to_owned(),
            round,
            change,
            summary,
            verdict: None,
            measured: false,
            code: None,
            stage: None,
            object: None,
            backends: Vec::new(),
        }
    }
}
