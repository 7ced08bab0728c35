//! The corpora of verdicts beside the project: every case of every set must be right. How it went is
//! written to tables in the target folder, by set and by case.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use netpath::cluster::{Builder, ClusterView, snapshot};
use netpath::net::Protocol;
use netpath::policy::{Answer, Bulk};
use netpath::world::World;
use serde::Deserialize;

use crate::support;

#[derive(Deserialize)]
struct Set {
    name: String,
    manifests: Vec<String>,
    #[serde(default)]
    cases: Vec<Case>,
    /// Where the corpus is thought to be wrong: not scored.
    #[serde(default)]
    disputed_cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    src: String,
    dst: String,
    protocol: Protocol,
    port: u16,
    expect: String,
    ingress: Option<String>,
    egress: Option<String>,
    /// Why it is thought to be wrong.
    disputed: Option<String>,
}

#[test]
fn np_guard() {
    run("np-guard");
}

#[test]
fn cyclonus() {
    run("cyclonus");
}

fn run(name: &str) {
    let Some(corpus) = support::corpus("policy") else {
        return;
    };
    let corpus = corpus.join(name);
    let mut files: Vec<_> = fs::read_dir(corpus.join("cases"))
        .expect("cases/")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let (mut cases, mut wrong) = (0, Vec::new());
    let mut by_set = String::from("set\tallow\tdeny\twrong\n");
    let mut disputed = Disputed::default();
    let mut by_case = String::from("set\tsource\tdestination\tport\texpected\tfound\twhy\n");
    for file in &files {
        let set: Set =
            serde_json::from_str(&fs::read_to_string(file).expect("a set")).expect("a set");
        let view = view(&corpus, &set.manifests);
        cases += set.cases.len();
        let wrong_here = check(&view, &set, &mut by_case);
        disputed.look_at(&view, &set);
        let denied = set.cases.iter().filter(|case| case.expect == "deny");
        let (denied, all) = (denied.count(), set.cases.len());
        let allowed = all - denied;
        let _ = writeln!(
            by_set,
            "{}\t{allowed}\t{denied}\t{}",
            set.name,
            wrong_here.len()
        );
        wrong.extend(wrong_here);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let tables = [
        ("sets", by_set),
        ("cases", by_case),
        ("disputed", disputed.table),
    ];
    let tables = tables.map(|(what, table)| {
        let file = folder.join(format!("policy-{name}-{what}.tsv"));
        fs::write(&file, table).expect("a table of this corpus");
        file.display().to_string()
    });
    eprintln!(
        "{name}: {} sets, {cases} cases, {} wrong; of {} disputed ones we agree with {}; see {}",
        files.len(),
        wrong.len(),
        disputed.agreed + disputed.differ,
        disputed.agreed,
        tables.join(", ")
    );
    assert!(!files.is_empty(), "no sets in {}", corpus.display());
    assert!(
        wrong.is_empty(),
        "{}",
        wrong
            .iter()
            .take(40)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// What is said to disputed cases. Not scored, but where the corpus and we differ it has to be for the
/// reason it is disputed for, and in the way that this reason has it.
#[derive(Default)]
struct Disputed {
    agreed: usize,
    differ: usize,
    table: String,
}

impl Disputed {
    fn look_at(&mut self, view: &ClusterView, set: &Set) {
        let world = World::of(view);
        let mut bulk = Bulk::new(world.policies(), world.ends());
        for case in &set.disputed_cases {
            let answer = bulk.answer(&case.line());
            let reason = case.disputed.as_deref().unwrap_or("no reason");
            let _ = writeln!(self.table, "{reason}\t{}", case.row(set, &answer));
            if case.expect == answer.verdict.to_string() {
                self.agreed += 1;
                continue;
            }
            self.differ += 1;
            // Policies do not select pods of the host's network, and selectors do not see them.
            assert_eq!(reason, "hostNetwork", "{}: {}", set.name, case.line());
            assert!(
                answer.why.contains("node's network"),
                "{}: {}: {answer:?}",
                set.name,
                case.line()
            );
        }
    }
}

impl Case {
    fn line(&self) -> String {
        serde_json::json!({
            "src": self.src, "dst": self.dst, "protocol": self.protocol, "port": self.port,
        })
        .to_string()
    }

    /// What was asked, expected and found, for a table.
    fn row(&self, set: &Set, answer: &Answer) -> String {
        let (name, src, dst) = (&set.name, &self.src, &self.dst);
        let (protocol, port, expect) = (self.protocol, self.port, &self.expect);
        let (verdict, why) = (answer.verdict, &answer.why);
        format!("{name}\t{src}\t{dst}\t{protocol} {port}\t{expect}\t{verdict}\t{why}")
    }
}

fn view(corpus: &Path, manifests: &[String]) -> ClusterView {
    let views = manifests
        .iter()
        .map(|path| snapshot::load(&corpus.join(path)).expect("manifests"));
    views
        .reduce(|world, more| merged(world, &more))
        .expect("at least one manifest")
}

/// A world and the policies put into it.
fn merged(mut world: ClusterView, more: &ClusterView) -> ClusterView {
    for policy in more.network_policies.iter() {
        let meta = &policy.metadata;
        let (namespace, name) = (meta.namespace.clone(), meta.name.clone());
        world.network_policies.insert(
            namespace.unwrap_or_default(),
            name.unwrap_or_default(),
            policy.clone(),
        );
    }
    assert!(more.pods.is_empty(), "only policies are merged");
    Builder::from_view(world).finish()
}

/// The way of the bulk command: a line in, a line out.
fn check(view: &ClusterView, set: &Set, table: &mut String) -> Vec<String> {
    let world = World::of(view);
    let mut bulk = Bulk::new(world.policies(), world.ends());
    let mut wrong = Vec::new();
    for case in &set.cases {
        let line = case.line();
        let answer = bulk.answer(&line);
        let _ = writeln!(table, "{}", case.row(set, &answer));
        let sides = [
            (Some(&case.expect), answer.verdict),
            (case.egress.as_ref(), answer.egress),
            (case.ingress.as_ref(), answer.ingress),
        ];
        for (expected, found) in sides {
            if expected.is_some_and(|expected| *expected != found.to_string()) {
                wrong.push(format!(
                    "{}: {line}: {expected:?} expected, {answer:?}",
                    set.name
                ));
            }
        }
    }
    wrong
}
