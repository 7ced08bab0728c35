//! What the API server's refusals mean, in its own words.

use crate::observe::ProbeError;

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As Kubernetes 1.36 puts it.
    fn told(code: u16, message: &str) -> (String, String) {
        let status = json!({"code": code, "message": message, "reason": "", "status": "Failure"});
        let status = serde_json::from_value(status).expect("a status");
        let error = kube::Error::Api(Box::new(status));
        match refused(
            "ephemeral container in pod a",
            "patch pods/ephemeralcontainers in n",
            &error,
        ) {
            ProbeError::Refused { why, grant, .. } => (why, grant),
            other => panic!("no refusal: {other:?}"),
        }
    }

    #[test]
    fn a_missing_right_is_named_and_admission_is_quoted() {
        let (_, grant) = told(
            403,
            "pods \"client-1\" is forbidden: User \"nobody\" cannot patch resource \"pods/ephemeralcontainers\" in API group \"\" in the namespace \"shop\"",
        );
        assert_eq!(grant, "patch pods/ephemeralcontainers in n");
        let (why, grant) = told(
            403,
            "pods \"app\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false",
        );
        assert!(
            why.contains("violates PodSecurity") && grant.is_empty(),
            "{why} {grant}"
        );
        let (why, grant) = told(
            422,
            "Pod \"a\" is invalid: spec.ephemeralContainers: Forbidden",
        );
        assert!(why.contains("invalid") && grant.is_empty());
    }
}
