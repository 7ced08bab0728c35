//! A line of history: how one backend, or the Service's address, fared round after round.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::change::Kind;
use crate::diagnose::Verdict;
use crate::path::Status;
use crate::report::text::short;
use crate::report::{Aim, Measurement, PathReport, ReportPath};
use crate::text::{count, list};

/// Rounds that a line of history keeps.
const KEPT: usize = 60;

/// How one backend (or the Service's address) fared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Track {
    pub address: String,
    /// `svc/api`, `pod/api-1`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Connects over all rounds.
    pub tries: usize,
    pub lost: usize,
    /// The slowest connect that succeeded, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowest_us: Option<u64>,
    /// Rounds in which it failed, in whole or in part.
    pub failed_rounds: usize,
    /// The last rounds, the newest at the end; `notReached` where it was not there.
    pub history: VecDeque<Status>,
}

/// What became of a backend since the round before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    Fails,
    FailsInPart,
    Answers,
    New,
    Back,
    Gone,
}

/// How one address fared in one round.
pub(super) struct Fared<'r> {
    object: Option<String>,
    status: Status,
    measured: Option<&'r Measurement>,
}

/// Every backend of a report by its address, and the Service's own address.
pub(super) fn statuses(report: &PathReport) -> BTreeMap<String, Fared<'_>> {
    let of = |aim, to: &str| {
        let mut all = report.measurements.iter();
        all.find(|one| one.aim == aim && one.to == to)
    };
    let services = report.measurements.iter();
    let services = services.filter(|one| one.aim == Aim::Service).map(|one| {
        let fared = Fared {
            object: Some(short(&report.destination.object)),
            status: status(one),
            measured: Some(one),
        };
        (one.to.clone(), fared)
    });
    let backends = report.paths.iter().flat_map(|path| {
        let real = path.backends.iter().filter(|backend| !backend.hypothetical);
        real.map(move |backend| {
            let measured = of(Aim::Backend, &backend.address);
            let fared = Fared {
                object: backend.pod.as_deref().map(pod),
                status: measured.map_or_else(|| predicted(path), status),
                measured,
            };
            (backend.address.clone(), fared)
        })
    });
    services.chain(backends).collect()
}

const fn status(measured: &Measurement) -> Status {
    match measured.lost {
        0 => Status::Pass,
        lost if lost == measured.tries => Status::Fail,
        _ => Status::Warn,
    }
}

const fn predicted(path: &ReportPath) -> Status {
    match path.verdict {
        Verdict::Reachable => Status::Pass,
        Verdict::Degraded => Status::Warn,
        Verdict::Unreachable => Status::Fail,
        Verdict::Undetermined => Status::Unknown,
    }
}

/// `shop/api-1` as `pod/api-1`.
fn pod(name: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    format!("pod/{name}")
}

const fn is_bad(status: Status) -> bool {
    matches!(status, Status::Fail | Status::Warn)
}

// === impl Track ===

impl Track {
    /// `pod/api-1 at 10.244.1.9:9090`, else the address.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.object {
            Some(object) => format!("{object} at {}", self.address),
            None => self.address.clone(),
        }
    }

    pub(super) fn is_service(&self) -> bool {
        let object = self.object.as_deref();
        object.is_some_and(|object| !object.starts_with("pod/"))
    }

    /// One that was not there in the rounds before.
    pub(super) fn new(address: String, round: usize, fared: Fared<'_>) -> Self {
        let before = std::iter::repeat_n(Status::NotReached, (round - 1).min(KEPT));
        let mut track = Self {
            address,
            object: fared.object,
            history: before.collect(),
            ..Self::default()
        };
        track.add(fared.status, fared.measured);
        track
    }

    /// One more round, in which it may not be there; what that means for it.
    pub(super) fn follow(&mut self, fared: Option<Fared<'_>>) -> Option<Fate> {
        let before = self.history.back().copied();
        let now = fared.as_ref().map_or(Status::NotReached, |own| own.status);
        self.add(now, fared.and_then(|own| own.measured));
        Fate::of(before?, now)
    }

    fn add(&mut self, status: Status, measured: Option<&Measurement>) {
        if self.history.len() == KEPT {
            self.history.pop_front();
        }
        self.history.push_back(status);
        self.failed_rounds += usize::from(is_bad(status));
        if let Some(measured) = measured {
            self.tries += measured.tries;
            self.lost += measured.lost;
            self.slowest_us = self.slowest_us.max(measured.slowest_us);
        }
    }
}

// === impl Fate ===

impl Fate {
    fn of(before: Status, now: Status) -> Option<Self> {
        match (before, now) {
            (Status::NotReached, Status::NotReached) => None,
            (_, Status::NotReached) => Some(Self::Gone),
            (Status::NotReached, _) => Some(Self::Back),
            (before, Status::Fail) if before != Status::Fail => Some(Self::Fails),
            (before, Status::Warn) if !is_bad(before) => Some(Self::FailsInPart),
            (before, Status::Pass) if is_bad(before) => Some(Self::Answers),
            _ => None,
        }
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Fails | Self::FailsInPart => Kind::Broke,
            Self::Answers => Kind::Healed,
            Self::New | Self::Back => Kind::Added,
            Self::Gone => Kind::Removed,
        }
    }

    /// `pod/api-1 at 10.244.1.9:9090 fails`, `2 addresses fail: …`
    pub(super) fn words(self, names: &[String]) -> String {
        let (one, many) = match self {
            Self::Fails => ("fails", "fail"),
            Self::FailsInPart => ("fails in part", "fail in part"),
            Self::Answers => ("answers again", "answer again"),
            Self::New => ("is new", "are new"),
            Self::Back => ("is back", "are back"),
            Self::Gone => ("is gone", "are gone"),
        };
        match names {
            [name] => format!("{name} {one}"),
            names => format!("{} {many}: {}", count(names.len(), "backend"), list(names)),
        }
    }
}
