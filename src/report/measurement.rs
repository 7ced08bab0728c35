//! What was measured, in numbers: how many connects, how many were lost, how long they took.

use std::net::SocketAddr;

use serde::Serialize;

use crate::diagnose::Case;
use crate::observe::{Observations, Vantage, time};
use crate::path::service_address;

/// What was asked again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Aim {
    /// The address of the Service: every connect may meet another backend.
    Service,
    /// One backend by its own address.
    Backend,
    /// The lookup of a name.
    Name,
}

/// Attempts from one place at one aim.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measurement {
    /// The pod or node they were made from.
    pub from: String,
    pub aim: Aim,
    /// The address, or the server that was asked for the name.
    pub to: String,
    pub tries: usize,
    pub lost: usize,
    pub loss_percent: f64,
    /// Of those that were answered, in microseconds: half took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<u64>,
    /// Of those that were answered, in microseconds: 95 of 100 took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_us: Option<u64>,
    /// The slowest of those that were answered, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowest_us: Option<u64>,
}

/// Sums up what was tried from the sources of a question: the Service, each backend, and the name.
#[must_use]
pub fn measure(case: &Case<'_, '_>, seen: &Observations) -> Vec<Measurement> {
    let mut all: Vec<Measurement> = Vec::new();
    let mut add = |measured: Option<Measurement>| all.extend(measured);
    let mut done: Vec<(Vantage, Option<SocketAddr>)> = Vec::new();
    for path in case.paths() {
        let lead = path.sources.first().copied();
        let Some(vantage) = lead.and_then(Vantage::of_site) else {
            continue;
        };
        let service = service_address(path).map(|to| (Aim::Service, Some(to)));
        let backends = path.backends.iter().filter_map(|backend| {
            let to = SocketAddr::new(backend.address?, backend.port);
            Some((Aim::Backend, Some(to)))
        });
        let aims = std::iter::once((Aim::Name, None)).chain(service);
        for (aim, to) in aims.chain(backends) {
            let key = (vantage.clone(), to);
            if done.contains(&key) {
                continue;
            }
            done.push(key);
            add(match to {
                Some(to) => {
                    let (tries, times) = seen.times(&vantage, to);
                    Measurement::of(&vantage, aim, to.to_string(), tries, times)
                }
                None => lookups(&vantage, seen),
            });
        }
    }
    all
}

/// The lookups of names from a vantage, whoever answered them.
fn lookups(vantage: &Vantage, seen: &Observations) -> Option<Measurement> {
    let replies: Vec<_> = seen.dns(vantage).collect();
    let answered = replies.iter().filter(|(_, reply)| reply.error.is_none());
    let times = answered.map(|(_, reply)| reply.elapsed_us).collect();
    Measurement::of(vantage, Aim::Name, "name".to_owned(), replies.len(), times)
}

// === impl Measurement ===

impl Measurement {
    fn of(
        vantage: &Vantage,
        aim: Aim,
        to: String,
        tries: usize,
        mut times: Vec<u64>,
    ) -> Option<Self> {
        times.sort_unstable();
        let lost = tries - times.len();
        #[expect(clippy::cast_precision_loss, reason = "counts are small")]
        let loss_percent = lost as f64 * 100.0 / tries as f64;
        (tries > 0).then(|| Self {
            from: vantage.to_string(),
            aim,
            to,
            tries,
            lost,
            loss_percent: (loss_percent * 100.0).round() / 100.0,
            p50_us: percentile(&times, 50),
            p95_us: percentile(&times, 95),
            slowest_us: times.last().copied(),
        })
    }

    /// `10.96.6.170:8080 0 of 30 lost, p50 0.4 ms, p95 0.9 ms`
    #[must_use]
    pub fn words(&self) -> String {
        let times = self.p50_us.zip(self.p95_us);
        let times = times.map_or_else(String::new, |(p50, p95)| {
            format!(", p50 {}, p95 {}", time(p50), time(p95))
        });
        format!("{} {} of {} lost{times}", self.to, self.lost, self.tries)
    }
}

/// The nearest-rank percentile of sorted times.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_seen() {
        let times: Vec<u64> = (1..=20).collect();
        assert_eq!(percentile(&times, 50), Some(10));
        assert_eq!(percentile(&times, 95), Some(19));
        assert_eq!(percentile(&[7], 95), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn loss_is_counted_and_not_guessed() {
        let of = |tries, times| {
            let at = Vantage::Node("node1".to_owned());
            Measurement::of(&at, Aim::Service, "10.96.0.1:80".to_owned(), tries, times)
        };
        let measured = of(30, vec![900, 400, 500]).expect("thirty tries");
        assert_eq!((measured.lost, measured.loss_percent), (27, 90.0));
        assert_eq!(
            measured.words(),
            "10.96.0.1:80 27 of 30 lost, p50 0.5 ms, p95 0.9 ms"
        );
        assert_eq!(of(0, Vec::new()), None);
    }
}
