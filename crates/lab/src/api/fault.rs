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
    /// How many such requests go well before.
    pub after: usize,
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

/// The faults in force, and what was asked since there are none.
#[derive(Debug, Default)]
pub struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    faults: Vec<Fault>,
    calls: Vec<String>,
}

// === impl Faults ===

impl Faults {
    pub fn add(&self, fault: Fault) {
        self.0.lock().faults.push(fault);
    }

    pub fn clear(&self) {
        *self.0.lock() = State::default();
    }

    /// Every request since the last [`clear`](Self::clear), as `GET /version`.
    pub fn calls(&self) -> Vec<String> {
        self.0.lock().calls.clone()
    }

    /// The first fault for a request, used up once.
    pub fn take(&self, call: &Call, path_and_query: &str) -> Option<Fault> {
        let State { faults, calls } = &mut *self.0.lock();
        calls.push(format!("{} {path_and_query}", call.method));
        let mut at = None;
        for (place, fault) in faults.iter_mut().enumerate() {
            let method = fault.method.as_deref();
            let meant = path_and_query.contains(&fault.path)
                && method.is_none_or(|method| call.method == *method);
            if meant && fault.after > 0 {
                fault.after -= 1;
            } else if meant {
                at = at.or(Some(place));
            }
        }
        let at = at?;
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
