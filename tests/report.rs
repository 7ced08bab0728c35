//! What people see, looked at by eye and kept: `UPDATE=1 cargo test --test integration report`.

use std::path::PathBuf;

use clap::Parser;
use netpath::cli::Cli;
use netpath::commands::{examine, question};
use netpath::demo::{DEMOS, NAMESPACE};
use netpath::diagnose::catalogue;
use netpath::observe::Observations;
use netpath::report::Format;
use netpath::report::{self, PathReport};
use netpath::terminal::Terminal;
use netpath::world::World;

use crate::support::golden;

/// A terminal of a width.
const fn terminal(width: u16) -> Terminal {
    Terminal {
        width: Some(width),
        ..Terminal::PLAIN
    }
}

/// The report of a demonstration.
fn demonstration(name: &str) -> PathReport {
    let demo = netpath::demo::find(name).expect("a demonstration");
    let words = ["kubectl-netpath", demo.source, demo.destination];
    let cli = Cli::try_parse_from(words).expect("a command line");
    let request = question(&cli.trace, NAMESPACE).expect("a question");
    examine(&World::of(&demo.view()), &request, &Observations::default()).expect("both ends")
}

fn shown(report: &PathReport, format: Format, terminal: Terminal) -> String {
    let mut text = Vec::new();
    report::print(report, format, terminal, &mut text).expect("memory");
    String::from_utf8(text).expect("UTF-8")
}

/// No line is longer than the terminal, commands apart: they are pasted.
fn fits(text: &str, width: usize) {
    for line in text.lines() {
        let is_command = line.trim_start().starts_with("kubectl ");
        assert!(is_command || line.chars().count() <= width, "{line}");
    }
}

#[test]
fn demonstrations_look_as_they_did() {
    for demo in DEMOS {
        let report = demonstration(demo.name);
        for width in [80, 120, 200] {
            let text = shown(&report, Format::Text, terminal(width));
            fits(&text, usize::from(width));
            if width != 200 {
                golden(&format!("tests/golden/{}-{width}.txt", demo.name), &text);
            }
        }
    }
}

/// The README shows what the program prints today.
#[test]
fn the_readme_shows_the_demonstration() {
    let readme = include_str!("../README.md");
    let text = shown(&demonstration("locked-out"), Format::Text, Terminal::PLAIN);
    assert!(readme.contains(&text), "README.md should show:\n{text}");
}

#[test]
fn every_form_of_one_report() {
    let report = demonstration("locked-out");
    let ascii = Terminal {
        unicode: false,
        ..terminal(100)
    };
    let color = Terminal {
        color: true,
        ..terminal(100)
    };
    for (name, format, terminal) in [
        ("ascii.txt", Format::Text, ascii),
        ("color.txt", Format::Text, color),
        ("wide.txt", Format::Wide, terminal(120)),
        ("json", Format::Json, Terminal::PLAIN),
        ("yaml", Format::Yaml, Terminal::PLAIN),
    ] {
        let text = shown(&report, format, terminal);
        golden(&format!("tests/golden/locked-out.{name}"), &text);
        assert!(name != "ascii.txt" || text.is_ascii(), "{text}");
    }
}

/// Colour is only ever added: without its escapes the text is the same.
#[test]
fn colour_changes_no_word() {
    for demo in DEMOS {
        let report = demonstration(demo.name);
        for format in [Format::Text, Format::Wide] {
            let plain = shown(&report, format, terminal(100));
            let color = Terminal {
                color: true,
                ..terminal(100)
            };
            let mut bare = String::new();
            let colored = shown(&report, format, color);
            let mut parts = colored.split('\u{1b}');
            bare.push_str(parts.next().unwrap_or_default());
            for part in parts {
                bare.push_str(part.split_once('m').map_or("", |(_, text)| text));
            }
            let trimmed = |text: &str| -> Vec<String> {
                text.lines()
                    .map(|line| line.trim_end().to_owned())
                    .collect()
            };
            assert_eq!(trimmed(&bare), trimmed(&plain), "{}", demo.name);
        }
    }
}

/// JSON and YAML are the same tree, and the contract's fields are all there.
#[test]
fn forms_for_scripts_agree() {
    for demo in DEMOS {
        let report = demonstration(demo.name);
        let json: serde_json::Value =
            serde_json::from_str(&shown(&report, Format::Json, Terminal::PLAIN)).expect("JSON");
        let yaml = shown(&report, Format::Yaml, Terminal::PLAIN);
        let yaml = netpath::cluster::snapshot::objects(&yaml).expect("YAML");
        assert_eq!(yaml[0], json, "{}", demo.name);
        for field in [
            "apiVersion",
            "kind",
            "verdict",
            "basis",
            "source",
            "destination",
            "paths",
            "findings",
            "unread",
            "left",
        ] {
            assert!(json.get(field).is_some(), "{}: {field}", demo.name);
        }
        assert_eq!(json["apiVersion"], "netpath/v1");
        assert_eq!(json["kind"], "PathReport");
        for finding in json["findings"].as_array().expect("a list") {
            for field in [
                "code",
                "title",
                "severity",
                "confidence",
                "stage",
                "summary",
                "evidence",
                "fix",
            ] {
                assert!(finding.get(field).is_some(), "{}: {field}", demo.name);
            }
        }
    }
}

/// Every cause can be explained, and its entry says what it is and how it is fixed.
#[test]
fn every_cause_is_explained() {
    for cause in catalogue() {
        let words = ["kubectl-netpath", "explain", &cause.code];
        let cli = Cli::try_parse_from(words).expect("a command line");
        let mut text = Vec::new();
        netpath::commands::run(cli, &mut text).expect("an explanation");
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(
            text.starts_with(&format!("{}  {}", cause.code, cause.title)),
            "{text}"
        );
        assert!(
            !cause.what.is_empty() && !cause.fix.is_empty(),
            "{}",
            cause.code
        );
    }
}

/// A code that the source can report but the catalogue does not have could not be explained.
#[test]
fn every_code_in_the_source_is_in_the_catalogue() {
    let is_code = |text: &str| {
        let (family, number) = text.split_once('-').unwrap_or((text, ""));
        (2..=4).contains(&family.len())
            && family.bytes().all(|byte| byte.is_ascii_uppercase())
            && number.len() == 2
            && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut folders: Vec<PathBuf> = vec![crate::support::project().join("src")];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                for quoted in text
                    .split('"')
                    .skip(1)
                    .step_by(2)
                    .filter(|text| is_code(text))
                {
                    found += 1;
                    let cause = netpath::diagnose::cause(quoted);
                    assert!(cause.is_some(), "{quoted} in {}", path.display());
                }
            }
        }
    }
    assert!(found > 50, "{found}");
}
