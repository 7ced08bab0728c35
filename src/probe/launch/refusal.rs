//! What the API server's refusals mean, in its own words.

use crate::probe::ProbeError;

/// Turns an error of the API into the reason a probe could not be made; `grant` is what a missing
/// right would be called.
pub(crate) fn refused(what: &str, grant: &str, error: &kube::Error) -> ProbeError {
    match error {
        kube::Error::Api(status) => {
            let is_rbac = status.code == 403 && status.message.contains("cannot ");
            ProbeError::Refused {
                what: what.to_owned(),
                why: status.message.lines().next().unwrap_or_default().to_owned(),
                grant: if is_rbac {
                    grant.to_owned()
                } else {
                    String::new()
                },
            }
        }
        other => ProbeError::Transport {
            what: what.to_owned(),
            why: innermost(other),
        },
    }
}

/// The error below all the others.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
