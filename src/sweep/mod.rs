//! What is broken, without naming a pair: every Service and every door, asked from where its users are.
//!
//! ```text
//!  World ─► Cast (one pod of those that are alike) ─► Users of a Service ─► a Case each ─► what counts ─► Sweep
//!        └► doors, from outside ────────────────────────────────────────────┘
//! ```
//!
//! A Service is asked from a few places only: pods that policies name, else a neighbor, and from outside where it
//! is offered there. What one of them is denied by design is no fault (`judge`).

mod cast;
mod judge;
mod question;
mod users;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;

use crate::causes::Code;
use crate::cluster::access::{ServiceExt, ServiceKind};
use crate::cluster::{Named, ObjectRef};
use crate::diagnose::{Blame, Case, Confidence, Diagnosis, Finding, Severity, Verdict, diagnose};
use crate::observe::Observations;
use crate::path::Status;
use crate::target::Request;
use crate::world::World;

pub use question::Question;

use cast::Cast;
use judge::{Facts, depends_on_client, is_deliberate};
use users::{Tie, User};

/// Neighbors that are tried where the first is no user for what it is.
const NEIGHBORS: usize = 4;

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Sweep {
    /// What is broken comes first, then what is degraded; what somebody did on purpose is a notice.
    pub problems: Vec<Problem>,
    /// What could not be judged.
    pub open: Vec<Open>,
    pub services: usize,
    pub doors: usize,
    /// How many questions were asked.
    pub paths: usize,
}

/// One cause, with everything that suffers from it.
#[derive(Debug, Clone)]
pub struct Problem {
    pub finding: Finding,
    /// Each Service and door once, in order.
    pub affected: Vec<ObjectRef>,
    /// The first question that showed it.
    pub question: Question,
}

/// A question without an answer.
#[derive(Debug, Clone)]
pub struct Open {
    pub question: Question,
    pub why: String,
}

/// What an answer comes to.
enum Answer {
    Works,
    /// What keeps it from working, whole or in part.
    Faults(Vec<Finding>),
    Open(String),
}

/// The sweep on its way.
struct Sweeper<'w, 'v> {
    world: &'w World<'v>,
    cast: Cast<'w, 'v>,
    problems: BTreeMap<(Code, Option<Blame>), Problem>,
    sweep: Sweep,
}

/// Asks everything in a namespace, or in all of them.
#[must_use]
pub fn sweep(world: &World<'_>, namespace: Option<&str>) -> Sweep {
    let mut sweeper = Sweeper {
        world,
        cast: Cast::of(world),
        problems: BTreeMap::new(),
        sweep: Sweep::default(),
    };
    let is_meant = |own: &str| namespace.is_none_or(|namespace| namespace == own);
    for service in world.view.services.iter() {
        // What an ExternalName stands for is not of this cluster, or asked under its own name.
        if is_meant(service.namespace()) && service.service_kind() != ServiceKind::ExternalName {
            sweeper.service(service);
        }
    }
    for door in question::doors(world.view) {
        if is_meant(&door.request.destination_namespace) {
            sweeper.sweep.doors += 1;
            let answer = sweeper.ask(&door.request);
            sweeper.note(&door, answer, |_| true);
        }
    }
    sweeper.done()
}

// === impl Sweeper ===

