//! What an answer does not rest on: what could not be read, and what was not understood.

use std::io::{self, Write};

use serde::Serialize;

use super::Style;
use super::model::Rejection;
use crate::cluster::{ClusterView, ObjectRef, Unread};
use crate::policy::Policies;

/// The gaps in what is known about policies (fields are only ever added).
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Gaps {
    /// Parts of policies that cannot be read as they are meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_understood: Vec<NotUnderstood>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// Objects that were read and not understood.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejection>,
}

/// A part of a policy that cannot be read.
#[derive(Debug, Clone, Serialize)]
pub struct NotUnderstood {
    pub object: ObjectRef,
    pub field: String,
    pub why: String,
}

// === impl Gaps ===

impl Gaps {
    /// Those of a view, with what of the unread matters to the answer.
    #[must_use]
    pub fn of(view: &ClusterView, policies: &Policies, matters: impl Fn(&Unread) -> bool) -> Self {
        let rejected = view.rejected.iter().map(|rejected| Rejection {
            object: rejected.object.to_string(),
            why: rejected.why.clone(),
        });
        let not_understood = policies.problems().iter().map(|problem| NotUnderstood {
            object: problem.policy.object(),
            field: problem.field.clone(),
            why: problem.why.clone(),
        });
        let unread = view.unread.iter().filter(|unread| matters(unread));
        Self {
            not_understood: not_understood.collect(),
            unread: unread.cloned().collect(),
            rejected: rejected.collect(),
        }
    }

    /// A line for each, behind an empty one; of many only the first.
    pub(super) fn print(&self, style: Style, out: &mut dyn Write) -> io::Result<()> {
        const SHOWN: usize = 5;
        let mut lines = Vec::new();
        for part in self.not_understood.iter().take(SHOWN) {
            let (object, field, why) = (&part.object, &part.field, &part.why);
            lines.push(format!("not understood: {object} {field}: {why}"));
        }
        for rejected in self.rejected.iter().take(SHOWN) {
            lines.push(format!(
                "not understood: {}: {}",
                rejected.object, rejected.why
            ));
        }
        let more = self.not_understood.len().saturating_sub(SHOWN)
            + self.rejected.len().saturating_sub(SHOWN);
        if more > 0 {
            lines.push(format!("not understood: {more} more"));
        }
        for unread in &self.unread {
            let (what, why, grant) = (&unread.what, &unread.why, &unread.grant);
            lines.push(format!("not read: {what} ({why}); needs {grant}"));
        }
        if !lines.is_empty() {
            writeln!(out)?;
        }
        lines
            .into_iter()
            .try_for_each(|line| writeln!(out, "  {}", style.faint(&line)))
    }
}
