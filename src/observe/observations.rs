//! What probes saw, to be asked by vantage and question.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::{ProbeError, Vantage};
use netpath_protocol::{Attempt, DnsReply, Failure, HttpReply, IcmpError, Outcome, Task};

/// One answered question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub vantage: Vantage,
    pub task: Task,
    pub outcome: Outcome,
}

/// Every answer so far, and the vantages that could not be had.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    pub seen: Vec<Seen>,
    pub failed: Vec<(Vantage, ProbeError)>,
}

/// Attempts, summed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempts {
    pub open: usize,
    pub failures: Vec<(Failure, u64)>,
    /// Of those that succeeded, how many only did after their first packet was lost.
    pub late: usize,
    /// Datagrams: that none comes back says nothing, not every server answers every one.
    pub are_datagrams: bool,
    /// Who refused, where that was told: a router or a firewall on the way.
    pub refusal: Option<IcmpError>,
    /// The slowest attempt that succeeded, in microseconds.
    pub slowest_us: u64,
    pub fastest_us: u64,
}

/// A connect that took this long lost its first SYN: it is sent again after one second (RFC 6298).
const LOST_SYN_US: u64 = 900_000;

/// Attempts of which one may fail to be at once.
const SEVERAL: usize = 5;

// === impl Observations ===

impl Observations {
    /// Whether nothing was seen.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Whether a question was answered, or cannot be asked there.
    #[must_use]
    pub fn settles(&self, vantage: &Vantage, task: &Task) -> bool {
        self.has_failed(vantage)
            || self
                .seen
                .iter()
                .any(|seen| seen.vantage == *vantage && seen.task == *task)
    }

    /// Whether a vantage could not be had.
    #[must_use]
    pub fn has_failed(&self, vantage: &Vantage) -> bool {
        self.failed.iter().any(|(failed, _)| failed == vantage)
    }

    /// Whether anything was seen from a vantage.
    #[must_use]
    pub fn has_seen(&self, vantage: &Vantage) -> bool {
        self.seen.iter().any(|seen| seen.vantage == *vantage)
    }

    /// The connections (or datagrams) to an address from a vantage, summed up.
    #[must_use]
    pub fn attempts(&self, vantage: &Vantage, to: SocketAddr) -> Option<Attempts> {
        let (all, are_datagrams) = self.tries(vantage, to);
        (!all.is_empty()).then(|| Attempts::of(&all, are_datagrams))
    }

    /// How many connections (or datagrams) to an address were tried from a vantage, and the times of those that
    /// were answered, in microseconds.
    #[must_use]
    pub fn times(&self, vantage: &Vantage, to: SocketAddr) -> (usize, Vec<u64>) {
        let (all, _) = self.tries(vantage, to);
        let answered = all.iter().filter(|attempt| attempt.error.is_none());
        let times = answered.map(|attempt| attempt.elapsed_us).collect();
        (all.len(), times)
    }

    /// Every attempt at an address, and whether they were datagrams.
    fn tries<'o>(&'o self, vantage: &'o Vantage, to: SocketAddr) -> (Vec<&'o Attempt>, bool) {
        let mut are_datagrams = false;
        let attempts =
            self.at(vantage).filter_map(|seen| {
                let (
                    Task::Connect { to: own, .. } | Task::Udp { to: own, .. },
                    Outcome::Attempts(all),
                ) = (&seen.task, &seen.outcome)
                else {
                    return None;
                };
                (*own == to).then(|| {
                    are_datagrams = matches!(seen.task, Task::Udp { .. });
                    all
                })
            });
        (attempts.flatten().collect(), are_datagrams)
    }

    /// What was seen from some of the vantages, as if nobody had asked elsewhere.
    #[must_use]
    pub fn from_vantages(&self, vantages: &BTreeSet<Vantage>) -> Self {
        let seen = self.seen.iter();
        let failed = self.failed.iter();
        Self {
            seen: seen
                .filter(|seen| vantages.contains(&seen.vantage))
                .cloned()
                .collect(),
            failed: failed
                .filter(|(vantage, _)| vantages.contains(vantage))
                .cloned()
                .collect(),
        }
    }

    /// Forgets what was seen from some of the vantages, so that it is asked again.
    pub fn forget(&mut self, vantages: &BTreeSet<Vantage>) {
        self.seen.retain(|seen| !vantages.contains(&seen.vantage));
        self.failed
            .retain(|(vantage, _)| !vantages.contains(vantage));
    }

    /// The answers of a DNS server to a vantage.
    pub fn dns<'o>(
        &'o self,
        vantage: &'o Vantage,
    ) -> impl Iterator<Item = (&'o Task, &'o DnsReply)> {
        self.at(vantage)
            .filter_map(|seen| match (&seen.task, &seen.outcome) {
                (Task::Dns { .. }, Outcome::Dns(reply)) => Some((&seen.task, reply)),
                _ => None,
            })
    }

    /// The addresses that pods were told for names, each once, in the order of the answers.
    #[must_use]
    pub fn names(&self) -> BTreeMap<String, Vec<IpAddr>> {
        let mut names: BTreeMap<String, Vec<IpAddr>> = BTreeMap::new();
        for seen in &self.seen {
            let (Vantage::Pod { .. }, Task::Dns { name, .. }, Outcome::Dns(reply)) =
                (&seen.vantage, &seen.task, &seen.outcome)
            else {
                continue;
            };
            let (addresses, aliases) = split(&reply.answers);
            for name in aliases.chain([name.as_str()]) {
                let known = names.entry(name.to_owned()).or_default();
                for addr in &addresses {
                    if !known.contains(addr) {
                        known.push(*addr);
                    }
                }
            }
        }
        names
    }

    /// The HTTP answers of an address to a vantage.
    pub fn http<'o>(
        &'o self,
        vantage: &'o Vantage,
        to: SocketAddr,
    ) -> impl Iterator<Item = (&'o Task, &'o HttpReply)> {
        self.at(vantage)
            .filter_map(move |seen| match (&seen.task, &seen.outcome) {
                (Task::Http { to: own, .. }, Outcome::Http(reply)) if *own == to => {
                    Some((&seen.task, reply))
                }
                _ => None,
            })
    }

    fn at<'o>(&'o self, vantage: &'o Vantage) -> impl Iterator<Item = &'o Seen> {
        self.seen
            .iter()
            .filter(move |seen| seen.vantage == *vantage)
    }
}

