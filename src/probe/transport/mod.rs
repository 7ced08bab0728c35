//! Bringing the agent to a container and its answers back.

mod image;
mod upload;

use std::future::Future;

use crate::observe::ProbeError;
use netpath_protocol::{Line, Plan};

pub use image::Image;
pub use upload::Upload;

/// A way to run plans at one vantage.
pub trait Transport {
    /// Runs one plan; the lines come in the order in which the agent wrote them.
    fn run(&self, plan: &Plan) -> impl Future<Output = Result<Vec<Line>, ProbeError>> + Send;
}

/// Reads what an agent wrote. Lines that are no protocol lines (a shell's complaint, say) are told
/// apart and given back as the reason when nothing else came.
pub(super) fn read_lines(
    what: &str,
    output: &str,
    complaint: &str,
) -> Result<Vec<Line>, ProbeError> {
    let lines: Vec<Line> = output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    if lines.iter().any(|line| matches!(line, Line::Hello(_))) {
        return Ok(lines);
    }
    let said = [complaint.trim(), output.trim()]
        .into_iter()
        .find(|text| !text.is_empty());
    Err(ProbeError::Transport {
        what: what.to_owned(),
        why: match said.and_then(|said| said.lines().next()) {
            Some(said) => format!("the agent did not answer: {said}"),
            None => "the agent did not answer".to_owned(),
        },
    })
}
