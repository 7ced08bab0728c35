//! JUnit's XML, as CI systems read it: a check that fails is a failure; one that could not be told or
//! asked is an error.

use std::io::{self, Write};

use super::{SuiteReport, text::details};
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
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"{name}\" {counts}>")?;
    writeln!(out, "  <testsuite name=\"{name}\" {counts}>")?;
    for check in &report.checks {
        let case = format!("name=\"{}\" classname=\"{name}\"", escape(&check.name));
        let (element, kind) = match check.outcome {
            Outcome::Passed => {
                writeln!(out, "    <testcase {case}/>")?;
                continue;
            }
            Outcome::Failed => ("failure", "failed"),
            Outcome::Undetermined => ("error", "undetermined"),
            Outcome::NotAsked => ("error", "notAsked"),
        };
        writeln!(out, "    <testcase {case}>")?;
        let message = escape(&check.why);
        let text = escape(&details(check).join("\n"));
        writeln!(
            out,
            "      <{element} type=\"{kind}\" message=\"{message}\">{text}</{element}>"
        )?;
        writeln!(out, "    </testcase>")?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
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
