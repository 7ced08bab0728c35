//! What a container of ours runs, whatever it is in.

use serde_json::{Value, json};

/// The user that owns nothing.
const NOBODY: i64 = 65534;

/// An image and what it is told.
#[derive(Debug, Clone)]
pub struct Content<'a> {
    pub image: &'a str,
    /// None for the image's own.
    command: Option<Vec<String>>,
    environment: Vec<(String, String)>,
}

// === impl Content ===

impl<'a> Content<'a> {
    /// Sleeps for so long, to be uploaded to, and ends early when told to: the first process of a container
    /// hears no signal that it does not handle (`pid_namespaces(7)`), and `sleep` handles none.
    #[must_use]
    pub fn idle(image: &'a str, seconds: u64) -> Self {
        let script = format!("trap 'exit 0' TERM; sleep {seconds} & wait");
        Self {
            image,
            command: Some(vec!["sh".to_owned(), "-c".to_owned(), script]),
            environment: Vec::new(),
        }
    }

    /// Runs what its image is for.
    #[must_use]
    pub const fn own(image: &'a str, environment: Vec<(String, String)>) -> Self {
        Self {
            image,
            command: None,
            environment,
        }
    }

    /// Whether it waits for the agent, and can be used again.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.command.is_some()
    }

    /// The container's object.
    #[must_use]
    pub fn container(&self, name: &str, security: &Value) -> Value {
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
            "securityContext": security,
        });
        if let Some(command) = &self.command {
            container["command"] = json!(command);
        }
        container
    }
}

/// The settings that Pod Security's level `restricted` asks for, and a user that owns nothing.
#[must_use]
pub fn strictest() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": NOBODY,
        "runAsGroup": NOBODY,
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}
