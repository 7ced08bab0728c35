//! Runs the tasks side by side, and writes each answer as it comes.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use futures::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{sleep_until, timeout_at};

use super::attempts::Schedule;
use super::order::Order;
use super::{connect, dns, echo, facts, hello, http, mtu, tls, trace, udp};
use netpath_protocol::{Done, Line, Observation, Outcome, Task};

/// So many tasks run at once: far more than a diagnosis asks, far fewer than there are descriptors.
const AT_ONCE: usize = 256;
/// So many lines wait for a slow reader before the tasks that write many of them wait too.
const WAITING: usize = 16;
/// Time kept back at the end to report what was found, at most.
const LAST_WORDS: Duration = Duration::from_millis(150);

/// Does what was ordered, and writes lines of JSON until the deadline.
///
/// # Errors
/// When nobody reads any more; what still runs is then given up.
pub fn run(order: Order, out: &mut dyn Write) -> std::io::Result<()> {
    let (lines, mut written) = channel(WAITING);
    // Probes are not to be timed by how fast somebody reads: they run on a thread of their own.
    thread::Builder::new()
        .name("probes".to_owned())
        .spawn(move || probes(order, &lines))?;
    write(&mut written, out)
}

fn write(lines: &mut Receiver<Line>, out: &mut dyn Write) -> std::io::Result<()> {
    while let Some(line) = lines.blocking_recv() {
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        out.write_all(text.as_bytes())?;
        out.flush()?;
    }
    Ok(())
}

fn probes(order: Order, lines: &Sender<Line>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            runtime.block_on(answer(order, lines));
            // A thread that reads a slow file must not keep the agent.
            runtime.shutdown_background();
        }
        Err(error) => {
            let _ = lines.blocking_send(Line::Observation(Observation {
                task: 0,
                outcome: Outcome::Unsupported {
                    why: format!("the agent cannot start: {error}"),
                },
            }));
        }
    }
}

async fn answer(order: Order, lines: &Sender<Line>) {
    let started = Instant::now();
    let end = started + order.deadline;
    let last_words = LAST_WORDS.min(order.deadline / 10);
    let work = Work {
        deadline: started + order.deadline.saturating_sub(last_words),
        lines,
    };
    let greeted = lines.send(Line::Hello(hello::hello())).await;
    if greeted.is_err() {
        return;
    }
    let tasks = futures::stream::iter(order.tasks.into_iter().enumerate());
    let all = tasks.for_each_concurrent(AT_ONCE, |(index, task)| work.one(index, task));
    // A task that overlooks the deadline does not keep the others' answers.
    let in_time = timeout_at(end.into(), all).await.is_ok();
    let done = Line::Done(Done {
        elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        cut_short: !in_time || Instant::now() >= work.deadline,
    });
    let _ = timeout_at((end + last_words).into(), lines.send(done)).await;
}

/// What every task needs.
struct Work<'a> {
    deadline: Instant,
    lines: &'a Sender<Line>,
}

// === impl Work ===

impl Work<'_> {
    async fn one(&self, task: usize, what: Result<Task, String>) {
        let outcome = match what {
            Ok(what) => self.outcome(task, what).await,
            Err(why) => Some(Outcome::Unsupported { why }),
        };
        if let Some(outcome) = outcome {
            let line = Line::Observation(Observation { task, outcome });
            // Nobody reads any more: there is nobody to tell.
            let _ = self.lines.send(line).await;
        }
    }

    const fn schedule(
        &self,
        attempts: u32,
        spacing_ms: u64,
        timeout_ms: u64,
        until_success: bool,
    ) -> Schedule {
        Schedule {
            attempts,
            spacing: Duration::from_millis(spacing_ms),
            timeout: Duration::from_millis(timeout_ms),
            until_success,
            deadline: self.deadline,
        }
    }

    /// None for a task that has nothing to say, or nothing yet when the deadline comes.
    async fn outcome(&self, index: usize, task: Task) -> Option<Outcome> {
        let deadline = self.deadline;
        let ms = Duration::from_millis;
        match task {
            Task::Dns {
                server,
                name,
                record,
                over_tcp,
                edns,
                timeout_ms,
            } => {
                let question = dns::Question {
                    server,
                    name: &name,
                    record,
                    over_tcp,
                    edns,
                };
                let answer = question.ask(ms(timeout_ms));
                before(deadline, answer).await.map(Outcome::Dns)
            }
            Task::Connect {
                to,
                protocol,
                attempts,
                spacing_ms,
                timeout_ms,
                until_open,
                exchange,
            } => {
                let schedule = self.schedule(attempts, spacing_ms, timeout_ms, until_open);
                Some(connect::connect(to, protocol, exchange.as_ref(), &schedule).await)
            }
            Task::Udp {
                to,
                payload,
                attempts,
                spacing_ms,
                timeout_ms,
            } => {
                let schedule = self.schedule(attempts, spacing_ms, timeout_ms, false);
                Some(udp::udp(to, &payload, &schedule).await)
            }
            Task::Http {
                to,
                host,
                path,
                tls,
                padding,
                timeout_ms,
            } => {
                let request = http::Request {
                    to,
                    host: &host,
                    path: &path,
                    tls,
                    padding,
                };
                before(deadline, request.send(ms(timeout_ms))).await
            }
            Task::PodFacts => {
                facts::pod(facts::Post::new(index, self.lines)).await;
                None
            }
            Task::NodeFacts { addresses } => {
                let post = facts::Post::new(index, self.lines);
                facts::node(post, addresses, deadline).await;
                None
            }
            Task::Tls {
                to,
                server_name,
                timeout_ms,
            } => before(deadline, tls::tls(to, &server_name, ms(timeout_ms))).await,
            Task::Echo {
                to,
                attempts,
                spacing_ms,
                timeout_ms,
            } => {
                let schedule = self.schedule(attempts, spacing_ms, timeout_ms, false);
                Some(echo::echo(to, &schedule).await)
            }
            Task::PathMtu { to, timeout_ms } => {
                before(deadline, mtu::path_mtu(to, ms(timeout_ms))).await
            }
            Task::Trace {
                to,
                tcp,
                max_hops,
                timeout_ms,
            } => {
                let hops = trace::trace(to, tcp, max_hops, ms(timeout_ms));
                before(deadline, hops).await
            }
        }
    }
}

async fn before<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        () = sleep_until(deadline.into()) => None,
    }
}
