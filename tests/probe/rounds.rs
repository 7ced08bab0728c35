//! What is asked, round by round, in worlds that answer as they please.

use std::time::Duration;

use netpath::diagnose::{Case, diagnose};
use netpath::observe::{Depth, Observations, Seen, Step, Vantage};
use netpath::plan::plan;
use netpath::world::World;
use netpath_protocol::{Attempt, DnsReply, Failure, HttpReply, MtuReply, Outcome, Task};
use proptest::prelude::*;

use super::{request, world};

/// Asks until nothing is left to ask; gives the rounds.
fn rounds(
    args: [&str; 2],
    depth: Depth,
    mut answer: impl FnMut(&Vantage, &Task) -> Outcome,
) -> (Vec<Vec<Step>>, Observations) {
    let view = world("");
    let args = args.map(str::to_owned);
    let request = request(&args);
    let world = World::of(&view);
    let mut observations = Observations::default();
    let mut all = Vec::new();
    loop {
        let case = Case::of(&world, &request, &observations).expect("both ends");
        let steps = plan(&case, &observations, depth, Duration::from_secs(5));
        if steps.is_empty() {
            // Whatever was seen, there is an answer.
            let _ = diagnose(&case);
            return (all, observations);
        }
        assert!(all.len() < 8, "it never ends: {steps:?}");
        for step in &steps {
            for task in &step.tasks {
                observations.seen.push(Seen {
                    vantage: step.vantage.clone(),
                    task: task.clone(),
                    outcome: answer(&step.vantage, task),
                });
            }
        }
        all.push(steps);
    }
}

const fn attempt(error: Option<Failure>, elapsed_us: u64) -> Attempt {
    Attempt {
        error,
        elapsed_us,
        local: None,
        received: 2,
        unacknowledged: None,
        icmp: None,
    }
}

/// An answer to a task: all is well (`None`), or fails so.
fn outcome(task: &Task, failure: Option<Failure>) -> Outcome {
    match task {
        Task::Dns { .. } => Outcome::Dns(DnsReply {
            rcode: failure.is_none().then(|| "NOERROR".to_owned()),
            authoritative: true,
            truncated: false,
            answers: vec!["10.96.6.170".to_owned()],
            authority: None,
            error: failure,
            elapsed_us: 500,
        }),
        Task::Connect { attempts, .. }
        | Task::Udp { attempts, .. }
        | Task::Echo { attempts, .. } => {
            let one = || attempt(failure.clone(), 400);
            Outcome::Attempts((0..*attempts).map(|_| one()).collect())
        }
        Task::Http { .. } => Outcome::Http(HttpReply {
            status: failure.is_none().then_some(200),
            server: None,
            location: None,
            received: 300,
            sent: 100,
            unacknowledged: None,
            local: None,
            connect_us: Some(300),
            first_byte_us: Some(900),
            elapsed_us: 1000,
            error: failure,
        }),
        Task::PathMtu { .. } => Outcome::PathMtu(MtuReply {
            interface: Some(1500),
            passed: Some(1500),
            failed: None,
            said_so: false,
            by: None,
            unknown: None,
        }),
        _ => Outcome::Unsupported {
            why: "gathered".to_owned(),
        },
    }
}

