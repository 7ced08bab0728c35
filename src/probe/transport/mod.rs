//! Bringing the agent to a container and its answers back.

mod image;
mod listener;
mod upload;

use std::future::Future;

use tokio::sync::mpsc::UnboundedSender;

use crate::observe::ProbeError;
use crate::visible::field;
pub use listener::Listener;
use netpath_protocol::{Line, Plan};

pub use image::Image;
pub use upload::Upload;

/// A way to run plans at one vantage.
pub trait Transport {
    /// Runs one plan before a listener; the lines it kept come in the order in which the agent wrote them.
    fn listen(
        &self,
        plan: &Plan,
        listener: Listener,
    ) -> impl Future<Output = Result<Vec<Line>, ProbeError>> + Send;

    /// Runs one plan, and gives everything that was said.
    fn run(&self, plan: &Plan) -> impl Future<Output = Result<Vec<Line>, ProbeError>> + Send {
        self.listen(plan, Listener::default())
    }

    /// Runs one plan, and passes each line on as it comes.
    fn stream(
        &self,
        plan: &Plan,
        lines: &UnboundedSender<Line>,
    ) -> impl Future<Output = Result<Vec<Line>, ProbeError>> + Send {
        self.listen(plan, Listener::telling(lines.clone()))
    }
}

/// What an agent said; else the reason, in its words or those of what ran instead.
fn heard(what: &str, listener: Listener, complaint: &str) -> Result<Vec<Line>, ProbeError> {
    listener.finish().map_err(|said| {
        let complaint = complaint.trim().lines().next().map(str::to_owned);
        let why = match complaint.or(said) {
            Some(said) => format!("the agent did not answer: {}", field(&said)),
            None => "the agent did not answer".to_owned(),
        };
        broken(what, why)
    })
}

fn broken(what: &str, why: impl Into<String>) -> ProbeError {
    ProbeError::Transport {
        what: what.to_owned(),
        why: why.into(),
    }
}
