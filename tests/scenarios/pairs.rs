//! Two independent causes at once: both are found, and repairing one leaves the other.

use std::collections::BTreeSet;

use netpath::path::Stage;

use super::api::{Scenario, scenarios};
use super::expectation::codes;
use super::report;
use super::world::World;

/// A cause with the answer it gets alone.
struct Alone {
    scenario: Scenario,
    stage: Stage,
    codes: BTreeSet<String>,
}

/// Causes that say themselves that nothing behind them can be seen: no pod is there, no address of
/// the asked family, or the walk goes somewhere else altogether. In the network of its node a client
/// is no pod to policies.
const BLINDING: [&str; 11] = [
    "DNS-01", "EPS-03", "EPS-12", "ING-01", "POL-14", "RTE-03", "RTE-15", "SRC-01", "SRC-03",
    "SRC-09", "SVC-13",
];

/// Pairs of which one moves what the other is about: a port that is elsewhere is denied by another rule.
const ALIKE: [(&str, &str); 1] = [("POL-08-rule-with-other-ports", "SVC-04-port-of-a-sidecar")];

#[test]
fn two_causes_are_two_findings() {
    let all: Vec<Alone> = scenarios().into_iter().filter_map(alone).collect();
    let (mut complaints, mut asked) = (Vec::new(), 0);
    for (position, first) in all.iter().enumerate() {
        for second in &all[position + 1..] {
            if first.stage == second.stage || !are_independent(&first.scenario, &second.scenario) {
                continue;
            }
            asked += 1;
            let world = World::base()
                .with(&first.scenario.overlay)
                .with(&second.scenario.overlay);
            let Ok(answer) = first.scenario.expected.ask(&world.view()) else {
                complaints.push(format!(
                    "{} and {}: no answer",
                    first.scenario.name, second.scenario.name
                ));
                continue;
            };
            let found: BTreeSet<String> = codes(&answer).into_iter().collect();
            let expected: BTreeSet<String> = first.codes.union(&second.codes).cloned().collect();
            if found != expected {
                complaints.push(format!(
                    "{} and {}: {found:?}",
                    first.scenario.name, second.scenario.name
                ));
            }
        }
    }
    println!("{asked} pairs asked");
    report(&complaints, asked);
}

/// The scenarios that ask the common question and have a fault to show.
fn alone(scenario: Scenario) -> Option<Alone> {
    let expected = &scenario.expected;
    if expected.args != ["pod/client", "svc/api"] || expected.codes.is_empty() {
        return None;
    }
    let is_blinding = BLINDING.iter().any(|code| scenario.name.starts_with(code));
    let answer = expected
        .ask(&World::base().with(&scenario.overlay).view())
        .ok()
        .filter(|_| !is_blinding)?;
    Some(Alone {
        stage: answer.findings.first()?.stage,
        codes: codes(&answer).into_iter().collect(),
        scenario,
    })
}

/// Policies add up, so two of one direction are one verdict; and no change may undo the other.
fn are_independent(first: &Scenario, second: &Scenario) -> bool {
    let policies = |scenario: &Scenario| {
        let touched = scenario.overlay.touched();
        touched.iter().any(|(kind, ..)| kind.ends_with("Policy"))
    };
    let are_policies = policies(first) && policies(second);
    let are_alike = ALIKE.contains(&(first.name.as_str(), second.name.as_str()));
    !are_policies && !are_alike && !first.overlay.collides(&second.overlay)
}
