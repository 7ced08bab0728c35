//! The lab proves itself with plain tools: its healthy world works, and every fault that is injected is
//! real. No netpath code is asked.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::support;
use netpath_lab::proxy::{Backend, Mode, WAYS};
use netpath_lab::scenario::{Check, Scenario};
use netpath_lab::{Lab, Options};

/// A mode of kube-proxy, and the iptables of the nodes.
type Way = (Mode, Backend);

/// How many labs at a time: they wait more than they work.
const AT_A_TIME: usize = 3;
/// How long a fault may take to show, where probes and controllers come between.
const PATIENCE: Duration = Duration::from_secs(6);

/// Every scenario, each in one of the ways kube-proxy has: iptables, nftables, iptables-legacy.
/// `NETPATH_LAB_ALL=1` tries all of them.
#[test]
fn every_fault_is_real() {
    let all = std::env::var_os("NETPATH_LAB_ALL").is_some();
    let wanted = std::env::var("NETPATH_LAB_ONLY").unwrap_or_default();
    let mut work = VecDeque::new();
    for (at, path) in scenarios().into_iter().enumerate() {
        let fixed = load(&path, None).settings;
        let fits = |(mode, backend): &&Way| {
            fixed.proxy.is_none_or(|one| one == *mode)
                && fixed.iptables.is_none_or(|one| one == *backend)
        };
        let ways: Vec<Way> = WAYS.iter().filter(fits).copied().collect();
        let turn = ways[at % ways.len()];
        let ways = if all { ways } else { vec![turn] };
        if path.to_string_lossy().contains(&wanted) {
            work.extend(ways.into_iter().map(|way| (path.clone(), way)));
        }
    }
    let work = Mutex::new(work);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let next = work.lock().map(|mut work| work.pop_front());
                    let Ok(Some((path, way))) = next else { return };
                    let found = prove(&path, way);
                    if let (Err(why), Ok(mut wrong)) = (found, wrong.lock()) {
                        wrong.push(format!("{} {way:?}: {why}", path.display()));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap_or_default();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Starts a scenario without its faults, proves it healthy, breaks it, proves it broken.
fn prove(path: &Path, (mode, backend): Way) -> Result<(), String> {
    let options = Options {
        scenario: Some(path.to_owned()),
        proxy: Some(mode),
        iptables: Some(backend),
        without: vec!["*".to_owned()],
        ..Options::default()
    };
    let Some(lab) = Lab::start_or_skip(&options) else {
        return Ok(());
    };
    let scenario = load(path, Some(mode));
    for check in scenario.checks.iter().filter(|check| !check.broken_only) {
        ask(&lab, check, true).map_err(|why| format!("before the fault: {why}"))?;
    }
    lab.inject(&scenario.inject)
        .map_err(|error| format!("{error:#}"))?;
    for check in &scenario.checks {
        ask(&lab, check, !check.fails).map_err(|why| format!("with the fault: {why}"))?;
    }
    Ok(())
}

/// Runs a check until it ends as it should, or for too long.
fn ask(lab: &Lab, check: &Check, succeeds: bool) -> Result<(), String> {
    let since = Instant::now();
    loop {
        let outcome = lab.run(&check.at, &check.run);
        let good = outcome.as_ref().is_ok_and(|outcome| outcome.code == 0);
        if good == succeeds {
            return Ok(());
        }
        if since.elapsed() > PATIENCE {
            let said = outcome.map_or_else(
                |error| format!("{error:#}"),
                |outcome| format!("{} {}{}", outcome.code, outcome.stdout, outcome.stderr),
            );
            let wanted = if succeeds { "succeed" } else { "fail" };
            return Err(format!(
                "at {}: `{}` should {wanted}: {said}",
                check.at, check.run
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
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

fn scenarios() -> Vec<PathBuf> {
    let folder = support::project().join("crates/lab/scenarios");
    let entries = std::fs::read_dir(folder).expect("the scenarios can be read");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// A thousand Services start, too: the recording of a cluster that has them.
#[test]
fn recordings_start() {
    let folder = support::project().join("../shared/scenarios/ok-thousand-services");
    if !folder.exists() {
        eprintln!("SKIPPED: {} is not there", folder.display());
        return;
    }
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