impl<'v> Sweeper<'_, 'v> {
    fn service(&mut self, service: &'v Service) {
        self.sweep.services += 1;
        let backends = self.cast.backends(service);
        let users = self.cast.users(service, &backends);
        if users.is_empty() {
            return self.sweep.open.push(Open {
                question: Question::of(&User::outside(), service, None),
                why: "no pod was found that could be a client of it".to_owned(),
            });
        }
        let facts = Facts::of(&self.cast, service, &backends, &users);
        let (neighbors, others): (Vec<User>, Vec<User>) = users
            .into_iter()
            .partition(|user| user.tie == Tie::Neighbor);
        for port in question::ports(service) {
            for user in &others {
                let asked = Question::of(user, service, port.as_ref());
                let answer = self.ask(&asked.request);
                self.note(&asked, answer, |finding| facts.counts(finding, user));
            }
            self.neighbors(&neighbors, &facts, &|user| {
                Question::of(user, service, port.as_ref())
            });
        }
    }

    /// One neighbor stands for all, unless what it is keeps it out: who is not in the mesh is no user, say.
    fn neighbors(
        &mut self,
        neighbors: &[User],
        facts: &Facts,
        question: &dyn Fn(&User) -> Question,
    ) {
        let mut denied = None;
        for user in neighbors.iter().take(NEIGHBORS) {
            let asked = question(user);
            match self.ask(&asked.request) {
                Answer::Faults(faults) if faults.iter().all(|one| depends_on_client(one.code)) => {
                    denied.get_or_insert((asked, faults, user));
                }
                answer => {
                    return self.note(&asked, answer, |finding| facts.counts(finding, user));
                }
            }
        }
        if let Some((asked, faults, user)) = denied {
            let answer = Answer::Faults(faults);
            self.note(&asked, answer, |finding| facts.counts(finding, user));
        }
    }

    fn ask(&mut self, request: &Request) -> Answer {
        self.sweep.paths += 1;
        let case = match Case::of(self.world, request, &Observations::default()) {
            Ok(case) => case,
            Err(unresolved) => return Answer::Open(unresolved.message),
        };
        let diagnosis = diagnose(&case);
        match diagnosis.verdict {
            Verdict::Reachable => Answer::Works,
            Verdict::Undetermined => Answer::Open(doubt(&case)),
            Verdict::Degraded | Verdict::Unreachable => match faults(diagnosis) {
                faults if faults.is_empty() => Answer::Open(doubt(&case)),
                faults => Answer::Faults(faults),
            },
        }
    }

    fn note(&mut self, asked: &Question, answer: Answer, counts: impl Fn(&Finding) -> bool) {
        match answer {
            Answer::Works => {}
            Answer::Open(why) => self.sweep.open.push(Open {
                question: asked.clone(),
                why,
            }),
            Answer::Faults(faults) => {
                for finding in faults.into_iter().filter(|finding| counts(finding)) {
                    self.problem(asked, finding);
                }
            }
        }
    }

    /// Equal causes are one problem, as bad as the worst of them.
    fn problem(&mut self, asked: &Question, finding: Finding) {
        let key = (finding.code, finding.blame.clone());
        let problem = self.problems.entry(key).or_insert_with(|| Problem {
            finding: finding.clone(),
            affected: Vec::new(),
            question: asked.clone(),
        });
        if finding.severity < problem.finding.severity {
            problem.finding = finding;
            problem.question = asked.clone();
        }
        if problem.affected.last() != Some(&asked.object) {
            problem.affected.push(asked.object.clone());
        }
    }

    fn done(self) -> Sweep {
        let mut problems: Vec<Problem> = self.problems.into_values().collect();
        problems.sort_by_key(|problem| {
            (
                problem.finding.severity,
                std::cmp::Reverse(problem.affected.len()),
            )
        });
        Sweep {
            problems,
            ..self.sweep
        }
    }
}

/// What keeps an answer from being Reachable: what is suspected only where nothing is proved.
fn faults(diagnosis: Diagnosis) -> Vec<Finding> {
    let is_unreachable = diagnosis.verdict == Verdict::Unreachable;
    let mut faults = diagnosis.findings;
    faults.retain(|finding| finding.severity != Severity::Notice);
    let is_proved = |finding: &Finding| finding.confidence != Confidence::Suspected;
    if !is_unreachable || faults.iter().any(is_proved) {
        faults.retain(is_proved);
    }
    for finding in faults.iter_mut().filter(|finding| is_deliberate(finding)) {
        finding.severity = Severity::Notice;
    }
    faults
}

/// The first thing that leaves an answer open.
fn doubt(case: &Case<'_, '_>) -> String {
    let mut hops = case.paths().flat_map(|path| &path.hops);
    let hop = hops.find(|hop| hop.status == Status::Unknown);
    hop.map_or_else(
        || "what was read does not tell".to_owned(),
        |hop| hop.summary.clone(),
    )
}
