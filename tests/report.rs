//! What people see, looked at by eye and kept: `UPDATE=1 cargo test --test integration report`.

use clap::Parser;
use netpath::causes::{Block, causes};
use netpath::cli::Cli;
use netpath::commands::{examine, question};
use netpath::demo::{DEMOS, NAMESPACE};
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

/// Every cause can be explained, in a terminal of any width.
#[test]
fn every_cause_is_explained() {
    for cause in causes() {
        let words = ["kubectl-netpath", "explain", cause.code.as_str()];
        let cli = Cli::try_parse_from(words).expect("a command line");
        let mut text = Vec::new();
        netpath::commands::run(cli, &mut text).expect("an explanation");
        let text = String::from_utf8(text).expect("UTF-8");
        let heading = format!("{}  {}\n", cause.code, cause.title);
        assert!(text.starts_with(&heading), "{text}");
        assert!(
            text.contains("How to fix it") && text.contains("https://"),
            "{text}"
        );
        assert_eq!(
            text.contains("Not recognized yet"),
            !cause.is_recognized(),
            "{text}"
        );
    }
}

/// No text tells the reader to run a command that the program itself would refuse.
#[test]
fn netpath_commands_in_the_texts_parse() {
    let blocks =
        causes().flat_map(|cause| cause.sections.iter().flat_map(|section| &section.blocks));
    let lines = blocks.flat_map(|block| match block {
        Block::Verbatim(lines) => lines.as_slice(),
        _ => &[],
    });
    let commands: Vec<&str> = lines
        .copied()
        .filter(|line| line.starts_with("kubectl netpath "))
        .collect();
    assert!(commands.len() > 3, "{commands:?}");
    for command in commands {
        let words = std::iter::once("kubectl-netpath").chain(command.split_whitespace().skip(2));
        let cli = Cli::try_parse_from(words);
        assert!(cli.is_ok(), "{command}: {:?}", cli.err());
    }
}
