//! What an agent's command printed, before anybody knows whether it is an answer at all.
//!
//! Agents exit with 0 when they print their help in place of an answer, and write errors of their shell to
//! stdout: the text itself has to tell.

use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value};

/// Text that is not the answer of the command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the answer of `{command}`: {message}")]
pub struct BadAnswer {
    /// The command whose answer was expected.
    pub command: &'static str,
    pub message: String,
}

/// How much of a wrong answer is repeated.
const SHOWN: usize = 80;

/// Reads one JSON value.
pub(super) fn json<T: DeserializeOwned>(command: &'static str, text: &str) -> Result<T, BadAnswer> {
    let text = text.trim();
    if !text.starts_with(['{', '[', 'n']) {
        return Err(refused(command, text));
    }
    serde_json::from_str(text).map_err(|error| bad(command, error.to_string()))
}

/// Reads a list, or a stream of values one behind the other; `null` is an empty list.
pub(super) fn stream<T: DeserializeOwned>(
    command: &'static str,
    text: &str,
) -> Result<Vec<T>, BadAnswer> {
    let text = text.trim();
    if text.starts_with('[') || text == "null" {
        return json::<Option<Vec<T>>>(command, text).map(Option::unwrap_or_default);
    }
    if !text.is_empty() && !text.starts_with('{') {
        return Err(refused(command, text));
    }
    let values = Deserializer::from_str(text).into_iter::<T>();
    values
        .collect::<Result<_, _>>()
        .map_err(|error| bad(command, error.to_string()))
}

/// The JSON objects among the lines of a stream that also holds chatter.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Value> {
    let lines = text
        .lines()
        .filter(|line| line.trim_start().starts_with('{'));
    lines.filter_map(|line| serde_json::from_str(line).ok())
}

pub(super) fn bad(command: &'static str, message: impl Into<String>) -> BadAnswer {
    BadAnswer {
        command,
        message: message.into(),
    }
}

/// An error, a help text, or nothing.
fn refused(command: &'static str, text: &str) -> BadAnswer {
    let first = text.lines().next().unwrap_or("it is empty");
    bad(command, first.chars().take(SHOWN).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_streams_and_what_is_neither() {
        let numbers = |text| stream::<Value>("x", text).map(|all| all.len());
        assert_eq!(numbers("[{},{}]"), Ok(2));
        assert_eq!(numbers("{}\n{\"a\":1}\n{}"), Ok(3));
        assert_eq!(numbers(" \n"), Ok(0));
        assert_eq!(numbers("null"), Ok(0));
        assert!(numbers("{}{").is_err());
        let help = numbers("List services & loadbalancers\n\nUsage:").unwrap_err();
        assert_eq!(help.message, "List services & loadbalancers");
        let shell = json::<Value>("x", "<stdin>:0: unknown command").unwrap_err();
        assert!(shell.message.starts_with("<stdin>"));
        assert!(
            json::<Value>("x", "")
                .unwrap_err()
                .message
                .contains("empty")
        );
        assert_eq!(lines("time=… level=info\n{\"a\":1}\n{broken\n").count(), 1);
    }
}
