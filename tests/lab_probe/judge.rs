//! Whether a report says what a scenario expects.

use serde_json::Value;

/// What a report must say.
pub struct Expected {
    /// The causes, each by any of some codes; none for a healthy world.
    pub causes: Vec<Vec<String>>,
    /// Which of them decides, if that matters.
    pub first: Vec<String>,
    /// Whom the deciding cause blames: `Service/shop/api`.
    pub object: Option<String>,
    /// Any of these.
    pub verdicts: Vec<String>,
}

/// What is wrong with a report, if anything.
pub fn judge(expected: &Expected, report: &Value) -> Result<(), String> {
    let faults: Vec<Fault> = report["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|found| found["severity"] != "notice")
        .map(Fault::of)
        .collect();
    let verdict = report["verdict"].as_str().unwrap_or_default();
    let are_all = expected
        .causes
        .iter()
        .all(|codes| faults.iter().any(|fault| codes.contains(&fault.code)));
    let decides = faults.first().is_none_or(|first| {
        (expected.first.is_empty() || expected.first.contains(&first.code))
            && expected
                .object
                .as_ref()
                .is_none_or(|one| *one == first.object)
    });
    let are_no_more = faults.len() == expected.causes.len();
    let fits = expected.verdicts.iter().any(|one| one == verdict);
    if are_all && are_no_more && decides && fits {
        return Ok(());
    }
    let found: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(format!(
        "{verdict} {found:?}, wanted {:?} {:?} {:?}",
        expected.verdicts, expected.causes, expected.object
    ))
}

/// A finding, as far as it is compared.
struct Fault {
    code: String,
    object: String,
}

// === impl Fault ===

impl Fault {
    fn of(finding: &Value) -> Self {
        let object = &finding["object"];
        let words = ["kind", "namespace", "name"].map(|field| object[field].as_str());
        Self {
            code: finding["code"].as_str().unwrap_or_default().to_owned(),
            object: words.into_iter().flatten().collect::<Vec<_>>().join("/"),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}", self.code, self.object)
    }
}
