//! Faults of the API server itself: slow, refusing, failing, cutting connections.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;
use super::request::Call;

/// What happens to which requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fault {
    /// Only requests whose path and query contain this.
    pub path: String,
    /// Only this method, `GET`.
    pub method: Option<String>,
    /// How many requests; without it, all of them from now on.
    pub times: Option<u32>,
    /// How long the answer takes, in milliseconds.
    pub delay_ms: u64,
    /// A status in place of the answer.
    pub status: Option<u16>,
    /// Seconds, for 429 and 503.
    pub retry_after: Option<u32>,
    /// The connection ends after so many bytes of the answer's body, 0 for before its head.
    pub cut_after: Option<usize>,
}

/// The faults in force.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

// === impl Faults ===

impl Faults {
    pub fn add(&self, fault: Fault) {
        self.0.lock().push(fault);
    }

    pub fn clear(&self) {
        self.0.lock().clear();
    }

    /// The first fault for a request, used up once.
    pub fn take(&self, call: &Call, path_and_query: &str) -> Option<Fault> {
        let mut faults = self.0.lock();
        let at = faults.iter().position(|fault| {
            path_and_query.contains(&fault.path)
                && fault
                    .method
                    .as_deref()
                    .is_none_or(|method| call.method == *method)
        })?;
        let fault = faults[at].clone();
        if let Some(times) = &mut faults[at].times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                faults.remove(at);
            }
        }
        Some(fault)
    }
}

// === impl Fault ===

impl Fault {
    /// The answer in place of the real one, if this fault has one.
    pub fn refusal(&self) -> Option<Refusal> {
        let (reason, message) = match self.status? {
            429 => (
                "TooManyRequests",
                "Too many requests, please try again later.",
            ),
            410 => (
                "Expired",
                "The resourceVersion for the provided list is too old.",
            ),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            ),
            504 => ("Timeout", "Timeout: request did not complete within 1m0s"),
            _ => (
                "InternalError",
                "Internal error occurred: an error on the server",
            ),
        };
        Some(Refusal {
            retry_after: self.retry_after,
            ..Refusal::new(self.status?, reason, message)
        })
    }
}
