//! Annotations of GitHub Actions: one line for every check that did not pass, at its place in the suite.
//!
//! Form and escapes are those of the workflow commands (`::error file=…,line=…,title=…::…`).

use std::io::{self, Write};

use super::{SuiteReport, text};
use crate::suite::Outcome;

pub(super) fn print(report: &SuiteReport, out: &mut dyn Write) -> io::Result<()> {
    for check in &report.checks {
        let level = match check.outcome {
            Outcome::Passed => continue,
            Outcome::Flaky => "warning",
            Outcome::Failed | Outcome::Undetermined | Outcome::NotAsked => "error",
        };
        let mut lines = vec![check.why.clone()];
        lines.extend(text::details(check));
        lines.extend(text::commands(check));
        writeln!(
            out,
            "::{level} file={},line={},title={}::{}",
            property(&report.file),
            check.line,
            property(&check.name),
            message(&lines.join("\n"))
        )?;
    }
    writeln!(out, "{}", text::tally(report))
}

fn message(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}
