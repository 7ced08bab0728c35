//! Prometheus text: what became of every check, for a textfile collector or a Pushgateway.
//!
//! The format is that of Prometheus (exposition formats, text, 0.0.4): values in base units, labels escaped.

use std::fmt::Write as _;

use super::{CheckReport, SuiteReport};
use crate::report::{Aim, Measurement};
use crate::suite::Outcome;

/// The whole file.
#[must_use]
pub fn metrics(report: &SuiteReport) -> String {
    let mut page = Page {
        suite: &report.name,
        text: String::new(),
    };
    page.suite(report);
    page.family(
        "netpath_check_ok",
        "gauge",
        "Whether a check ended as expected.",
    );
    for check in &report.checks {
        let is_ok = matches!(check.outcome, Outcome::Passed | Outcome::Flaky);
        let outcome = [("outcome", word(check.outcome))];
        page.sample(
            "netpath_check_ok",
            check,
            &outcome,
            f64::from(u8::from(is_ok)),
        );
    }
    page.family(
        "netpath_check_cause",
        "gauge",
        "The deciding cause of what a check found, and the object to blame.",
    );
    for check in &report.checks {
        let findings = check.path.iter().filter_map(|path| path.findings.first());
        for finding in findings.filter(|one| one.severity != crate::diagnose::Severity::Notice) {
            let object = finding
                .object
                .as_ref()
                .map(|blame| blame.object.to_string());
            let object = object.unwrap_or_default();
            let labels = [("code", finding.code.as_str()), ("object", object.as_str())];
            page.sample("netpath_check_cause", check, &labels, 1.0);
        }
    }
    page.measurements(report);
    page.text
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Flaky => "flaky",
        Outcome::Failed => "failed",
        Outcome::Undetermined => "undetermined",
        Outcome::NotAsked => "not_asked",
    }
}

const fn aim(measured: &Measurement) -> &'static str {
    match measured.aim {
        Aim::Service => "service",
        Aim::Backend => "backend",
        Aim::Name => "name",
    }
}

/// What is written so far.
struct Page<'r> {
    suite: &'r str,
    text: String,
}

// === impl Page ===

impl Page<'_> {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn suite(&mut self, report: &SuiteReport) {
        let tally = report.tally;
        self.family(
            "netpath_checks",
            "gauge",
            "How many checks ended in which way.",
        );
        for (outcome, number) in [
            (Outcome::Passed, tally.passed),
            (Outcome::Flaky, tally.flaky),
            (Outcome::Failed, tally.failed),
            (Outcome::Undetermined, tally.undetermined),
            (Outcome::NotAsked, tally.not_asked),
        ] {
            let suite = escape(self.suite);
            let outcome = word(outcome);
            let _ = writeln!(
                self.text,
                "netpath_checks{{suite=\"{suite}\",outcome=\"{outcome}\"}} {number}"
            );
        }
        self.family(
            "netpath_suite_duration_seconds",
            "gauge",
            "How long asking took.",
        );
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one run")]
        let seconds = report.elapsed_ms as f64 / 1e3;
        let suite = escape(self.suite);
        let _ = writeln!(
            self.text,
            "netpath_suite_duration_seconds{{suite=\"{suite}\"}} {seconds}"
        );
    }

    fn measurements(&mut self, report: &SuiteReport) {
        let measured = || {
            let all = report.checks.iter();
            all.flat_map(|check| {
                let path = check.path.iter();
                path.flat_map(move |path| path.measurements.iter().map(move |one| (check, one)))
            })
        };
        self.family(
            "netpath_connects",
            "gauge",
            "Connects and lookups that were tried.",
        );
        for (check, one) in measured() {
            self.number("netpath_connects", check, one, one.tries);
        }
        self.family(
            "netpath_connects_lost",
            "gauge",
            "Those that were not answered.",
        );
        for (check, one) in measured() {
            self.number("netpath_connects_lost", check, one, one.lost);
        }
        let name = "netpath_connect_seconds";
        self.family(name, "gauge", "Time to connect, by quantile.");
        for (check, one) in measured() {
            for (quantile, time) in [("0.5", one.p50_us), ("0.95", one.p95_us)] {
                let Some(time) = time else { continue };
                let labels = [("aim", aim(one)), ("to", &one.to), ("quantile", quantile)];
                #[expect(clippy::cast_precision_loss, reason = "microseconds of one connect")]
                self.sample(name, check, &labels, time as f64 / 1e6);
            }
        }
    }

    fn number(&mut self, name: &str, check: &CheckReport, one: &Measurement, number: usize) {
        let labels = [("aim", aim(one)), ("to", one.to.as_str())];
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        self.sample(name, check, &labels, number as f64);
    }

    fn sample(&mut self, name: &str, check: &CheckReport, more: &[(&str, &str)], value: f64) {
        let own = [
            ("suite", self.suite),
            ("check", check.name.as_str()),
            ("source", check.source.as_str()),
            ("destination", check.destination.as_str()),
        ];
        let labels = own.iter().chain(more);
        let labels: Vec<String> = labels
            .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
            .collect();
        let _ = writeln!(self.text, "{name}{{{}}} {value}", labels.join(","));
    }
}

/// A label's value: backslashes, quotes and line ends are escaped.
fn escape(text: &str) -> String {
    let text = text.replace('\\', "\\\\");
    text.replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_stay_on_their_line() {
        assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
