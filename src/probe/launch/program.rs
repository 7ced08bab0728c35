//! What a container of ours runs, wherever it is.

use serde_json::{Value, json};

/// An image, and what of it.
#[derive(Debug, Clone)]
pub struct Program {
    image: String,
    /// None for the image's own.
    command: Option<Vec<String>>,
    environment: Vec<(String, String)>,
}

/// The variable the agent reads its plan from.
const PLAN: &str = "NETPATH_PLAN";

// === impl Program ===

impl Program {
    /// Sleeps for so long in a stock image, to upload to. It ends early when told to: the first process
    /// of a container hears no signal that it does not handle (pid_namespaces(7)), and `sleep` handles
    /// none.
    #[must_use]
    pub fn idle(image: &str, seconds: u64) -> Self {
        let script = format!("trap 'exit 0' TERM; sleep {seconds} & wait");
        Self {
            image: image.to_owned(),
            command: Some(vec!["sh".to_owned(), "-c".to_owned(), script]),
            environment: Vec::new(),
        }
    }

    /// The agent of an image that holds it, with its plan; it ends with its last answer.
    #[must_use]
    pub fn agent(image: &str, plan: String) -> Self {
        Self {
            image: image.to_owned(),
            command: None,
            environment: vec![(PLAN.to_owned(), plan)],
        }
    }

    pub(super) fn image(&self) -> &str {
        &self.image
    }

    /// Whether it can be used for more than one plan.
    pub(super) const fn is_idle(&self) -> bool {
        self.command.is_some()
    }

    /// The container's object.
    pub(super) fn container(&self, name: &str, security: &Value) -> Value {
        let environment: Vec<Value> = self
            .environment
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let mut container = json!({
            "name": name,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "env": environment,
            "terminationMessagePolicy": "File",
            "securityContext": security,
        });
        if let Some(command) = &self.command {
            container["command"] = json!(command);
        }
        container
    }
}
