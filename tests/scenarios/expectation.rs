//! A question, and what its answer must be: `expect.json` of every scenario, whatever it is asked of.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Parser;
use netpath::cli::Cli;
use netpath::cluster::ClusterView;
use netpath::commands::{examine, question};
use netpath::diagnose::Severity;
use netpath::observe::Observations;
use netpath::report::{PathReport, ReportFinding};
use netpath::target::Request;
use netpath::world::World;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::answer::{Answer, Told};
use super::broken;

/// The one schema of expectations. Where a list is allowed, one value stands for a list of one.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expectation {
    /// As typed behind `kubectl netpath`. In the lab `@(…)` is filled in by a script.
    pub args: Vec<String>,
    #[serde(default = "shop")]
    pub namespace: String,
    /// Any of these; `any` where one path may work and another not.
    #[serde(deserialize_with = "listed")]
    pub verdict: Vec<String>,
    /// Any of them may be the deciding finding; empty means healthy, where `findings` is empty, too.
    #[serde(default, deserialize_with = "listed")]
    pub codes: Vec<String>,
    /// Whom the deciding finding may blame, as `Kind/namespace/name`.
    #[serde(default, deserialize_with = "listed")]
    pub object: Vec<String>,
    /// Findings that must all be there. Without `codes`, the first of them comes first.
    #[serde(default)]
    pub findings: Vec<ExpectedFinding>,
    /// Further findings that are right, too.
    #[serde(default)]
    pub also: Vec<String>,
    /// Codes that are told, in whatever degree: mostly notices of what the API only hints at.
    #[serde(default)]
    pub hints: Vec<String>,
    /// Codes that must not be told, not even as a notice.
    #[serde(default)]
    pub absent: Vec<String>,
    /// Every address that answers in the end, where that is the point.
    #[serde(default)]
    pub backends: Option<BTreeSet<String>>,
    /// Whether no snapshot can prove it: there it may look healthy.
    #[serde(default)]
    pub live: bool,
    /// Lists that may not be read: `networkpolicies.networking.k8s.io`.
    #[serde(default)]
    pub unread: Vec<String>,
    /// Of an oddity: names of scenarios whose answer it rightly changes.
    #[serde(default)]
    pub changes: BTreeSet<String>,
}

/// One finding, as far as it is written down.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFinding {
    /// Any of these.
    #[serde(deserialize_with = "listed")]
    pub code: Vec<String>,
    pub severity: Option<String>,
    pub confidence: Option<String>,
    pub object: Option<String>,
}

/// Every field of [`Expectation`], and behind them those of recordings that say where they come from.
const FIELDS: [&str; 23] = [
    "args",
    "namespace",
    "verdict",
    "codes",
    "object",
    "findings",
    "also",
    "hints",
    "absent",
    "backends",
    "live",
    "unread",
    "changes",
    "name",
    "needs",
    "proxyMode",
    "truth",
    "source",
    "why",
    "healthy",
    "mention",
    "title",
    "note",
];

fn shop() -> String {
    "shop".to_owned()
}

/// One value, a list of them, or null for none.
fn listed<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Listed {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::<Listed>::deserialize(from)? {
        Some(Listed::One(value)) => vec![value],
        Some(Listed::Many(values)) => values,
        None => Vec::new(),
    })
}

// === impl Expectation ===

impl Expectation {
    /// Reads `expect.json` of a folder.
    pub fn read(folder: &Path) -> Self {
        let path = folder.join("expect.json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| broken(&path, &error));
        let value: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| broken(&path, &error));
        let mut fields = value.as_object().into_iter().flatten();
        if let Some((field, _)) = fields.find(|(field, _)| !FIELDS.contains(&field.as_str())) {
            broken(&path, &format!("nobody reads {field}"));
        }
        let read = serde_json::from_value(value);
        let mut read: Self = read.unwrap_or_else(|error| broken(&path, &error));
        // Some recordings name what has no namespace `Node/None/node1`.
        for object in &mut read.object {
            *object = object.replace("/None/", "/");
        }
        read
    }

