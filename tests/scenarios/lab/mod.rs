//! The scenarios of the lab, on networks that are really broken: each fault is proved with plain tools
//! (`lab/NAME/real`), and then the program must name it (`lab/NAME/named`), as a user runs it, probes and all.
//!
//! ```text
//!  crates/lab/scenarios/NAME ─► Lab ─► curl, dig, ping ─► real?
//!                                 └──► kubectl-netpath, probes from an image ─► report ─► as in expect.json?
//! ```
//!
//! `NETPATH_LAB_ALL=1` tries every way kube-proxy has. With `NETPATH_STATIC` naming a static program (see README,
//! "Install"), that one is uploaded.

mod ask;
#[path = "../../lab_api/client.rs"]
#[allow(dead_code, reason = "the other test program uses all of it")]
mod client;
mod interference;
mod named;
mod real;
mod repeat;

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use netpath_lab::proxy::{Backend, Mode, WAYS};
use netpath_lab::scenario::{Scenario, Settings};
use netpath_lab::{Lab, Options};

use crate::harness::{Asked, check, trial};
use crate::support::{beside, project};
use crate::{entries, name_of};

/// A mode of kube-proxy, and the iptables of the nodes.
type Way = (Mode, Backend);

/// Two tests of every scenario.
pub fn trials(asked: &Asked) -> Vec<Trial> {
    let scenarios = entries(&project().join("crates/lab/scenarios")).into_iter();
    let of = |(at, path): (usize, PathBuf)| {
        let (real, named) = (path.clone(), path.clone());
        let name = format!("lab/{}", name_of(&path));
        let proved = trial(format!("{name}/real"), move || real::complaints(&real, at));
        let is_usual = named::USUAL.contains(&&*name_of(&path));
        let name = format!("{name}/named");
        // What takes a minute each runs when it is asked for by name, or with `--include-ignored`.
        let is_ignored = !is_usual && !asked.names(&name);
        let has_question = path.join("expect.json").exists();
        let named = has_question.then(|| {
            trial(name, move || named::complaints(&named, at)).with_ignored_flag(is_ignored)
        });
        [Some(proved), named].into_iter().flatten()
    };
    let further = [
        check("lab/recordings-start", recordings_start),
        check(
            "lab/the-api-may-fail-at-every-step",
            interference::the_api_may_fail_at_every_step,
        ),
    ];
    let further = repeat::trials().into_iter().chain(further);
    scenarios.enumerate().flat_map(of).chain(further).collect()
}

/// The ways in which a scenario is tried: all it has, or the one whose turn it is.
fn ways(settings: &Settings, at: usize) -> Vec<Way> {
    let fits = |(mode, backend): &&Way| {
        settings.proxy.is_none_or(|one| one == *mode)
            && settings.iptables.is_none_or(|one| one == *backend)
    };
    let ways: Vec<Way> = WAYS.iter().filter(fits).copied().collect();
    if std::env::var_os("NETPATH_LAB_ALL").is_some() {
        ways
    } else {
        vec![ways[at % ways.len()]]
    }
}

fn load(path: &Path, proxy: Option<Mode>) -> Scenario {
    let options = Options {
        scenario: Some(path.to_owned()),
        proxy,
        ..Options::default()
    };
    Scenario::load(&options).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
}

/// A thousand Services start, too: the recording of a cluster that has them.
fn recordings_start() {
    let Some(folder) = beside("scenarios/ok-thousand-services") else {
        return;
    };
    let options = Options {
        scenario: Some(folder),
        ..Options::default()
    };
    let Some(lab) = Lab::start_or_skip(&options) else {
        return;
    };
    let outcome = lab
        .run("shop/client-1", "curl -sf -m5 http://api:8080/hostname")
        .expect("a script runs");
    assert!(outcome.stdout.starts_with("api-"), "{outcome:?}");
}
