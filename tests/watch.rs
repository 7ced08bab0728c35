//! Asking again and again: what is told of a change, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use netpath::commands::examine;
use netpath::demo;
use netpath::exit::Exit;
use netpath::observe::Observations;
use netpath::report::watch::{Change, History, Kind, Printer};
use netpath::report::{Format, PathReport};
use netpath::target::Request;
use netpath::terminal::Terminal;
use netpath::world::World;
use netpath_lab::{Lab, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{golden, project};

/// What the path from pod/client-1 to svc/api is in a demonstration's world.
fn answer(name: &str) -> PathReport {
    let demo = demo::find(name).expect("a demonstration");
    let request = Request {
        source: "pod/client-1".parse().expect("a pod"),
        destination: "svc/api".parse().expect("a Service"),
        source_namespace: demo::NAMESPACE.to_owned(),
        destination_namespace: demo::NAMESPACE.to_owned(),
        protocol: None,
        http: netpath::target::HttpAsked::default(),
    };
    examine(&World::of(&demo.view()), &request, &Observations::default()).expect("both ends")
}

/// One answer a minute.
fn watched(answers: &[Result<PathReport, String>]) -> (Vec<Change>, History) {
    let mut history = History::default();
    let mut changes = Vec::new();
    for (minute, answer) in answers.iter().enumerate() {
        let at = format!("2026-11-30T20:{minute:02}:00Z");
        changes.extend(history.add(&at, answer));
    }
    (changes, history)
}

fn shown(changes: &[Change], history: &History, format: Format) -> String {
    let terminal = Terminal {
        width: Some(100),
        ..Terminal::PLAIN
    };
    let printer = Printer { format, terminal };
    let mut text = Vec::new();
    for change in changes {
        printer.change(change, &mut text).expect("memory");
    }
    let summary = history.summary("2026-11-30T20:59:00Z", Vec::new());
    printer.summary(&summary, &mut text).expect("memory");
    String::from_utf8(text).expect("UTF-8")
}

/// What breaks is told once with its place, what stays broken is not told again, and what heals is told once.
#[test]
fn only_changes_are_told() {
    let rounds = [
        "healthy",
        "healthy",
        "locked-out",
        "locked-out",
        "healthy",
        "selector-typo",
        "healthy",
    ];
    let mut answers: Vec<_> = rounds.map(|name| Ok(answer(name))).into();
    answers.insert(4, Err("the server does not answer".to_owned()));
    answers.insert(5, Err("the server does not answer".to_owned()));
    let (changes, history) = watched(&answers);
    let kinds: Vec<(usize, Kind, Option<&str>)> = changes
        .iter()
        .filter(|change| change.backends.is_empty())
        .map(|change| (change.round, change.change, change.code.as_deref()))
        .collect();
    assert_eq!(
        kinds,
        [
            (1, Kind::Began, None),
            (3, Kind::Verdict, None),
            (3, Kind::Broke, Some("POL-02")),
            (5, Kind::NotAsked, None),
            (7, Kind::Verdict, None),
            (7, Kind::Healed, Some("POL-02")),
            (8, Kind::Verdict, None),
            (8, Kind::Broke, Some("SVC-01")),
            (9, Kind::Verdict, None),
            (9, Kind::Healed, Some("SVC-01")),
        ]
    );
    golden(
        "tests/golden/watch.txt",
        &shown(&changes, &history, Format::Text),
    );
}

/// Backends have a line each: they come, go, fail and answer again.
#[test]
fn every_backend_has_its_line() {
    let (changes, history) = watched(&[Ok(answer("healthy")), Ok(answer("locked-out"))]);
    let failing = changes.iter().find(|change| !change.backends.is_empty());
    let failing = failing.expect("the backends fail");
    assert_eq!((failing.change, failing.backends.len()), (Kind::Broke, 3));
    let (changes, _) = watched(&[Ok(answer("healthy")), Ok(answer("selector-typo"))]);
    let gone = changes.iter().find(|change| change.change == Kind::Removed);
    assert_eq!(gone.map(|change| change.backends.len()), Some(3));
    let summary = history.summary("", Vec::new());
    assert_eq!(summary.tracks.len(), 3);
    assert!(summary.tracks.iter().all(|track| track.failed_rounds == 1));
    assert_eq!(summary.verdicts.exit(), Exit::Broken);
}

/// For scripts: a line of JSON for every change, and one for the summary.
#[test]
fn changes_are_lines_of_json() {
    let (changes, history) = watched(&[Ok(answer("healthy")), Ok(answer("locked-out"))]);
    let text = shown(&changes, &history, Format::Json);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let (last, before) = lines.split_last().expect("lines");
    assert!(before.iter().all(|line| line["kind"] == "PathChange"));
    assert_eq!(last["kind"], "WatchReport");
    assert_eq!(last["verdicts"]["unreachable"], 1);
    assert_eq!(
        shown(&changes, &history, Format::Yaml)
            .matches("---\n")
            .count(),
        lines.len()
    );
}

const IMAGE: &str = "localhost/kubectl-netpath:dev";

fn lab() -> Option<Lab> {
    Lab::start_or_skip(&Options {
        scenario: Some(project().join("crates/lab/scenarios/ok-pod-to-service")),
        images: [(IMAGE.to_owned(), vec![env!("NETPATH_AGENT").to_owned()])].into(),
        ..Options::default()
    })
}

fn ask(lab: &Lab, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"));
    command
        .args(["client-1", "svc/api", "-n", "shop", "--agent-image", IMAGE])
        .args(flags)
        .env("KUBECONFIG", lab.kubeconfig())
        .stdin(Stdio::null());
    command
}

/// Three rounds over a cluster that stays as it is: one line, and what was measured over all of them.
#[test]
fn rounds_are_counted() {
    let Some(lab) = lab() else { return };
    let flags = ["--count", "3", "--interval", "0", "-o", "json"];
    let output = ask(&lab, &flags).output().expect("the program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [began, summary] = lines.as_slice() else {
        panic!("{text}");
    };
    assert_eq!(began["change"], "began");
    assert_eq!(summary["rounds"], 3);
    let service = &summary["tracks"][0];
    assert_eq!(
        (&service["object"], &service["lost"]),
        (&"svc/api".into(), &0.into())
    );
    assert!(service["tries"].as_u64() >= Some(90), "{service}");
}

/// Ctrl-C ends it with the summary, and with the exit code of an interrupt.
#[test]
fn an_interrupt_ends_with_the_summary() {
    let Some(lab) = lab() else { return };
    let mut child = ask(&lab, &["--watch", "--no-probe"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    out.read_line(&mut first).expect("a line");
    assert!(first.contains("Reachable (predicted)"), "{first}");
    let pid = i32::try_from(child.id()).expect("a pid");
    kill(Pid::from_raw(pid), Signal::SIGINT).expect("a signal");
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("UTF-8");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(
        rest.contains("Reachable\n") && rest.contains("pod/api-"),
        "{rest}"
    );
}

/// What makes no sense together is refused.
#[test]
fn flags_of_watching_are_checked() {
    for flags in [
        &["--watch", "--count", "2"][..],
        &["--interval", "2s"],
        &["--count", "0"],
        &["--watch", "--snapshot", "src/demo/world.json"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_kubectl-netpath"))
            .args(["a", "b"])
            .args(flags)
            .output()
            .expect("the program runs");
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
    }
}
