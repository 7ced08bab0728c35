//! Probing in rounds: plan, ask, put what was learned beside what was known; until nothing is left
//! to ask, the time is over, or somebody interrupts.

use std::io::{BufRead, IsTerminal, Write};

use kube::Client;
use tokio::signal::unix::{SignalKind, signal};

use super::trace::Known;
use crate::cli::ProbeArgs;
use crate::cluster::Unread;
use crate::confirm::confirm;
use crate::diagnose::Case;
use crate::error::Error;
use crate::path::walk;
use crate::probe::{
    Answers, Depth, Plain, ProbeError, Progress, Session, Settings, Spinner, Step, Vantage, plan,
};
use crate::report::Left;
use crate::resolve::resolve;

/// All of the probing ends after so many times the time for one answer.
const ROUNDS_OF_WAITING: u32 = 12;

/// Asks what the depth allows; what was learned is added to what is known.
pub(super) async fn run(client: &Client, args: &ProbeArgs, known: &mut Known) -> Result<(), Error> {
    let depth = match (args.no_probe, args.deep) {
        (true, _) => Depth::Api,
        (false, true) => Depth::Deep,
        (false, false) => Depth::Probe,
    };
    let mut session = Session::new(Settings {
        client: client.clone(),
        image: args.image.clone(),
        agent_image: args.agent_image.clone(),
        agent_binary: args.agent_binary.clone(),
        debug_namespace: args.debug_namespace.clone(),
        deadline: args.timeout * 4,
    });
    let progress = progress();
    let outcome = tokio::select! {
        outcome = rounds(&mut session, args, depth, known, progress.as_ref()) => outcome,
        () = tokio::time::sleep(args.timeout * ROUNDS_OF_WAITING) => {
            progress.say("the time for probing is over; what was learned so far counts");
            Ok(())
        }
        () = interrupted() => Err(Error::Interrupted),
    };
    progress.doing("tidying up");
    let left = session.close().await;
    progress.finish();
    known
        .left
        .extend(left.into_iter().map(|(what, why)| Left { what, why }));
    outcome
}

async fn rounds(
    session: &mut Session,
    args: &ProbeArgs,
    depth: Depth,
    known: &mut Known,
    progress: &dyn Progress,
) -> Result<(), Error> {
    loop {
        let steps = next(known, depth, args)?;
        if steps.is_empty() {
            return Ok(());
        }
        let creations = session.announce(&known.view, &steps);
        for creation in &creations {
            progress.say(&format!("creates {creation}"));
        }
        if args.confirm && !creations.is_empty() && !is_confirmed() {
            progress.say("nothing was created; the answer is a prediction");
            return Ok(());
        }
        let answers = session.ask(&known.view, &steps, progress).await;
        learn(known, answers, &steps);
    }
}

/// The next questions, from everything known so far.
fn next(known: &Known, depth: Depth, args: &ProbeArgs) -> Result<Vec<Step>, Error> {
    let view = &known.view;
    let flow = resolve(view, &known.request)?;
    let confirmed = confirm(view, &flow, walk(view, &flow), &known.observations);
    let case = Case {
        view,
        flow: &flow,
        walk: &confirmed.walk,
        symptoms: &confirmed.symptoms,
        basis: &confirmed.walk.basis(),
    };
    Ok(plan(case, &known.observations, depth, args.timeout))
}

/// Puts answers and facts where the next round and the report find them.
fn learn(known: &mut Known, answers: Answers, steps: &[Step]) {
    for (vantage, fact) in answers.facts {
        if fact.missing.is_some() {
            continue;
        }
        let facts = &mut known.view.facts;
        match vantage {
            Vantage::Pod { namespace, name } => facts
                .pods
                .entry((namespace, name))
                .or_default()
                .set(&fact.file, fact.text),
            Vantage::Node(node) => facts
                .nodes
                .entry(node)
                .or_default()
                .set(&fact.file, fact.text),
        };
    }
    for (vantage, why) in answers.notes {
        known.view.unread.push(Unread {
            what: format!("probe in {vantage} itself"),
            why,
            grant: "patch pods/ephemeralcontainers and create pods/exec there".to_owned(),
            resource: None,
            namespace: String::new(),
        });
    }
    known.observations.seen.extend(answers.seen);
    for (vantage, error) in answers.failed {
        known.view.unread.push(unread(&vantage, &error));
        known.observations.failed.push((vantage, error));
    }
    // A vantage that neither answered nor failed would be asked for ever.
    for step in steps {
        let is_answered = known.observations.has_seen(&step.vantage)
            || known.observations.has_failed(&step.vantage);
        debug_assert!(is_answered, "{} was lost", step.vantage);
    }
}

fn unread(vantage: &Vantage, error: &ProbeError) -> Unread {
    let grant = match error {
        ProbeError::Refused { grant, .. } if !grant.is_empty() => grant.clone(),
        ProbeError::Binary { hint, .. } => hint.clone(),
        _ => "or look with --no-probe".to_owned(),
    };
    Unread {
        what: format!("probe in {vantage}"),
        why: error.to_string(),
        grant,
        resource: None,
        namespace: String::new(),
    }
}

fn progress() -> Box<dyn Progress + Send> {
    if std::io::stderr().is_terminal() {
        Box::new(Spinner::new())
    } else {
        Box::new(Plain)
    }
}

/// Asks on stderr and reads one line.
fn is_confirmed() -> bool {
    let _ = write!(std::io::stderr(), "Go on? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

/// Resolves on SIGINT or SIGTERM.
async fn interrupted() {
    let signals = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    );
    if let (Ok(mut interrupt), Ok(mut terminate)) = signals {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    } else {
        std::future::pending::<()>().await;
    }
}
