//! Attempts of one task: started a while apart, running side by side.

use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::sleep_until;

use netpath_protocol::Attempt;

/// More attempts than this are never made, whatever a plan says.
const MAX: u32 = 100;

/// How often, how far apart, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) attempts: u32,
    /// Between two starts.
    pub(super) spacing: Duration,
    /// For each attempt.
    pub(super) timeout: Duration,
    /// Whether a success makes the attempts unnecessary that have not started yet.
    pub(super) until_success: bool,
    /// Attempts that have not ended by then are left out: nobody knows how they would have ended.
    pub(super) deadline: Instant,
}

// === impl Schedule ===

impl Schedule {
    /// Makes the attempts, and gives what ended in time in the order of their starts.
    pub(super) async fn run(&self, attempt: impl AsyncFn(Duration) -> Attempt) -> Vec<Attempt> {
        let attempt = &attempt;
        let started = Instant::now();
        let mut left = 0..self.attempts.min(MAX);
        let mut running = FuturesUnordered::new();
        let mut ended: Vec<(u32, Attempt)> = Vec::new();
        while !left.is_empty() || !running.is_empty() {
            let next_start = started + self.spacing * left.start;
            tokio::select! {
                biased;
                () = sleep_until(self.deadline.into()) => break,
                Some(one) = running.next() => {
                    let (number, attempt): (u32, Attempt) = one;
                    if self.until_success && attempt.error.is_none() {
                        left.start = left.end;
                    }
                    ended.push((number, attempt));
                }
                () = sleep_until(next_start.into()), if !left.is_empty() => {
                    if let Some(number) = left.next() {
                        running.push(async move { (number, attempt(self.timeout).await) });
                    }
                }
            }
        }
        ended.sort_unstable_by_key(|(number, _)| *number);
        ended.into_iter().map(|(_, attempt)| attempt).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use netpath_protocol::Failure;

    /// Runs a schedule; each attempt takes `durations` milliseconds.
    async fn run(schedule: Schedule, durations: &[u64], opens_at: usize) -> Vec<Attempt> {
        let made = Cell::new(0);
        schedule
            .run(async |_| {
                let number = made.replace(made.get() + 1);
                tokio::time::sleep(Duration::from_millis(durations[number])).await;
                Attempt {
                    error: (number != opens_at).then_some(Failure::Timeout),
                    elapsed_us: 0,
                    local: None,
                    received: number,
                    unacknowledged: None,
                    icmp: None,
                }
            })
            .await
    }

    fn schedule(attempts: u32, deadline_ms: u64) -> Schedule {
        Schedule {
            attempts,
            spacing: Duration::from_millis(20),
            timeout: Duration::ZERO,
            until_success: true,
            deadline: Instant::now() + Duration::from_millis(deadline_ms),
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_success_stops_further_starts_but_not_what_runs() {
        let ended = run(schedule(5, 60_000), &[300, 1, 1, 1, 1], 1).await;
        let numbers: Vec<usize> = ended.iter().map(|attempt| attempt.received).collect();
        assert_eq!(numbers, [0, 1]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_has_not_ended_by_the_deadline_is_left_out() {
        let ended = run(schedule(2, 200), &[60_000, 1], 9).await;
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].received, 1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn no_attempts_end_at_once() {
        assert!(run(schedule(0, 60_000), &[], 0).await.is_empty());
    }
}
