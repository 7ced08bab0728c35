//! What the agent was asked, read leniently: a newer client may ask what this agent does not know.

use std::io::{BufReader, Read};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use netpath_protocol::Task;

/// No plan is larger.
const MAX_BYTES: u64 = 1 << 20;
/// No agent lives longer, whatever its plan says.
const MAX_DEADLINE: Duration = Duration::from_secs(900);

/// A plan as far as this agent understands it.
#[derive(Debug)]
pub struct Order {
    pub deadline: Duration,
    /// In the order of the plan; an error says why a task cannot be done.
    pub tasks: Vec<Result<Task, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    deadline_ms: u64,
    #[serde(default)]
    tasks: Vec<Value>,
}

// === impl Order ===

impl Order {
    /// Reads one JSON object; the stream need not end after it.
    ///
    /// # Errors
    /// When there is none, in words for the caller.
    pub fn read(text: &mut dyn Read) -> Result<Self, String> {
        let mut reader =
            serde_json::Deserializer::from_reader(BufReader::new(text.take(MAX_BYTES)));
        let raw = Raw::deserialize(&mut reader).map_err(|error| {
            if error.is_eof() {
                format!("it ends too early, or is larger than {MAX_BYTES} bytes")
            } else {
                error.to_string()
            }
        })?;
        Ok(Self {
            deadline: Duration::from_millis(raw.deadline_ms).min(MAX_DEADLINE),
            tasks: raw.tasks.into_iter().map(task).collect(),
        })
    }
}

fn task(raw: Value) -> Result<Task, String> {
    serde_json::from_value(raw)
        .map_err(|error| format!("this agent does not understand the task: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Order, String> {
        Order::read(&mut text.as_bytes())
    }

    #[test]
    fn unknown_tasks_and_fields_do_not_spoil_the_rest() {
        let order = read(
            r#"{"version":9,"deadlineMs":1,"new":[],"tasks":[{"kind":"teleport"},
               {"kind":"podFacts","depth":3},{"kind":"nodeFacts"},{"kind":"dns"}]} and so on"#,
        )
        .unwrap();
        let known: Vec<bool> = order.tasks.iter().map(Result::is_ok).collect();
        assert_eq!(known, [false, true, true, false]);
        assert_eq!(
            order.tasks[2],
            Ok(Task::NodeFacts {
                addresses: Vec::new()
            })
        );
    }

    #[test]
    fn no_plan_is_one_clear_message() {
        for text in ["", "[", "{}", "7", "{\"deadlineMs\":-1}", &"[".repeat(5000)] {
            assert!(!read(text).unwrap_err().is_empty(), "{text:.20}");
        }
        let huge = format!("{{\"pad\":\"{}\"", "x".repeat(2 << 20));
        assert!(read(&huge).unwrap_err().contains("larger"));
    }

    #[test]
    fn no_deadline_is_for_ever() {
        let order = read(&format!("{{\"deadlineMs\":{}}}", u64::MAX)).unwrap();
        assert_eq!(order.deadline, MAX_DEADLINE);
    }
}
