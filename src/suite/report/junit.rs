//! JUnit's XML, as CI systems read it: a check that fails is a failure; one that could not be told or
//! asked is an error.
//!
//! Ant's schema (which wants an id, a package, a time stamp and a host) and Jenkins's (which wants none of it) both
//! accept the result.

use std::io::{self, Write};

use super::text::{commands, details};
use super::{CheckReport, SuiteReport};
use crate::suite::Outcome;

pub(super) fn print(report: &SuiteReport, out: &mut dyn Write) -> io::Result<()> {
    let tally = report.tally;
    let errors = tally.undetermined + tally.not_asked;
    let name = escape(&report.name);
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{errors}\"",
        report.checks.len(),
        tally.failed
    );
    // The schema wants seconds, and no zone: the time is UTC.
    let at = report.at.get(..19).unwrap_or("1970-01-01T00:00:00");
    let time = seconds(report.elapsed_ms * 1_000);
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites>")?;
    writeln!(
        out,
        "  <testsuite name=\"{name}\" {counts} time=\"{time}\" timestamp=\"{at}\" hostname=\"localhost\" id=\"0\" package=\"netpath\">"
    )?;
    writeln!(out, "    <properties>")?;
    let tool = report.tool;
    writeln!(
        out,
        "      <property name=\"tool\" value=\"{} {}\"/>",
        tool.name, tool.version
    )?;
    writeln!(out, "    </properties>")?;
    for check in &report.checks {
        case(check, &name, out)?;
    }
    let flaky = report.checks.iter();
    let flaky = flaky.filter(|check| check.outcome == Outcome::Flaky);
    let notes: Vec<String> = flaky
        .map(|check| format!("flaky: {}: {}", check.name, check.why))
        .collect();
    writeln!(
        out,
        "    <system-out>{}</system-out>",
        escape(&notes.join("\n"))
    )?;
    writeln!(out, "    <system-err></system-err>")?;
    writeln!(out, "  </testsuite>\n</testsuites>")
}

fn case(check: &CheckReport, suite: &str, out: &mut dyn Write) -> io::Result<()> {
    let case = format!(
        "name=\"{}\" classname=\"{suite}\" time=\"{}\"",
        escape(&check.name),
        seconds(check.elapsed_us)
    );
    let (element, kind) = match check.outcome {
        Outcome::Passed | Outcome::Flaky => return writeln!(out, "    <testcase {case}/>"),
        Outcome::Failed => ("failure", "failed"),
        Outcome::Undetermined => ("error", "undetermined"),
        Outcome::NotAsked => ("error", "notAsked"),
    };
    writeln!(out, "    <testcase {case}>")?;
    let message = escape(&check.message());
    let text = [details(check), commands(check)].concat().join("\n");
    let text = escape(&text);
    writeln!(
        out,
        "      <{element} type=\"{kind}\" message=\"{message}\">{text}</{element}>"
    )?;
    writeln!(out, "    </testcase>")
}

/// `0.042`
fn seconds(microseconds: u64) -> String {
    let milliseconds = microseconds.div_ceil(1_000);
    format!("{}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
}

/// Escapes text for attributes and content, without the characters XML 1.0 has no form for.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            other if other.is_control() || matches!(other, '\u{fffe}' | '\u{ffff}') => {}
            other => escaped.push(other),
        }
    }
    escaped
}