/// The addresses of an answer, and the names it led to before (CNAME).
fn split(answers: &[String]) -> (Vec<IpAddr>, impl Iterator<Item = &str>) {
    let addresses = answers.iter().filter_map(|text| text.parse().ok());
    let aliases = answers
        .iter()
        .filter_map(|text| text.strip_prefix("CNAME "));
    (
        addresses.collect(),
        aliases.map(|name| name.trim_end_matches('.')),
    )
}

// === impl Attempts ===

impl Attempts {
    fn of(all: &[&Attempt], are_datagrams: bool) -> Self {
        let open: Vec<u64> = all
            .iter()
            .filter(|attempt| attempt.error.is_none())
            .map(|attempt| attempt.elapsed_us)
            .collect();
        let failures = all
            .iter()
            .filter_map(|attempt| Some((attempt.error.clone()?, attempt.elapsed_us)));
        Self {
            open: open.len(),
            failures: failures.collect(),
            late: open.iter().filter(|time| **time >= LOST_SYN_US).count(),
            are_datagrams,
            refusal: all.iter().find_map(|attempt| attempt.icmp),
            slowest_us: open.iter().copied().max().unwrap_or_default(),
            fastest_us: open.iter().copied().min().unwrap_or_default(),
        }
    }

    /// How many were made.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.open + self.failures.len()
    }

    /// Whether every attempt succeeded.
    #[must_use]
    pub const fn all_open(&self) -> bool {
        self.failures.is_empty() && self.open > 0
    }

    /// Whether none did.
    #[must_use]
    pub const fn none_open(&self) -> bool {
        self.open == 0
    }

    /// Whether an attempt only succeeded after its first packet was lost. A lost datagram is never
    /// sent again, so a late answer to one is a slow server.
    #[must_use]
    pub const fn lost_a_packet(&self) -> bool {
        self.late > 0 && !self.are_datagrams
    }

    /// Whether every attempt succeeded at once.
    #[must_use]
    pub const fn are_smooth(&self) -> bool {
        self.all_open() && !self.lost_a_packet()
    }

    /// Whether it works as it should: every attempt, and at once. One packet lost among several attempts
    /// is no loss: the first may have met a neighbour that was not known yet.
    #[must_use]
    pub const fn are_fine(&self) -> bool {
        self.are_smooth() || (self.all_open() && self.late == 1 && self.open >= SEVERAL)
    }

    /// Whether nothing follows from them: datagrams that nobody answered and nobody refused.
    #[must_use]
    pub fn say_nothing(&self) -> bool {
        let is_silence = |(failure, _): &(Failure, u64)| *failure == Failure::Timeout;
        self.are_datagrams && self.open == 0 && self.failures.iter().all(is_silence)
    }

    /// The failure that came first, with its time in microseconds.
    #[must_use]
    pub fn first_failure(&self) -> Option<&(Failure, u64)> {
        self.failures.first()
    }

    /// `open, 0.4 ms`, `connection refused at once`, `3 of 5 open (1 of them only after 1.0 s: a packet
    /// was lost), else timeout after 5.0 s`
    #[must_use]
    pub fn words(&self) -> String {
        if self.say_nothing() {
            return "no answer; not every server answers a datagram".to_owned();
        }
        let by = self.refusal.map_or_else(String::new, |icmp| {
            format!(", says {} ({})", icmp.from, icmp.words())
        });
        let failure = self
            .first_failure()
            .map(|(failure, elapsed)| match elapsed {
                0..=100_000 => format!("{} at once{by}", failure.words()),
                _ => format!("{} after {}{by}", failure.words(), time(*elapsed)),
            });
        let late = if self.lost_a_packet() {
            let slowest = time(self.slowest_us);
            match self.open {
                1 => format!(" only after {slowest}: a packet was lost"),
                _ => format!(
                    " ({} of them only after {slowest}: a packet was lost)",
                    self.late
                ),
            }
        } else {
            String::new()
        };
        match (failure, self.open) {
            (None, 1) if late.is_empty() => format!("open, {}", time(self.fastest_us)),
            (None, 1) => format!("open{late}"),
            (None, open) if late.is_empty() => {
                format!("{open} of {open} open, {}", time(self.fastest_us))
            }
            (None, open) => format!("{open} of {open} open{late}"),
            (Some(failure), 0) => failure,
            (Some(failure), open) => {
                format!("{open} of {} open{late}, else {failure}", self.total())
            }
        }
    }
}

/// `0.4 ms`, `5.0 s`
#[must_use]
pub fn time(microseconds: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let value = microseconds as f64;
    if microseconds >= 1_000_000 {
        format!("{:.1} s", value / 1e6)
    } else {
        format!("{:.1} ms", value / 1e3)
    }
}
