//! The file of a suite, and the checks it stands for.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::expect::{Blamed, Limits, latency, percent};
use crate::causes::{Cause, Code};
use crate::cluster::snapshot::{BadText, document};
use crate::diagnose::Verdict;
use crate::net::Protocol;

/// Many paths, with what is expected of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    pub name: String,
    pub checks: Vec<Check>,
}

/// One path, as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    pub name: String,
    pub source: String,
    pub destination: String,
    /// Where a source without a namespace lives, if the suite says so.
    pub namespace: Option<String>,
    pub to_namespace: Option<String>,
    pub port: Option<String>,
    pub protocol: Option<Protocol>,
    pub verdict: Verdict,
    /// The deciding cause that is expected.
    pub code: Option<Code>,
    /// The object that must be the reason.
    pub by: Option<Blamed>,
    pub limits: Limits,
    /// How often to ask again before it counts as failed.
    pub retries: u32,
    /// How long to wait for one answer, if not as long as the command line says.
    pub timeout: Option<Duration>,
    pub tags: Vec<String>,
    /// Where the entry begins in the file, from 1.
    pub line: usize,
}

/// A file that is no suite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadSuite {
    pub message: String,
    pub hint: String,
}

/// The file, as it is written.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    /// Read one by one, to say which of them is wrong.
    checks: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CheckEntry {
    #[serde(default)]
    name: Option<String>,
    from: Ends,
    to: Ends,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    to_namespace: Option<String>,
    #[serde(default)]
    port: Option<Port>,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    expect: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    by: Option<String>,
    #[serde(default)]
    loss: Option<Scalar>,
    #[serde(default)]
    latency: Option<String>,
    #[serde(default)]
    retries: u32,
    #[serde(default)]
    timeout: Option<Scalar>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "one end, or a list of ends")]
enum Ends {
    One(String),
    Many(Vec<String>),
}

/// A number with or without its unit.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number, with its unit")]
enum Scalar {
    Number(f64),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "the number or the name of a port")]
enum Port {
    Number(u16),
    Name(String),
}

// === impl Suite ===

impl Suite {
    /// Reads a suite; an entry with several ends becomes one check for every pair of them.
    ///
    /// # Errors
    /// When the text is no suite, with the line or the entry that is wrong.
    pub fn read(text: &str, name: &str) -> Result<Self, BadSuite> {
        let bad = |at: &dyn Display, why: &dyn Display| BadSuite {
            message: format!("{name}: {at}{why}"),
            hint: "a suite has apiVersion, kind, and checks with from, to and expect".to_owned(),
        };
        let file = document(text)
            .map_err(|BadText { line, message }| bad(&format_args!("line {line}: "), &message))?;
        let file: File = serde_json::from_value(file).map_err(|error| bad(&"", &error))?;
        if (file.api_version.as_str(), file.kind.as_str()) != ("netpath/v1", "Suite") {
            return Err(BadSuite {
                message: format!("{name} holds {} {}", file.api_version, file.kind),
                hint: "write apiVersion: netpath/v1 and kind: Suite".to_owned(),
            });
        }
        let mut checks = Vec::new();
        let lines = lines_of_checks(text);
        for (number, entry) in (1..).zip(file.checks) {
            let line = lines.get(number - 1).copied().unwrap_or(1);
            let entry: CheckEntry = serde_json::from_value(entry)
                .map_err(|error| bad(&format_args!("check {number}: "), &error))?;
            let at = entry
                .name
                .clone()
                .unwrap_or_else(|| format!("check {number}"));
            let expanded = entry.expand(file.namespace.as_deref(), line);
            checks.extend(expanded.map_err(|bad| BadSuite {
                message: format!("{name}: {at}: {}", bad.message),
                ..bad
            })?);
        }
        if checks.is_empty() {
            return Err(BadSuite {
                message: format!("{name} checks nothing"),
                hint: "add entries with from and to under checks".to_owned(),
            });
        }
        Ok(Self {
            name: file.name.unwrap_or_else(|| name.to_owned()),
            checks,
        })
    }

