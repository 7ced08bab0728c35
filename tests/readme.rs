//! The guide's commands, word for word: those that need no cluster run, the others are at least understood.

use std::process::{Command, Stdio};

use clap::Parser;
use netpath::cli::Cli;
use netpath::suite::Suite;

use crate::support::project;

const README: &str = include_str!("../README.md");

/// The blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in README.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (Some(text), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, Some(name)) if name == language => block = Some(String::new()),
            (None, _) => {}
        }
    }
    blocks
}

/// The words of a shell command up to its comment, pipe or redirection.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#' | '|' | '>' | '&') if word.is_none() => break,
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// Every command line of the plugin in the guide, without `kubectl netpath`.
fn commands() -> Vec<Vec<String>> {
    let shell = blocks("sh").into_iter();
    let shell = shell.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    let console = blocks("console").into_iter();
    let console = console.flat_map(|text| {
        let lines = text.lines().filter_map(|line| line.strip_prefix("$ "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    });
    let all = shell.chain(console).filter_map(|line| {
        let line = line.strip_prefix("kubectl netpath")?;
        Some(words(line))
    });
    all.collect()
}

#[test]
fn every_command_is_understood() {
    let all = commands();
    assert!(all.len() > 20, "{}", all.len());
    for words in all {
        let line = std::iter::once("kubectl-netpath".to_owned()).chain(words.clone());
        if let Err(error) = Cli::try_parse_from(line) {
            panic!("{words:?}: {error}");
        }
    }
}

/// Those that need neither a cluster nor a file that the reader has.
#[test]
fn commands_without_a_cluster_run() {
    const OFFLINE: [&str; 6] = ["demo", "explain", "rbac", "schema", "completion", "version"];
    let mut ran = 0;
    for words in commands() {
        let is_offline = words
            .first()
            .is_some_and(|word| OFFLINE.contains(&word.as_str()));
        if !is_offline {
            continue;
        }
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
            .args(&words)
            .env("KUBECONFIG", "/nonexistent")
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let code = output.status.code();
        // A demonstration of a break says so.
        assert!(matches!(code, Some(0 | 1)), "{words:?}: {code:?}");
        assert!(!output.stdout.is_empty(), "{words:?}");
        ran += 1;
    }
    assert!(ran >= 3, "{ran}");
}

/// The first report is the one that the demonstration prints.
#[test]
fn the_first_report_is_that_of_the_demonstration() {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
        .arg("demo")
        .output()
        .expect("the program runs");
    let report = String::from_utf8(output.stdout).expect("UTF-8");
    let first = blocks("console").into_iter().next().expect("a report");
    // What else it can show follows.
    let report = report.split("\nMore: ").next().unwrap_or_default();
    assert_eq!(first.trim_end(), report.trim_end());
}

#[test]
fn suites_of_the_guide_are_suites() {
    let suites = blocks("yaml")
        .into_iter()
        .filter(|text| text.contains("kind: Suite"));
    let suites: Vec<String> = suites.collect();
    assert!(!suites.is_empty());
    for text in suites {
        if let Err(bad) = Suite::read(&text, "README.md") {
            panic!("{}", bad.message);
        }
    }
}

/// Scripts and files that the guide names are there.
#[test]
fn files_of_the_guide_are_there() {
    for name in [
        ".ci/run",
        ".ci/release",
        "tests/run",
        ".krew.yaml",
        "Dockerfile",
        "completions/kubectl_complete-netpath",
        "man",
        "schemas",
    ] {
        assert!(README.contains(name), "{name} is not told of");
        assert!(project().join(name).exists(), "{name}");
    }
}
