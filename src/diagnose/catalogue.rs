//! The catalogue of causes: one text that `explain`, the titles of findings and the manual share.

use std::sync::OnceLock;

use serde::Deserialize;

/// One cause, as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Cause {
    /// `SVC-01`
    pub code: String,
    pub title: String,
    /// What shows it: `S` the API alone, `N` a node, `P` a probe; `s+` a hint that these confirm.
    pub visible: String,
    /// The state that is wrong.
    pub what: String,
    /// What the client sees.
    pub symptom: String,
    pub api: String,
    pub node: String,
    pub probe: String,
    /// What tells it from its look-alikes.
    pub apart: String,
    pub fix: String,
}

/// The families, in the order of the catalogue.
pub const FAMILIES: [(&str, &str); 13] = [
    ("SRC", "the client pod"),
    ("DNS", "name resolution"),
    ("SVC", "the Service object"),
    ("EPS", "endpoints and EndpointSlices"),
    ("KPX", "the Service proxy: rules, NAT, conntrack"),
    ("EXT", "NodePort, LoadBalancer, hostPort"),
    ("ING", "Ingress and Gateway API"),
    ("POL", "network policies"),
    ("RTE", "node network, routes, CNI, underlay"),
    ("DST", "destination pod, socket, application"),
    (
        "EGR",
        "to the API server, to the outside, from the control plane",
    ),
    ("MC", "multi-cluster Services"),
    ("MESH", "service mesh"),
];

/// Every cause, by family and number.
#[must_use]
pub fn catalogue() -> &'static [Cause] {
    static ALL: OnceLock<Vec<Cause>> = OnceLock::new();
    // The text is part of the program; a test reads it whole.
    ALL.get_or_init(|| serde_json::from_str(include_str!("causes.json")).unwrap_or_default())
}

/// The cause of a code, in any case.
#[must_use]
pub fn cause(code: &str) -> Option<&'static Cause> {
    catalogue()
        .iter()
        .find(|cause| cause.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_is_whole_and_has_a_code_of_its_own() {
        let codes: BTreeSet<&str> = catalogue()
            .iter()
            .map(|cause| cause.code.as_str())
            .collect();
        assert_eq!(codes.len(), catalogue().len());
        for cause in catalogue() {
            let family = cause.code.split('-').next().unwrap_or_default();
            assert!(
                FAMILIES.iter().any(|(known, _)| *known == family),
                "{}",
                cause.code
            );
            assert!(
                !cause.title.is_empty() && !cause.what.is_empty(),
                "{}",
                cause.code
            );
        }
    }

    /// A code that is reported but not explained would leave the reader alone with it.
    #[test]
    fn every_code_in_the_source_is_explained() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/diagnose");
        for entry in std::fs::read_dir(folder).expect("the folder of this file") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if path.extension().is_none_or(|ending| ending != "rs") {
                continue;
            }
            for quoted in text.split('"').skip(1).step_by(2) {
                let mut parts = quoted.splitn(2, '-');
                let family = parts.next().unwrap_or_default();
                let number = parts.next().unwrap_or_default();
                let is_code = FAMILIES.iter().any(|(known, _)| *known == family)
                    && number.len() == 2
                    && number.bytes().all(|byte| byte.is_ascii_digit());
                assert!(
                    !is_code || cause(quoted).is_some(),
                    "{quoted} in {}",
                    path.display()
                );
            }
        }
    }
}