    /// Only the checks with one of the tags, or of one of the names; all where nothing is named.
    ///
    /// # Errors
    /// When a word is neither a tag nor a name.
    pub fn only(mut self, words: &[String]) -> Result<Self, BadSuite> {
        let is_meant =
            |check: &Check, word: &String| check.tags.contains(word) || check.name == *word;
        for word in words {
            if !self.checks.iter().any(|check| is_meant(check, word)) {
                let tags = self.checks.iter().flat_map(|check| check.tags.clone());
                let tags: BTreeSet<String> = tags.collect();
                let tags: Vec<String> = tags.into_iter().collect();
                return Err(BadSuite {
                    message: format!("no check has the tag or name {word:?}"),
                    hint: match tags.as_slice() {
                        [] => "no check has any tag: add tags: [NAME] to the intended checks"
                            .to_owned(),
                        tags => format!("there are the tags {}", tags.join(", ")),
                    },
                });
            }
        }
        if !words.is_empty() {
            self.checks
                .retain(|check| words.iter().any(|word| is_meant(check, word)));
        }
        Ok(self)
    }
}

/// The lines where the entries of `checks` begin, in block style; an entry in flow style has none of its own.
fn lines_of_checks(text: &str) -> Vec<usize> {
    let mut lines = (1..).zip(text.lines());
    if !lines.any(|(_, line)| line.trim_end() == "checks:") {
        return Vec::new();
    }
    let mut indent = None;
    let entries = lines.filter(|(_, line)| {
        let own = line.len() - line.trim_start().len();
        let is_entry = line.trim_start().starts_with("- ");
        is_entry && own == *indent.get_or_insert(own)
    });
    entries.map(|(number, _)| number).collect()
}

// === impl CheckEntry ===

impl CheckEntry {
    fn expand(&self, namespace: Option<&str>, line: usize) -> Result<Vec<Check>, BadSuite> {
        let verdict = verdict(self.expect.as_deref().unwrap_or("Reachable"))?;
        let code = self.code.as_deref().map(known_code).transpose()?;
        let protocol = self.protocol.as_deref().map(str::parse::<Protocol>);
        let protocol = protocol.transpose().map_err(|bad| BadSuite {
            message: bad.to_string(),
            hint: String::new(),
        })?;
        let by = self.by.as_deref().map(blamed).transpose()?;
        let limits = self.limits()?;
        let timeout = self.timeout.as_ref().map(patience).transpose()?;
        let (sources, destinations) = (self.from.all(), self.to.all());
        let is_one = sources.len() == 1 && destinations.len() == 1;
        let mut checks = Vec::new();
        for source in sources {
            for destination in destinations {
                let pair = format!("{source} → {destination}");
                checks.push(Check {
                    name: match &self.name {
                        Some(name) if is_one => name.clone(),
                        Some(name) => format!("{name}: {pair}"),
                        None => pair,
                    },
                    source: source.clone(),
                    destination: destination.clone(),
                    namespace: self.namespace.as_deref().or(namespace).map(str::to_owned),
                    to_namespace: self.to_namespace.clone(),
                    port: self.port.as_ref().map(Port::text),
                    protocol,
                    verdict,
                    code,
                    by: by.clone(),
                    limits,
                    retries: self.retries,
                    timeout,
                    tags: self.tags.clone(),
                    line,
                });
            }
        }
        Ok(checks)
    }

    fn limits(&self) -> Result<Limits, BadSuite> {
        let loss = self.loss.as_ref().map(Scalar::text);
        let loss = loss.map(|text| {
            percent(&text).ok_or_else(|| BadSuite {
                message: format!("{text:?} is not a loss percentage"),
                hint: "write the percentage of connects that may fail, as in loss: 1%".to_owned(),
            })
        });
        let latency = self.latency.as_ref().map(|text| {
            latency(text).ok_or_else(|| BadSuite {
                message: format!("{text:?} is not a latency"),
                hint: "write what 95 of 100 connects must keep, as in latency: 20ms".to_owned(),
            })
        });
        Ok(Limits {
            loss: loss.transpose()?,
            latency: latency.transpose()?,
        })
    }
}

// === impl Scalar ===

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

// === impl Ends ===

impl Ends {
    fn all(&self) -> &[String] {
        match self {
            Self::One(end) => std::slice::from_ref(end),
            Self::Many(ends) => ends,
        }
    }
}

// === impl Port ===