    /// What the program makes of the arguments.
    pub fn request(&self) -> Request {
        let words = std::iter::once("kubectl-netpath").chain(self.args.iter().map(String::as_str));
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        question(&cli.trace, &self.namespace).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Asks the question of a view.
    pub fn ask(&self, view: &ClusterView) -> Result<PathReport, String> {
        self.ask_with(view, &Observations::default())
    }

    /// Asks the question of a view, with what probes saw.
    pub fn ask_with(&self, view: &ClusterView, seen: &Observations) -> Result<PathReport, String> {
        examine(&World::of(view), &self.request(), seen).map_err(|error| error.to_string())
    }

    /// What is wrong with an answer; nothing, if it is right.
    pub fn complaints(&self, answer: &Answer) -> Vec<String> {
        let found: Vec<&Told> = answer.faults().collect();
        if self.is_denied_on_paper(&found) {
            return Vec::new();
        }
        let mut wrong = self.strangers(&found);
        wrong.extend(self.missing(answer));
        let is_open = ["Undetermined", "Reachable"].contains(&answer.verdict.as_str());
        // What no snapshot can show looks healthy in one: a prediction, then.
        if found.is_empty() && is_open && self.live {
            return wrong;
        }
        let is_expected = |one: &String| *one == "any" || *one == answer.verdict;
        if !self.verdict.iter().any(is_expected) {
            let (is, expected) = (&answer.verdict, self.verdict.join(" or "));
            wrong.push(format!("verdict {is}, not {expected}"));
        }
        wrong.extend(self.decider(answer, found.first().copied()));
        wrong
    }

    /// What policies deny on paper and nobody enforces is denied as far as a snapshot can tell.
    fn is_denied_on_paper(&self, found: &[&Told]) -> bool {
        let is_paper = self.live && self.also.iter().any(|code| code == "POL-15");
        is_paper && found.iter().all(|finding| finding.code.starts_with("POL-"))
    }

    /// Faults that nobody expects.
    fn strangers(&self, found: &[&Told]) -> Vec<String> {
        let is_right = |finding: &&&Told| {
            self.codes.contains(&finding.code)
                || self.also.contains(&finding.code)
                || self.findings.iter().any(|one| one.fits(finding))
        };
        let strangers = found.iter().filter(|finding| !is_right(finding));
        strangers
            .map(|finding| format!("blames something else: {finding}"))
            .collect()
    }

    /// What should have been told and was not, and the other way round.
    fn missing(&self, answer: &Answer) -> Vec<String> {
        let is_told = |code: &&String| answer.findings.iter().any(|one| one.code == **code);
        let lacks = self
            .findings
            .iter()
            .filter(|want| !answer.findings.iter().any(|finding| want.fits(finding)));
        let lacks = lacks.map(|want| format!("lacks {want:?}"));
        let hints = self.hints.iter().filter(|code| !is_told(code));
        let hints = hints.map(|code| format!("does not hint at {code}"));
        let absent = self.absent.iter().filter(is_told);
        let absent = absent.map(|code| format!("tells {code}"));
        let leads_elsewhere = self
            .backends
            .as_ref()
            .is_some_and(|own| *own != answer.backends);
        let elsewhere = leads_elsewhere.then(|| format!("leads to {:?}", answer.backends));
        lacks.chain(hints).chain(absent).chain(elsewhere).collect()
    }

    /// What is wrong with the finding that decides.
    fn decider(&self, answer: &Answer, first: Option<&Told>) -> Option<String> {
        if self.codes.is_empty()
            && let Some(want) = self.findings.first()
        {
            let begins = answer.findings.first().filter(|told| !want.fits(told));
            return begins.map(|told| format!("begins with {told}"));
        }
        match first {
            Some(first) if !self.codes.contains(&first.code) => {
                Some(format!("the deciding cause is {first}"))
            }
            Some(first) if !self.object.is_empty() && !self.object.contains(&first.object) => {
                Some(format!("blames {}", first.object))
            }
            None if !self.codes.is_empty() => Some("names no cause".to_owned()),
            _ => None,
        }
    }
}

// === impl ExpectedFinding ===

impl ExpectedFinding {
    fn fits(&self, told: &Told) -> bool {
        let is = |want: &Option<String>, is: &str| want.as_ref().is_none_or(|want| want == is);
        self.code.contains(&told.code)
            && is(&self.severity, &told.severity)
            && is(&self.confidence, &told.confidence)
            && is(&self.object, &told.object)
    }
}

/// The findings that say something is wrong: all but notices.
pub fn faults(report: &PathReport) -> Vec<&ReportFinding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Notice)
        .collect()
}

/// Codes and blamed objects of the faults, in order.
pub fn codes(report: &PathReport) -> Vec<String> {
    let name = |finding: &&ReportFinding| {
        let object = finding
            .object
            .as_ref()
            .map(|blame| blame.object.to_string());
        format!("{} {}", finding.code, object.unwrap_or_default())
    };
    faults(report).iter().map(name).collect()
}

/// One line on a finding.
pub fn told(finding: &ReportFinding) -> String {
    format!(
        "{} {:?}/{:?} {}",
        finding.code, finding.severity, finding.confidence, finding.summary
    )
}
