//! One answer through every door: of a live server, of a capture of the path, and of everything.

use std::path::PathBuf;

use k8s_openapi::jiff::Timestamp;
use netpath::cluster::live::read_keeping;
use netpath::cluster::snapshot::{Capture, load};
use netpath::cluster::{ClusterView, Facts};
use netpath::report::PathReport;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::api::{Scenario, scenarios};
use super::expectation::{Expectation, faults};
use super::oddities::oddities;
use super::report;
use super::world::{TAKEN_AT, World};
use crate::live::stub::Stub;

/// So many scenarios get a coarser answer live than from everything, since a bounded number of requests does not
/// bring what tells the finer cause. It may only go down.
const COARSER: usize = 75;

/// A question and the world it is asked of.
struct Asked {
    name: String,
    expected: Expectation,
    world: World,
}

#[test]
fn one_answer_through_every_door() {
    let planted = scenarios().into_iter().map(|scenario| {
        let Scenario {
            name,
            expected,
            overlay,
        } = scenario;
        (name, expected, overlay)
    });
    let odd = oddities()
        .into_iter()
        .map(|oddity| (oddity.name, oddity.expected, oddity.overlay));
    let all: Vec<Asked> = planted
        .chain(odd)
        // What was gathered inside pods is not in the API.
        .filter(|(.., overlay)| !overlay.has_facts())
        .map(|(name, expected, overlay)| Asked {
            name,
            expected,
            world: World::base().with(&overlay),
        })
        .collect();
    let runtime = Runtime::new().expect("a runtime");
    let asked = all.len();
    let mut coarser = Vec::new();
    let complaints: Vec<String> = all
        .iter()
        .flat_map(|one| complaints(&runtime, one, &mut coarser))
        .collect();
    report(&complaints, asked);
    assert!(
        coarser.len() <= COARSER,
        "{} are coarser live:\n{}",
        coarser.len(),
        coarser.join("\n")
    );
}

/// How the answers of one question differ.
fn complaints(runtime: &Runtime, asked: &Asked, coarser: &mut Vec<String>) -> Vec<String> {
    let whole = answer(asked, &asked.world.view());
    let stub = Stub::of(asked.world.objects().cloned().collect());
    let config = kube::Config::new(stub.url.parse().expect("a URL"));
    let mut objects = Vec::new();
    let live = runtime.block_on(async {
        let client = kube::Client::try_from(config).expect("a client");
        read_keeping(&client, &asked.expected.request(), Some(&mut objects)).await
    });
    let mut live = live.expect("a view");
    live.taken_at = TAKEN_AT.parse().ok();
    let scoped = captured(&asked.name, objects, &live);
    let (live, scoped) = (answer(asked, &live), answer(asked, &scoped));
    let mut complaints = Vec::new();
    if scoped != live {
        complaints.push(format!(
            "{}: live {live:?}, of its capture {scoped:?}",
            asked.name
        ));
    }
    if live != whole {
        coarser.push(format!(
            "{}: live {live:?}, of everything {whole:?}",
            asked.name
        ));
    }
    complaints
}

/// The same objects by way of a folder.
fn captured(name: &str, objects: Vec<Value>, live: &ClusterView) -> ClusterView {
    let folder: PathBuf =
        std::env::temp_dir().join(format!("netpath-door-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let capture = Capture {
        objects,
        facts: Facts::default(),
        unread: live.unread.clone(),
        coverage: live.coverage().cloned(),
        server_version: live.server_version.clone(),
        taken_at: TAKEN_AT.parse().unwrap_or(Timestamp::UNIX_EPOCH),
    };
    capture.write(&folder).expect("a folder");
    let view = load(&folder).expect("a capture");
    std::fs::remove_dir_all(&folder).expect("a folder of our own");
    view
}

/// Verdict, and of every fault its code, whom it blames and what fixes it.
fn answer(asked: &Asked, view: &ClusterView) -> Result<(String, Vec<String>), String> {
    let report: PathReport = asked.expected.ask(view)?;
    let told = faults(&report).into_iter().map(|finding| {
        let object = finding.object.as_ref();
        let object = object.map_or_else(String::new, |blame| blame.object.to_string());
        let fix = &finding.fix;
        format!(
            "{} {object}: {} {:?}",
            finding.code, fix.summary, fix.commands
        )
    });
    Ok((format!("{:?}", report.verdict), told.collect()))
}
