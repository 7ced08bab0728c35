//! Probing in rounds: plan, ask, put what was learned beside what was known; until nothing is left
//! to ask, the time is over, or somebody interrupts.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Instant;

use kube::Client;
use tokio::sync::oneshot;

use super::interrupt::Interrupts;
use super::known::Known;
use crate::cli::LaunchArgs;
use crate::cluster::{ClusterView, Unread};
use crate::dataplane::installed;
use crate::error::Error;
use crate::nat::dataplane::Dataplane;
use crate::observe::{Depth, Step, Vantage};
use crate::probe::dataplane::{Agents, Said};
use crate::probe::{Answers, Plain, Progress, Session, Settings, Spinner};
use crate::report::Left;
use crate::text::count;

/// All of the probing ends after so many times the time for one answer.
const ROUNDS_OF_WAITING: u32 = 12;

/// Something to be asked, and by when.
struct Asking<'a> {
    args: &'a LaunchArgs,
    depth: Depth,
    until: Instant,
}

/// Asks what the depth allows; what was learned is added to what is known.
pub(super) async fn run(
    client: &Client,
    depth: Depth,
    args: &LaunchArgs,
    known: &mut Known<'_>,
) -> Result<(), Error> {
    run_until(client, depth, args, known, &mut |_| true).await
}

