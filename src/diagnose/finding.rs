//! One cause, found.

use serde::Serialize;

use super::objects::ends;
use crate::causes::Code;
use crate::cluster::{ObjectRef, Pod};
use crate::path::Stage;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// SRC cannot reach DST because of it.
    Broken,
    /// It works, but for some backends, some attempts, some sizes, or slowly.
    Degraded,
    /// Worth knowing, never a fault.
    Notice,
}

/// How it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// A probe saw it.
    Measured,
    /// It follows from what was read.
    Proved,
    /// Likely, and something else could still explain it.
    Suspected,
}

/// The object that somebody has to change, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Blame {
    #[serde(flatten)]
    pub object: ObjectRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize)]
pub struct Fix {
    pub summary: String,
    /// Ready to be pasted.
    pub commands: Vec<String>,
    /// A patch of the blamed object, where one is all it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// What keeps the object as it is, and where to change it so that the change lasts.
    #[serde(rename = "managedBy", skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub code: Code,
    pub severity: Severity,
    pub confidence: Confidence,
    pub stage: Stage,
    pub blame: Option<Blame>,
    pub summary: String,
    pub evidence: Vec<String>,
    pub fix: Fix,
}

// === impl Finding ===

impl Finding {
    /// A cause that breaks the path at a stage and follows from what was read.
    pub fn new(code: Code, stage: Stage, summary: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Broken,
            confidence: Confidence::Proved,
            stage,
            blame: None,
            summary: summary.into(),
            evidence: Vec::new(),
            fix: Fix::default(),
        }
    }

    /// Blames a field of an object; an empty field means the object as a whole.
    #[must_use]
    pub fn blame(mut self, object: ObjectRef, field: impl Into<String>) -> Self {
        let field = field.into();
        let field = (!field.is_empty()).then_some(field);
        self.blame = Some(Blame { object, field });
        self
    }

    /// Blames a setting of a pod, where somebody can change it: in the template of what makes it.
    #[must_use]
    pub(super) fn blame_template(self, pod: &Pod, field: &str) -> Self {
        let maker = ends::maker(pod);
        let is_own = maker.kind == "Pod";
        // A template has no name of its own: its pods are called after what makes them.
        let field = match field {
            field if is_own || field == "metadata.name" => field.to_owned(),
            field => format!("spec.template.{field}"),
        };
        self.blame(maker, field)
    }

    /// Adds a fact it rests on; one without a word is none.
    #[must_use]
    pub fn because(mut self, fact: impl Into<String>) -> Self {
        let fact = fact.into();
        if !fact.trim().is_empty() {
            self.evidence.push(fact);
        }
        self
    }

    /// Adds several.
    #[must_use]
    pub fn because_all(self, facts: impl IntoIterator<Item = String>) -> Self {
        facts.into_iter().fold(self, Self::because)
    }

    /// Says what to do.
    #[must_use]
    pub fn fix(mut self, summary: impl Into<String>) -> Self {
        self.fix.summary = summary.into();
        self
    }

    /// Adds a command that does it, or part of it.
    #[must_use]
    pub fn run(mut self, command: impl Into<String>) -> Self {
        self.fix.commands.push(command.into());
        self
    }

    /// Adds the patch that does it, and the command that applies it.
    #[must_use]
    pub fn patch(mut self, command: impl Into<String>, patch: impl Into<String>) -> Self {
        self.fix.commands.push(command.into());
        self.fix.patch = Some(patch.into());
        self
    }

    /// Something that works on, for some or slowly.
    #[must_use]
    pub const fn degraded(mut self) -> Self {
        self.severity = Severity::Degraded;
        self
    }

    /// Something worth knowing.
    #[must_use]
    pub const fn notice(mut self) -> Self {
        self.severity = Severity::Notice;
        self
    }

    /// Something that is likely but not proved.
    #[must_use]
    pub const fn suspected(mut self) -> Self {
        self.confidence = Confidence::Suspected;
        self
    }
}
