//! One answer through every door: of a live server, of a capture of the path, and of everything.

use std::path::PathBuf;

use k8s_openapi::jiff::Timestamp;
use netpath::cluster::live::{MAX_REQUESTS, read_keeping};
use netpath::cluster::snapshot::{Capture, load};
use netpath::cluster::{ClusterView, Facts, Resource};
use netpath::report::PathReport;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::api::{Scenario, scenarios};
use super::expectation::{Expectation, faults};
use super::oddities::oddities;
use super::report;
use super::world::{TAKEN_AT, World};
use crate::live::stub::Stub;

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
    let complaints: Vec<String> = all
        .iter()
        .flat_map(|one| complaints(&runtime, one))
        .collect();
    report(&complaints, asked);
}

/// How the answers of one question differ.
fn complaints(runtime: &Runtime, asked: &Asked) -> Vec<String> {
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
    let mut complaints = Vec::new();
    for (door, view) in [("live", &live), ("of a capture of the path", &scoped)] {
        let answer = answer(asked, view);
        if answer != whole {
            complaints.push(format!(
                "{} {door}:\n    {answer:?}\n  of everything:\n    {whole:?}",
                asked.name
            ));
        }
    }
    let of_others = [Resource::POLICY_DIALECTS, Resource::GATEWAY_API];
    let custom: Vec<String> = of_others
        .into_iter()
        .flatten()
        .map(|resource| resource.qualified())
        .collect();
    let plain = stub
        .asked()
        .into_iter()
        .filter(|one| !custom.contains(&one.what));
    let plain = plain.count();
    if plain > MAX_REQUESTS {
        complaints.push(format!("{}: {plain} requests", asked.name));
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