/// The same; `is_done` looks at what is known whenever nothing is left to ask, and may open questions again.
pub(super) async fn run_until(
    client: &Client,
    depth: Depth,
    args: &LaunchArgs,
    known: &mut Known<'_>,
    is_done: &mut dyn FnMut(&mut Known<'_>) -> bool,
) -> Result<(), Error> {
    if depth == Depth::Api {
        is_done(known);
        return Ok(());
    }
    let timeouts = known.questions.iter().map(|question| question.timeout);
    let timeout = timeouts.max().unwrap_or(args.timeout);
    let mut session = Session::new(Settings {
        client: client.clone(),
        image: args.image.clone(),
        agent_image: args.agent_image.clone(),
        agent_binary: args.agent_binary.clone(),
        debug_namespace: args.debug_namespace.clone(),
        deadline: timeout * 4,
    });
    // From here on there is something to tidy up.
    let mut interrupts = Interrupts::new();
    let progress = progress();
    let asking = Asking {
        args,
        depth,
        until: Instant::now() + timeout * ROUNDS_OF_WAITING,
    };
    let outcome = tokio::select! {
        outcome = rounds(&mut session, (client, &asking), known, progress.as_ref(), is_done) => outcome,
        () = interrupts.next() => Err(Error::Interrupted),
    };
    progress.doing("tidying up");
    // Who interrupts once more does not want to wait even for that.
    let closed = tokio::select! {
        left = session.close() => Some(left),
        () = interrupts.next() => None,
    };
    let left = closed.unwrap_or_else(|| session.unfinished());
    if outcome.is_err() {
        // There will be no report to say it.
        for (what, why) in &left {
            progress.say(&format!("left: {what} ({why})"));
        }
    }
    progress.finish();
    known
        .left
        .extend(left.into_iter().map(|(what, why)| Left { what, why }));
    outcome
}

async fn rounds(
    session: &mut Session,
    (client, asking): (&Client, &Asking<'_>),
    known: &mut Known<'_>,
    progress: &dyn Progress,
    is_done: &mut dyn FnMut(&mut Known<'_>) -> bool,
) -> Result<(), Error> {
    let mut agents = Agents::default();
    let place = (client, asking);
    let outcome = ask_all(session, place, &mut agents, known, progress, is_done).await;
    remember(known, agents.ask_again().await);
    outcome
}

async fn ask_all(
    session: &mut Session,
    (client, asking): (&Client, &Asking<'_>),
    agents: &mut Agents,
    known: &mut Known<'_>,
    progress: &dyn Progress,
    is_done: &mut dyn FnMut(&mut Known<'_>) -> bool,
) -> Result<(), Error> {
    let args = asking.args;
    let mut is_confirmed = !args.confirm;
    loop {
        let steps = known.next(asking.depth);
        for step in &steps {
            tracing::debug!(
                "asks {} {}",
                step.vantage,
                count(step.tasks.len(), "question")
            );
            step.tasks
                .iter()
                .for_each(|task| tracing::trace!("  {task:?}"));
        }
        if steps.is_empty() {
            if is_done(known) {
                return Ok(());
            }
            continue;
        }
        if Instant::now() >= asking.until {
            progress.say("the time for probing is over; what was learned so far counts");
            known.world.miss([Unread {
                what: "further probes".to_owned(),
                why: "the time for probing is over".to_owned(),
                grant: "a longer --timeout".to_owned(),
                resource: None,
                namespace: String::new(),
            }]);
            is_done(known);
            return Ok(());
        }
        if asking.depth == Depth::Deep && has_cilium(known.world.view) {
            let nodes = steps.iter().filter_map(|step| match &step.vantage {
                Vantage::Node(node) => Some(node.as_str()),
                Vantage::Pod { .. } => None,
            });
            remember(known, agents.ask(client, nodes, progress).await);
        }
        let creations = session.announce(known.world.view, &steps);
        for creation in &creations {
            progress.say(&format!("creates {creation}"));
        }
        if !is_confirmed && !creations.is_empty() {
            is_confirmed = asks_to_go_on(progress).await;
            if !is_confirmed {
                progress.say("nothing was created; the answer is a prediction");
                is_done(known);
                return Ok(());
            }
        }
        let answers = session
            .ask(known.world.view, &steps, asking.until, progress)
            .await;
        learn(known, answers, &steps);
    }
}

/// Whether agents of Cilium can be asked; nothing is asked for their sake elsewhere.
fn has_cilium(view: &ClusterView) -> bool {
    let mut of_objects = installed(view).into_iter();
    view.api_groups.contains_key("cilium.io")
        || of_objects.any(|one| one.dataplane == Dataplane::Cilium)
}

/// Puts what agents of the dataplane said where the report finds it.
fn remember(known: &mut Known<'_>, answers: Vec<(String, Said)>) {
    for (node, said) in answers {
        let vantage = Vantage::Node(node);
        for (file, text) in said.files {
            known.world.learn(&vantage, file, text);
        }
        known.world.miss(said.unread);
    }
}

/// Puts answers and facts where the next round and the report find them.
fn learn(known: &mut Known<'_>, answers: Answers, steps: &[Step]) {
    for (vantage, fact) in answers.facts {
        match fact.missing {
            Some(why) => known.world.miss(missing(&vantage, &fact.file, why)),
            None => known.world.learn(&vantage, &fact.file, fact.text),
        }
    }
    for (vantage, why) in answers.notes {
        known.world.miss([Unread {
            what: format!("probe in {vantage} itself"),
            why,
            grant: "patch pods/ephemeralcontainers and create pods/exec there".to_owned(),
            resource: None,
            namespace: String::new(),
        }]);
    }
    for seen in &answers.seen {
        tracing::trace!("{} to {:?}: {:?}", seen.vantage, seen.task, seen.outcome);
    }
    tracing::debug!("learned {}", count(answers.seen.len(), "answer"));
    known.observations.seen.extend(answers.seen);
    for (vantage, error) in answers.failed {
        tracing::warn!("nothing from {vantage}: {error}");
        known.observations.failed.push((vantage, error));
    }
    // A vantage that neither answered nor failed would be asked for ever.
    for step in steps {
        let is_answered = known.observations.has_seen(&step.vantage)
            || known.observations.has_failed(&step.vantage);
        debug_assert!(is_answered, "{} was lost", step.vantage);
    }
}

/// Facts that decide something and could not be gathered. Of rules one kind is enough, and a node
/// without kube-proxy, legacy tables or IPVS lacks nothing.
fn missing(vantage: &Vantage, file: &str, why: String) -> Option<Unread> {
    let what = match (vantage, file) {
        (Vantage::Node(_), "nft-ruleset.json" | "iptables-save.txt") => "packet rules",
        (_, "ip-addr.json" | "ip-route.json") => "interfaces and routes",
        (_, "sockets.txt") => "sockets",
        _ => return None,
    };
    Some(Unread {
        what: format!("{what} of {vantage} ({file})"),
        why,
        grant: "the tool on the node, or a pod there that has it".to_owned(),
        resource: None,
        namespace: String::new(),
    })
}

fn progress() -> Box<dyn Progress + Send> {
    if std::io::stderr().is_terminal() {
        Box::new(Spinner::new())
    } else {
        Box::new(Plain)
    }
}

/// Asks on stderr and reads one line, on a thread that may be left behind: an interrupt must be heard
/// while nobody answers. It is asked once: what later rounds create is announced.
async fn asks_to_go_on(progress: &dyn Progress) -> bool {
    progress.pause();
    let _ = write!(
        std::io::stderr(),
        "Create this, and what later questions need? [y/N] "
    );
    let (answered, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let is_yes = read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes");
        let _ = answered.send(is_yes);
    });
    let is_yes = answer.await.unwrap_or(false);
    progress.resume();
    is_yes
}
