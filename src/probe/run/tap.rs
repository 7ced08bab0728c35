//! The tap: agents on the nodes of the path look, then the source probes, and what they saw is put together.
//!
//! ```text
//!  taps on all nodes ─► open (all of them) ─► marked probe from the source ─► a later pulse of each ─► Tapped
//! ```
//!
//! What a tap did not see counts if it was open before the probe, and if a pulse that it sent after the probe was
//! over has come, and with it, in order, everything before. How old a pulse is follows from the fastest line of
//! its tap: of a clock only the rate matters.

use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::Session;
use super::place::ProbeHost;
use crate::cluster::ClusterView;
use crate::observe::{NodeTap, ProbeError, Step, Tapped, Tapping, Vantage};
use crate::probe::transport::{Transport, Upload};
use crate::probe::{Progress, Silent};
use netpath_protocol::tap::{MARKS, TapLine};
use netpath_protocol::{Attempt, Line, Outcome, Plan, Task, VERSION};

/// How long a tap may look.
const LISTEN: Duration = Duration::from_secs(20);
/// How long to wait until all taps are open.
const OPENING: Duration = Duration::from_secs(15);
/// How long to wait for the pulses after the probe.
const CLOSING: Duration = Duration::from_secs(4);
/// The fastest line of a tap takes no longer than this.
const MARGIN: Duration = Duration::from_millis(250);
/// Attempts, the time between two, and the patience of each: less than the second after which a SYN is sent
/// again (RFC 6298).
const ATTEMPTS: u16 = 3;
const SPACING: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_millis(700);
/// Source ports are taken from here on: below those that the kernel gives out by itself
/// (net.ipv4.ip_local_port_range).
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// What one node said.
enum Heard {
    Line(TapLine),
    Over(Option<ProbeError>),
}

/// The nodes, as far as they were heard.
struct Listening {
    taps: Vec<NodeTap>,
    opened: Vec<bool>,
    /// By tap: how late its clock is against ours at most, and the last moment it told of, both in microseconds.
    late: Vec<i64>,
    last: Vec<i64>,
    since: Instant,
    over: Vec<bool>,
    heard: UnboundedReceiver<(usize, Heard)>,
}

// === impl Session ===

impl Session {
    /// Taps one probe. What could not be had is in the answer.
    pub async fn tap(
        &mut self,
        view: &ClusterView,
        tapping: &Tapping,
        until: Instant,
        progress: &dyn Progress,
    ) -> Tapped {
        let (mark, ports) = marks();
        let steps = tapping.steps(mark, &ports, millis(LISTEN));
        progress.doing("starting taps on the nodes of the path");
        let starting = steps.iter().map(|step| self.place(step, view));
        let places = join_all(starting).await;
        for (step, place) in steps.iter().zip(&places) {
            if let Ok(place) = place {
                self.places.insert(step.vantage.clone(), place.clone());
            }
        }
        let session = &*self;
        let (say, heard) = unbounded_channel();
        let mut listening = Listening::new(tapping, heard);
        let taps = steps.iter().zip(&places).enumerate();
        let taps = taps.map(|(at, (step, place))| session.one(at, step, place, view, say.clone()));
        let probing = async {
            listening.until(OPENING, |all, at| all.opened[at]).await;
            progress.doing("probing past the taps");
            let attempts = session.fire(view, tapping, (mark, &ports), until).await;
            let over = listening.since.elapsed() + MARGIN;
            listening
                .until(CLOSING, |all, at| all.heard_of(at) >= over)
                .await;
            listening.close(over);
            attempts
        };
        let attempts = tokio::select! {
            attempts = probing => attempts,
            () = async { join_all(taps).await; std::future::pending::<()>().await } => Err(String::new()),
        };
        Tapped {
            tapping: tapping.clone(),
            attempts,
            nodes: listening.taps,
        }
    }

    /// The place of a node: one that is there, or a new one.
    async fn place(&self, step: &Step, view: &ClusterView) -> Result<ProbeHost, ProbeError> {
        if let Some(place) = self.places.get(&step.vantage) {
            return Ok(place.clone());
        }
        let place = self.start(step, view).await?;
        if !matches!(place, ProbeHost::Image(_)) {
            let upload = self.upload_to(&step.vantage, &place, view)?;
            upload.send().await?;
        }
        Ok(place)
    }

    fn upload_to(
        &self,
        vantage: &Vantage,
        place: &ProbeHost,
        view: &ClusterView,
    ) -> Result<Upload, ProbeError> {
        let agent = self.agent_for(vantage, view)?;
        let container = place.container().ok_or_else(|| ProbeError::Transport {
            what: "upload".to_owned(),
            why: "an image takes no upload".to_owned(),
        })?;
        Ok(self.upload(container, agent.clone()))
    }

    /// Runs one tap until its end, or until nobody wants it any more.
    async fn one(
        &self,
        at: usize,
        step: &Step,
        place: &Result<ProbeHost, ProbeError>,
        view: &ClusterView,
        say: UnboundedSender<(usize, Heard)>,
    ) {
        let plan = Plan {
            version: VERSION,
            deadline_ms: millis(LISTEN),
            tasks: step.tasks.clone(),
        };
        let (lines, mut written) = unbounded_channel();
        let forward = async {
            while let Some(line) = written.recv().await {
                let heard = match line {
                    Line::Tap(line) => Heard::Line(line),
                    Line::Observation(seen) => Heard::Over(Some(refused(step, seen.outcome))),
                    _ => continue,
                };
                // Nobody listens any more: then nobody is told.
                let _ = say.send((at, heard));
            }
        };
        let streaming = async {
            let done = match place {
                Ok(place) => self.stream(step, place, &plan, view, &lines).await,
                Err(error) => Err(error.clone()),
            };
            drop(lines);
            done
        };
        let ((), done) = tokio::join!(forward, streaming);
        let _ = say.send((at, Heard::Over(done.err())));
    }

