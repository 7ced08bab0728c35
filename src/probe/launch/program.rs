//! What a container of ours runs, wherever it is.

use serde_json::{Value, json};

use crate::cluster::Container;

/// An image, and what of it.
#[derive(Debug, Clone)]
pub struct Program {
    image: String,
    /// How long it idles; none for what the image itself runs.
    seconds: Option<u64>,
    environment: Vec<(String, String)>,
}

/// The variable the agent reads its plan from.
const PLAN: &str = "NETPATH_PLAN";

/// Sleeps, and hears when it is to end.
fn script(seconds: &str) -> String {
    format!("trap 'exit 0' TERM; sleep {seconds} & wait")
}

/// What a pod of ours may use, said so that quotas count it and limit ranges need not.
pub(super) fn small() -> Value {
    json!({
        "requests": {"cpu": "10m", "memory": "32Mi", "ephemeral-storage": "32Mi"},
        "limits": {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "96Mi"},
    })
}

// === impl Program ===

impl Program {
    /// Sleeps for so long in a stock image, to upload to. It ends early when told to: the first process
    /// of a container hears no signal that it does not handle (pid_namespaces(7)), and `sleep` handles
    /// none.
    #[must_use]
    pub fn idle(image: &str, seconds: u64) -> Self {
        Self {
            image: image.to_owned(),
            seconds: Some(seconds),
            environment: Vec::new(),
        }
    }

    /// The agent of an image that holds it, with its plan; it ends with its last answer.
    #[must_use]
    pub fn agent(image: &str, plan: String) -> Self {
        Self {
            image: image.to_owned(),
            seconds: None,
            environment: vec![(PLAN.to_owned(), plan)],
        }
    }

    /// Whether a container runs one of these, and nothing else.
    pub(super) fn has_made(own: &Container) -> bool {
        let variables = own.env.as_deref().unwrap_or_default();
        match own.command.as_deref().unwrap_or_default() {
            [] => matches!(variables, [only] if only.name == PLAN),
            _ => Self::lifetime(own).is_some() && variables.is_empty(),
        }
    }

    /// For how many seconds an idle container sleeps; none for any other.
    pub(super) fn lifetime(own: &Container) -> Option<u64> {
        let [shell, flag, text] = own.command.as_deref()? else {
            return None;
        };
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        // `exit 0` holds the other digit.
        let seconds = digits.strip_prefix('0')?;
        let is_script = shell == "sh" && flag == "-c" && *text == script(seconds);
        seconds.parse().ok().filter(|_| is_script)
    }

    /// For how long it is needed, where it can be used for more than one plan.
    pub(super) const fn seconds(&self) -> Option<u64> {
        self.seconds
    }

    pub(super) fn image(&self) -> &str {
        &self.image
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
        if let Some(seconds) = self.seconds {
            container["command"] = json!(["sh", "-c", script(&seconds.to_string())]);
        }
        container
    }
}
