//! Every question of a table of cases, asked through the engine the program uses.

use std::path::{Path, PathBuf};

use clap::Parser;
use netpath::cli::Cli;
use netpath::cluster::snapshot;
use netpath::commands::{examine, question};
use netpath::diagnose::{Severity, Verdict};
use netpath::observe::Observations;
use netpath::report::PathReport;
use netpath::world::World;
use serde::Deserialize;

use crate::support::{corpus, project};

/// Of the denials, how many may have another cause first: one in twenty.
const SPARE: usize = 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    manifests: Vec<String>,
    questions: Vec<Question>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question {
    src: String,
    dst: String,
    port: u16,
    #[serde(default)]
    request: Option<Requested>,
    expect: String,
    #[serde(default)]
    decided_by: Option<Object>,
    #[serde(default)]
    also_decided_by: Vec<Option<Object>>,
    code: Option<String>,
    #[serde(default)]
    also_codes: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct Requested {
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    host: Option<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
struct Object {
    kind: String,
    #[serde(default)]
    namespace: String,
    name: String,
}

/// What came of all questions.
#[derive(Default)]
struct Score {
    asked: usize,
    wrong: Vec<String>,
    denials: usize,
    codes: Vec<String>,
    objects: Vec<String>,
}

#[test]
fn every_verdict_of_the_corpus_is_right_and_most_causes() {
    if let Some(folder) = corpus("mesh") {
        check(&folder, SPARE);
    }
}

#[test]
fn every_pinned_answer_is_right() {
    check(&project().join("tests/mesh/pinned"), usize::MAX);
}

fn check(folder: &Path, spare: usize) {
    let mut score = Score::default();
    for file in cases(&folder.join("cases")) {
        let text = std::fs::read_to_string(&file).expect("a case");
        let case: Case = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        ask(&case, &folder.join("manifests"), &mut score);
    }
    println!(
        "{} questions: {} verdicts wrong; of {} denials {} causes and {} objects are others",
        score.asked,
        score.wrong.len(),
        score.denials,
        score.codes.len(),
        score.objects.len()
    );
    for line in score.codes.iter().chain(&score.objects) {
        println!("  {line}");
    }
    assert!(score.asked > 0, "{} holds no case", folder.display());
    assert!(score.wrong.is_empty(), "{}", score.wrong.join("\n"));
    assert!(
        score.codes.len() <= score.denials / spare,
        "{}",
        score.codes.join("\n")
    );
}

fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

fn ask(case: &Case, manifests: &Path, score: &mut Score) {
    let texts: Vec<String> = case
        .manifests
        .iter()
        .map(|name| std::fs::read_to_string(manifests.join(name)).expect("a manifest"))
        .collect();
    let view = snapshot::parse("objects.yaml", &texts.join("\n---\n")).expect("objects");
    let world = World::of(&view);
    for asked in &case.questions {
        score.asked += 1;
        let words = words(asked);
        let cli = Cli::try_parse_from(&words).unwrap_or_else(|error| panic!("{error}"));
        let request = question(&cli.trace, "default").unwrap_or_else(|error| panic!("{error}"));
        let report = examine(&world, &request, &Observations::default());
        let report = report.unwrap_or_else(|error| panic!("{}: {error}", case.name));
        judge(case, asked, &report, score);
    }
}

/// As somebody would type it.
fn words(asked: &Question) -> Vec<String> {
    let destination = match asked.dst.split('/').collect::<Vec<_>>()[..] {
        ["external", "Host", name] => format!("dns/{name}:{}", asked.port),
        ["external", "IP", address] => format!("ip/{address}:{}", asked.port),
        _ => format!("{}:{}", asked.dst, asked.port),
    };
    let mut words = vec!["kubectl-netpath".to_owned(), asked.src.clone(), destination];
    let mut flag = |name: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
    };
    if let Some(request) = &asked.request {
        flag("--method", request.method.clone());
        flag("--path", request.path.clone());
        flag(
            "-H",
            request.host.as_ref().map(|host| format!("Host: {host}")),
        );
    }
    words
}

fn judge(case: &Case, asked: &Question, report: &PathReport, score: &mut Score) {
    let found = match report.verdict {
        Verdict::Reachable => "allow",
        Verdict::Undetermined => "unknown",
        Verdict::Unreachable | Verdict::Degraded => "deny",
    };
    let faults: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Notice)
        .collect();
    let told = |finding: &&netpath::report::ReportFinding| {
        let object = finding
            .object
            .as_ref()
            .map(|blame| blame.object.to_string());
        format!(
            "{} {} ({})",
            finding.code,
            object.unwrap_or_default(),
            finding.summary
        )
    };
    let what = format!(
        "{}: {} → {}:{}",
        case.name, asked.src, asked.dst, asked.port
    );
    if found != asked.expect {
        let told: Vec<String> = faults.iter().map(told).collect();
        let open: Vec<&str> = report
            .paths
            .iter()
            .flat_map(|path| &path.hops)
            .filter(|hop| hop.status == netpath::path::Status::Unknown)
            .map(|hop| hop.summary.as_str())
            .collect();
        score.wrong.push(format!(
            "{what}: {found}, not {}: {told:?} {open:?}",
            asked.expect
        ));
        return;
    }
    if found != "deny" {
        return;
    }
    score.denials += 1;
    let first = faults.first();
    let code = first.map(|finding| finding.code.clone());
    // A cause of another family stands for none of a mesh.
    let code = code.filter(|code| code.starts_with("MESH-"));
    if code != asked.code && !asked.also_codes.contains(&code) {
        let first = first.map_or_else(String::new, told);
        score
            .codes
            .push(format!("{what}: {first}, not {:?}", asked.code));
    }
    let Some(expected) = &asked.decided_by else {
        return;
    };
    let object = first
        .and_then(|finding| finding.object.as_ref())
        .map(|blame| Object {
            kind: blame.object.kind.clone(),
            namespace: blame.object.namespace.clone(),
            name: blame.object.name.clone(),
        });
    let is_right = object.as_ref() == Some(expected) || asked.also_decided_by.contains(&object);
    if !is_right {
        let first = first.map_or_else(String::new, told);
        score.objects.push(format!("{what}: blames {first}"));
    }
}