    async fn stream(
        &self,
        step: &Step,
        place: &ProbeHost,
        plan: &Plan,
        view: &ClusterView,
        lines: &UnboundedSender<Line>,
    ) -> Result<(), ProbeError> {
        match place {
            ProbeHost::Image(host) => {
                let container = self.container(*host, step, plan, view).await?;
                container.stream(plan, lines).await.map(drop)
            }
            place => {
                let upload = self.upload_to(&step.vantage, place, view)?;
                upload.stream(plan, lines).await.map(drop)
            }
        }
    }

    /// The marked probe from the source.
    async fn fire(
        &self,
        view: &ClusterView,
        tapping: &Tapping,
        (mark, ports): (u16, &[u16]),
        until: Instant,
    ) -> Result<Vec<Attempt>, String> {
        let step = Step {
            vantage: tapping.source.clone(),
            tasks: vec![Task::MarkedProbe {
                to: tapping.to,
                protocol: tapping.protocol,
                mark,
                ports: ports.to_vec(),
                spacing_ms: millis(SPACING),
                timeout_ms: millis(PATIENCE),
            }],
            takes_twin: true,
        };
        let place = self.places.get(&step.vantage).cloned();
        let (_, lines) = self.in_time(&step, place, view, until, &Silent).await;
        let lines = lines.map_err(|error| error.to_string())?;
        let mut outcomes = lines.into_iter().filter_map(|line| match line {
            Line::Observation(seen) => Some(seen.outcome),
            _ => None,
        });
        match outcomes.next() {
            Some(Outcome::Attempts(attempts)) => Ok(attempts),
            Some(Outcome::Unsupported { why }) => Err(why),
            _ => Err("the probe did not answer".to_owned()),
        }
    }
}

// === impl Listening ===

impl Listening {
    fn new(tapping: &Tapping, heard: UnboundedReceiver<(usize, Heard)>) -> Self {
        let count = tapping.nodes.len();
        let taps = tapping.nodes.iter().map(|node| NodeTap {
            node: node.clone(),
            ..NodeTap::default()
        });
        Self {
            taps: taps.collect(),
            opened: vec![false; count],
            late: vec![i64::MAX; count],
            last: vec![i64::MIN; count],
            since: Instant::now(),
            over: vec![false; count],
            heard,
        }
    }

    /// Listens until every tap that still looks is as far as `is_far` says.
    #[allow(
        clippy::future_not_send,
        reason = "awaited where it is made, never spawned"
    )]
    async fn until(&mut self, patience: Duration, is_far: impl Fn(&Self, usize) -> bool) {
        let waiting = async {
            while !(0..self.taps.len()).all(|at| self.over[at] || is_far(self, at)) {
                match self.heard.recv().await {
                    Some((at, heard)) => self.take(at, heard),
                    None => return,
                }
            }
        };
        // Who is late counts as blind.
        let _ = timeout(patience, waiting).await;
    }

    fn take(&mut self, at: usize, heard: Heard) {
        let Some(tap) = self.taps.get_mut(at) else {
            return;
        };
        match heard {
            Heard::Line(TapLine::Open(open)) => {
                self.opened[at] = true;
                tap.no_rules = open.no_rules;
                tap.opened_micros = open.at_micros;
            }
            Heard::Line(TapLine::Point(point)) => tap.points.push(point),
            Heard::Line(TapLine::Rule(rule)) => tap.rules.push(rule),
            Heard::Line(TapLine::Pulse(pulse)) => {
                tap.copied = pulse.copied;
                let told = i64::try_from(pulse.micros).unwrap_or(i64::MAX);
                let now = i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX);
                self.late[at] = self.late[at].min(now.saturating_sub(told));
                self.last[at] = told;
            }
            Heard::Over(why) => {
                self.over[at] = true;
                tap.blind = tap.blind.take().or_else(|| why.map(|why| why.to_string()));
            }
        }
    }

    /// The last moment of which everything was heard that a tap saw, by our clock.
    fn heard_of(&self, at: usize) -> Duration {
        let moment = self.last[at].saturating_add(self.late[at]);
        Duration::from_micros(u64::try_from(moment).unwrap_or_default())
    }

    /// Says of every tap that was not looking until then that it does not count.
    fn close(&mut self, until: Duration) {
        for at in 0..self.taps.len() {
            let is_whole = self.opened[at] && self.heard_of(at) >= until;
            let tap = &mut self.taps[at];
            if tap.blind.is_none() && !is_whole {
                let why = format!(
                    "the tap on {} did not see its own packets to the end",
                    tap.node
                );
                tap.blind = Some(why);
            }
        }
    }
}

/// Why a tap says that it cannot.
fn refused(step: &Step, outcome: Outcome) -> ProbeError {
    let why = match outcome {
        Outcome::Unsupported { why } => why,
        _ => "an answer to another question".to_owned(),
    };
    ProbeError::Refused {
        what: format!("tap at {}", step.vantage),
        why,
        grant: "a Pod with hostNetwork and the capability NET_RAW".to_owned(),
    }
}

/// A mark and source ports that no run at the same time is likely to have.
fn marks() -> (u16, Vec<u16>) {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let number = now.subsec_micros() ^ std::process::id();
    let within = |range: std::ops::Range<u16>, number: u32| {
        let width = u32::from(range.end - range.start);
        range.start + u16::try_from(number % width).unwrap_or_default()
    };
    let first = within(PORTS.start..PORTS.end - ATTEMPTS, number);
    (
        within(MARKS, number / 7),
        (first..first + ATTEMPTS).collect(),
    )
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
