//! Round after round: a line for every backend, and what differs from the round before.

use std::collections::BTreeMap;

use serde::Serialize;

use super::change::{Change, Kind};
use super::track::{Fate, Track, statuses};
use crate::cluster::ObjectRef;
use crate::diagnose::{Severity, Verdict};
use crate::exit::Exit;
use crate::report::{Left, PathReport, ReportFinding, Tool};

/// Everything that is remembered of the rounds so far.
#[derive(Debug, Clone, Default)]
pub struct History {
    rounds: usize,
    verdicts: VerdictTally,
    tracks: BTreeMap<String, Track>,
    /// The causes of the last answer, with the round in which each came up.
    causes: BTreeMap<Cause, (usize, ReportFinding)>,
    last: Option<Last>,
    began: String,
}

/// What tells one cause from another.
type Cause = (String, Option<ObjectRef>);

/// The last round.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Last {
    Answered(Verdict),
    NotAsked(String),
}

/// How often each verdict was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictTally {
    pub reachable: usize,
    pub degraded: usize,
    pub unreachable: usize,
    pub undetermined: usize,
    pub not_asked: usize,
}

/// The summary.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WatchReport {
    pub api_version: &'static str,
    pub kind: &'static str,
    pub tool: Tool,
    /// When the first and the last answer were complete (RFC 3339).
    pub began: String,
    pub at: String,
    pub rounds: usize,
    pub verdicts: VerdictTally,
    pub tracks: Vec<Track>,
    pub left: Vec<Left>,
}

// === impl History ===

impl History {
    /// Remembers one round, and says what is different from the one before.
    pub fn add(&mut self, at: &str, answer: &Result<PathReport, String>) -> Vec<Change> {
        self.rounds += 1;
        if self.rounds == 1 {
            at.clone_into(&mut self.began);
        }
        let changes = match answer {
            Ok(report) => self.answered(at, report),
            Err(why) => self.not_asked(at, why),
        };
        self.verdicts.count(answer.as_ref().ok());
        changes
    }

    /// What there is to say at the end.
    #[must_use]
    pub fn summary(&self, at: &str, left: Vec<Left>) -> WatchReport {
        let mut tracks: Vec<Track> = self.tracks.values().cloned().collect();
        tracks.sort_by_key(|track| !track.is_service());
        WatchReport {
            api_version: "netpath/v1",
            kind: "WatchReport",
            tool: Tool::OWN,
            began: self.began.clone(),
            at: at.to_owned(),
            rounds: self.rounds,
            verdicts: self.verdicts,
            tracks,
            left,
        }
    }

    fn not_asked(&mut self, at: &str, why: &str) -> Vec<Change> {
        let now = Last::NotAsked(why.to_owned());
        let is_new = self.last.as_ref() != Some(&now);
        self.last = Some(now);
        let change = Change::new(at, self.rounds, Kind::NotAsked, why.to_owned());
        is_new.then_some(change).into_iter().collect()
    }

    fn answered(&mut self, at: &str, report: &PathReport) -> Vec<Change> {
        let mut changes = Vec::new();
        let now = Last::Answered(report.verdict);
        if self.last.as_ref() != Some(&now) {
            let kind = if self.rounds == 1 {
                Kind::Began
            } else {
                Kind::Verdict
            };
            changes.push(Change {
                verdict: Some(report.verdict),
                measured: report.measured,
                ..Change::new(at, self.rounds, kind, report.answer.clone())
            });
        }
        self.last = Some(now);
        changes.extend(self.causes(at, report));
        changes.extend(self.backends(at, report));
        changes
    }

    /// Causes that came up, and those that are gone.
    fn causes(&mut self, at: &str, report: &PathReport) -> Vec<Change> {
        let faults = report.findings.iter();
        let faults = faults.filter(|finding| finding.severity != Severity::Notice);
        let now: BTreeMap<Cause, &ReportFinding> =
            faults.map(|finding| (cause(finding), finding)).collect();
        let mut changes = Vec::new();
        let (round, known) = (self.rounds, &mut self.causes);
        known.retain(|key, (since, finding)| {
            let stays = now.contains_key(key);
            if !stays {
                let rounds = crate::text::count(round - *since, "round");
                let summary = format!("{}, after {rounds}", finding.title);
                changes.push(of_cause(at, round, Kind::Healed, summary, finding));
            }
            stays
        });
        for (key, finding) in now {
            known.entry(key).or_insert_with(|| {
                // The answer has said it already.
                let summary = if finding.summary == report.answer {
                    finding.title.clone()
                } else {
                    format!("{}: {}", finding.title, finding.summary)
                };
                changes.push(of_cause(at, round, Kind::Broke, summary, finding));
                (round, finding.clone())
            });
        }
        changes
    }

    /// Backends that came, went, broke or healed; the Service's address beside them.
    fn backends(&mut self, at: &str, report: &PathReport) -> Vec<Change> {
        let round = self.rounds;
        let mut now = statuses(report);
        let mut fates: BTreeMap<Fate, Vec<String>> = BTreeMap::new();
        for (address, track) in &mut self.tracks {
            if let Some(fate) = track.follow(now.remove(address)) {
                fates.entry(fate).or_default().push(track.name());
            }
        }
        for (address, fared) in now {
            let track = Track::new(address.clone(), round, fared);
            if round > 1 {
                fates.entry(Fate::New).or_default().push(track.name());
            }
            self.tracks.insert(address, track);
        }
        let changes = fates.into_iter().map(|(fate, backends)| Change {
            summary: fate.words(&backends),
            backends,
            ..Change::new(at, round, fate.kind(), String::new())
        });
        changes.collect()
    }
}

fn cause(finding: &ReportFinding) -> Cause {
    let object = finding.object.as_ref().map(|blame| blame.object.clone());
    (finding.code.clone(), object)
}

fn of_cause(
    at: &str,
    round: usize,
    kind: Kind,
    summary: String,
    finding: &ReportFinding,
) -> Change {
    Change {
        code: Some(finding.code.clone()),
        stage: Some(finding.stage),
        object: finding.object.clone(),
        ..Change::new(at, round, kind, summary)
    }
}

// === impl VerdictTally ===

impl VerdictTally {
    const fn count(&mut self, report: Option<&PathReport>) {
        let place = match report {
            None => &mut self.not_asked,
            Some(report) => match report.verdict {
                Verdict::Reachable => &mut self.reachable,
                Verdict::Degraded => &mut self.degraded,
                Verdict::Unreachable => &mut self.unreachable,
                Verdict::Undetermined => &mut self.undetermined,
            },
        };
        *place += 1;
    }

    /// The worst there was: what is known to be broken, before what could not be asked or told.
    #[must_use]
    pub const fn exit(self) -> Exit {
        if self.unreachable + self.degraded > 0 {
            Exit::Broken
        } else if self.not_asked > 0 {
            Exit::NotAsked
        } else if self.undetermined > 0 {
            Exit::Undetermined
        } else {
            Exit::Fine
        }
    }
}
