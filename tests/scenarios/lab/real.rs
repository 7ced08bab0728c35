//! The lab proves itself with plain tools: its healthy world works, and every fault that is injected is
//! real. No netpath code is asked.

use std::path::Path;
use std::time::{Duration, Instant};

use netpath_lab::scenario::Check;
use netpath_lab::{Lab, Options};

use super::{Way, load, ways};

/// How long a fault may take to show, where probes and controllers come between.
const PATIENCE: Duration = Duration::from_secs(6);

/// What is wrong with a scenario, in the ways whose turn it is: iptables, nftables, iptables-legacy.
pub fn complaints(path: &Path, at: usize) -> Vec<String> {
    let ways = ways(&load(path, None).settings, at).into_iter();
    let wrong = ways.filter_map(|way| {
        let why = prove(path, way).err()?;
        Some(format!("{way:?}: {why}"))
    });
    wrong.collect()
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