impl Port {
    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

fn verdict(text: &str) -> Result<Verdict, BadSuite> {
    let all = [
        Verdict::Reachable,
        Verdict::Degraded,
        Verdict::Unreachable,
        Verdict::Undetermined,
    ];
    let is_meant = |verdict: &Verdict| format!("{verdict:?}").eq_ignore_ascii_case(text);
    all.into_iter().find(is_meant).ok_or_else(|| BadSuite {
        message: format!("{text:?} is not a verdict"),
        hint: "expect Reachable, Degraded, Unreachable or Undetermined".to_owned(),
    })
}

fn blamed(text: &str) -> Result<Blamed, BadSuite> {
    Blamed::parse(text).ok_or_else(|| BadSuite {
        message: format!("{text:?} is not an object"),
        hint: "write by: KIND/NAME or by: NAMESPACE/KIND/NAME".to_owned(),
    })
}

fn patience(text: &Scalar) -> Result<Duration, BadSuite> {
    let text = text.text();
    latency(&text)
        .filter(|timeout| !timeout.is_zero())
        .ok_or_else(|| BadSuite {
            message: format!("{text:?} is not a time to wait"),
            hint: "write timeout: 5s".to_owned(),
        })
}

fn known_code(text: &str) -> Result<Code, BadSuite> {
    let Some(code) = Code::parse(text) else {
        return Err(BadSuite {
            message: format!("there is no cause {text:?}"),
            hint: Code::nearest(text).map_or_else(
                || "list them with: kubectl netpath explain FAMILY".to_owned(),
                |near| format!("did you mean {near}?"),
            ),
        });
    };
    if code.cause().is_some_and(Cause::is_recognized) {
        return Ok(code);
    }
    Err(BadSuite {
        message: format!("netpath does not recognize {code} yet, so no check can expect it"),
        hint: format!("see: kubectl netpath explain {code}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite(checks: &str) -> Result<Suite, BadSuite> {
        let text =
            format!("apiVersion: netpath/v1\nkind: Suite\nnamespace: shop\nchecks:\n{checks}");
        Suite::read(&text, "suite.yaml")
    }

    #[test]
    fn an_entry_stands_for_every_pair_of_its_ends() {
        let read = suite(
            "- {from: [a, b], to: [svc/x, svc/y], port: 80, protocol: udp, expect: unreachable, code: pol-02}",
        );
        let checks = read.expect("a suite").checks;
        let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["a → svc/x", "a → svc/y", "b → svc/x", "b → svc/y"]);
        let last = &checks[3];
        assert_eq!(last.namespace.as_deref(), Some("shop"));
        assert_eq!(last.port.as_deref(), Some("80"));
        assert_eq!(last.protocol, Some(Protocol::Udp));
        assert_eq!(last.verdict, Verdict::Unreachable);
        assert_eq!(last.code, Some(Code::POL_02));
    }

    #[test]
    fn a_check_knows_its_line_and_its_tags() {
        let read = suite(
            "- from: a\n  to: b\n  tags: [fast]\n# a comment\n- from: c\n  to:\n  - d\n  - e\n",
        )
        .expect("a suite");
        let lines: Vec<usize> = read.checks.iter().map(|check| check.line).collect();
        assert_eq!(lines, [5, 9, 9]);
        let fast = read.clone().only(&["fast".to_owned()]).expect("a tag");
        assert_eq!(fast.checks.len(), 1);
        let bad = read.only(&["slow".to_owned()]).expect_err("no such tag");
        assert!(bad.hint.contains("fast"), "{}", bad.hint);
    }

    #[test]
    fn what_is_no_suite_says_where_and_why() {
        for (checks, message, hint) in [
            (
                "- {from: a, to: b, expct: Reachable}",
                "check 1: unknown field `expct`",
                "expect",
            ),
            ("- {from: a}", "missing field `to`", "from, to"),
            (
                "- {from: {pod: a}, to: b}",
                "one end, or a list of ends",
                "",
            ),
            (
                "- {from: a, to: b, expect: open}",
                "check 1: \"open\" is not a verdict",
                "Degraded",
            ),
            (
                "- {from: a, to: b}\n- {from: a, to: b, code: POL-2}",
                "check 2: there is no cause",
                "POL-02",
            ),
            ("- {from: a, to: b, protocol: icmp}", "icmp", ""),
            (
                "- {from: a, to: b, loss: 200%}",
                "is not a loss",
                "percentage",
            ),
            (
                "- {from: a, to: b, latency: soon}",
                "is not a latency",
                "20ms",
            ),
            ("- {from: a, to: b, timeout: 0}", "is not a time", "5s"),
            (
                "- {from: a, to: b, by: lock}",
                "is not an object",
                "KIND/NAME",
            ),
            ("- {from: [], to: b}", "checks nothing", ""),
            ("  - [", "line", ""),
        ] {
            let bad = suite(checks).expect_err(checks);
            assert!(bad.message.contains(message), "{checks}: {}", bad.message);
            assert!(bad.hint.contains(hint), "{checks}: {}", bad.hint);
        }
        let other = Suite::read("apiVersion: v1\nkind: Pod\nchecks: []\n", "pod.yaml");
        assert!(other.expect_err("no suite").hint.contains("kind: Suite"));
    }
}
