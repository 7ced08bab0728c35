//! The file of a suite, and the checks it stands for.

use std::fmt::Display;

use serde::Deserialize;
use serde_json::Value;

use crate::causes::{Cause, Code};
use crate::cluster::snapshot::{BadText, document};
use crate::diagnose::Verdict;
use crate::net::Protocol;

/// Many paths, with what is expected of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    pub name: String,
    pub checks: Vec<Check>,
}

/// One path, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
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
struct Entry {
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
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "one end, or a list of ends")]
enum Ends {
    One(String),
    Many(Vec<String>),
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
        for (number, entry) in (1..).zip(file.checks) {
            let entry: Entry = serde_json::from_value(entry)
                .map_err(|error| bad(&format_args!("check {number}: "), &error))?;
            let at = entry
                .name
                .clone()
                .unwrap_or_else(|| format!("check {number}"));
            let expanded = entry.expand(file.namespace.as_deref());
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
}

// === impl Entry ===

impl Entry {
    fn expand(&self, namespace: Option<&str>) -> Result<Vec<Check>, BadSuite> {
        let verdict = verdict(self.expect.as_deref().unwrap_or("Reachable"))?;
        let code = self.code.as_deref().map(known_code).transpose()?;
        let protocol = self.protocol.as_deref().map(str::parse::<Protocol>);
        let protocol = protocol.transpose().map_err(|bad| BadSuite {
            message: bad.to_string(),
            hint: String::new(),
        })?;
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
                });
            }
        }
        Ok(checks)
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
        message: format!("{text:?} is no verdict"),
        hint: "expect Reachable, Degraded, Unreachable or Undetermined".to_owned(),
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
                "check 1: \"open\" is no verdict",
                "Degraded",
            ),
            (
                "- {from: a, to: b}\n- {from: a, to: b, code: POL-2}",
                "check 2: there is no cause",
                "POL-02",
            ),
            ("- {from: a, to: b, protocol: icmp}", "icmp", ""),
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