fn vantages(rounds: &[Vec<Step>]) -> Vec<String> {
    let mut all: Vec<String> = rounds
        .iter()
        .flatten()
        .map(|step| step.vantage.to_string())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn a_healthy_path_takes_the_source_pod_alone() {
    let (rounds, _) = rounds(["pod/client-1", "svc/api"], Depth::Probe, |_, task| {
        outcome(task, None)
    });
    assert_eq!(vantages(&rounds), ["pod shop/client-1"]);
    assert!(rounds.len() <= 2, "{rounds:?}");
    assert!(rounds.iter().flatten().all(|step| step.takes_twin));
}

#[test]
fn nothing_is_asked_without_leave() {
    let (rounds, _) = rounds(["pod/client-1", "svc/api"], Depth::Api, |_, task| {
        outcome(task, None)
    });
    assert_eq!(rounds.len(), 0);
}

#[test]
fn what_does_not_answer_is_looked_into_and_no_twin_stands_for_it() {
    let (rounds, _) = rounds(["pod/client-1", "svc/api"], Depth::Probe, |_, task| {
        let is_dead =
            matches!(task, Task::Connect { to, .. } if to.to_string() == "10.244.2.9:9090");
        outcome(task, is_dead.then_some(Failure::Timeout))
    });
    assert_eq!(
        vantages(&rounds),
        ["pod shop/api-54dbf8cbb5-jf4st", "pod shop/client-1"]
    );
    let inside = rounds
        .iter()
        .flatten()
        .find(|step| step.vantage.to_string().contains("api-"));
    let inside = inside.expect("a look inside");
    assert!(!inside.takes_twin && inside.tasks.contains(&Task::PodFacts));
    let traced = rounds.iter().flatten().flat_map(|step| &step.tasks);
    assert!(
        traced
            .into_iter()
            .any(|task| matches!(task, Task::Trace { .. }))
    );
}

#[test]
fn nodes_are_looked_into_only_when_asked_for() {
    let (rounds, _) = rounds(["pod/client-1", "svc/api"], Depth::Deep, |_, task| {
        outcome(task, None)
    });
    assert_eq!(
        vantages(&rounds),
        ["node node1", "node node2", "pod shop/client-1"]
    );
    let facts = rounds.iter().flatten().flat_map(|step| &step.tasks);
    let addresses = facts.filter_map(|task| match task {
        Task::NodeFacts { addresses } => Some(addresses.clone()),
        _ => None,
    });
    for addresses in addresses {
        let has = |text: &str| addresses.contains(&text.parse().expect("an address"));
        assert!(has("10.96.6.170") && has("10.244.1.9") && has("10.244.2.9") && has("10.96.0.10"));
    }
}

#[test]
fn loss_is_measured_backend_by_backend() {
    let (rounds, seen) = rounds(["pod/client-1", "svc/api"], Depth::Probe, |_, task| {
        let mut answer = outcome(task, None);
        let is_service =
            matches!(task, Task::Connect { to, .. } if to.to_string() == "10.96.6.170:8080");
        if let (Outcome::Attempts(attempts), true) = (&mut answer, is_service) {
            attempts[1].elapsed_us = 1_030_000;
        }
        answer
    });
    assert!(rounds.len() > 1);
    let source = &rounds[0][0].vantage;
    for backend in ["10.244.1.11:9090", "10.244.1.12:9090", "10.244.2.9:9090"] {
        let attempts = seen.attempts(source, backend.parse().expect("an address"));
        assert!(
            attempts.is_some_and(|attempts| attempts.total() > 5),
            "{backend}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the world answers, the questions end and there is a diagnosis.
    #[test]
    fn every_world_is_done_with(
        answers in proptest::collection::vec(0..6_u8, 40),
        deep in any::<bool>(),
        destination in prop_oneof![
            Just("svc/api"), Just("svc/web:80"), Just("pod/client-2:80"), Just("dns/example.com:80"),
            Just("svc/web-np"), Just("data/svc/db:5432"), Just("ip/10.244.2.9:9090"),
        ],
        source in prop_oneof![Just("pod/client-1"), Just("deploy/api"), Just("node/node1"), Just("external")],
    ) {
        let mut position = 0;
        let depth = if deep { Depth::Deep } else { Depth::Probe };
        let (rounds, _) = rounds([source, destination], depth, |_, task| {
            position = (position + 1) % answers.len();
            outcome(task, match answers[position] {
                0 => Some(Failure::Timeout),
                1 => Some(Failure::Refused),
                2 => Some(Failure::HostUnreachable),
                _ => None,
            })
        });
        let nodes = vantages(&rounds).iter().any(|vantage| vantage.starts_with("node "));
        prop_assert!(deep || !nodes);
    }
}
