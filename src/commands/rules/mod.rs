//! `kubectl netpath rules`: the packet tracer for any Linux rule dump.
//!
//! ```text
//!  files or a snapshot's node ─► load ─► NodeState ─┬─► walk ─► query (JSON lines) | text (one packet)
//!                                                   └─► drift
//! ```

mod drift;
mod load;
mod query;
mod text;

use std::io::{BufRead, Write};

use crate::cli::{RulesArgs, RulesFormat};
use crate::error::{Error, Exit};
use crate::nat::eval::{Answer, Fate, Question, Tracer};
use crate::nat::model::Ruleset;
use crate::net::Packet;
use crate::node::NodeState;
use crate::report::json::print_line;
use crate::terminal::Terminal;

/// Does what the arguments ask for. Notes on what could not be read go to standard error.
///
/// # Errors
/// When no dump or no question is given, or a file cannot be read.
pub fn run(args: &RulesArgs, terminal: Terminal, out: &mut dyn Write) -> Result<Exit, Error> {
    let state = load::state(args)?;
    for bad in &state.unreadable {
        eprintln!("warning: {}: {}", bad.file, bad.why);
    }
    let none = Ruleset::default();
    let rules = state.rules.as_ref().unwrap_or(&none);
    for note in &rules.notes {
        eprintln!("warning: {note}");
    }
    if args.drift {
        return drift::run(args, state, terminal, out);
    }
    match (&args.packets, args.from, args.to) {
        (Some(path), ..) => bulk(rules, &state, load::lines(path)?, out),
        (None, Some((src, sport)), Some(to)) => {
            if src.is_ipv4() != to.is_ipv4() {
                return Err(Error::usage(
                    format!("{src} and {} are of different families", to.ip()),
                    "give two addresses of one family",
                ));
            }
            let mut packet = Packet::new(src, to.ip(), to.port(), args.protocol);
            packet.sport = sport;
            let question = Question {
                in_interface: args.in_interface.clone(),
                length: args.length,
                ..Question::made_here(packet)
            };
            let tracer = Tracer::new(rules, &state.host).doubting_marks();
            let answer = tracer.walk(&question);
            match args.output {
                RulesFormat::Text => text::print(&question, &answer, terminal, out)?,
                RulesFormat::Json => reply(&query::Reply::of(&answer), out)?,
            }
            Ok(exit(&answer))
        }
        _ => Err(Error::usage(
            "nothing is asked",
            "use --packets FILE, or --from ADDR --to ADDR:PORT, or --drift --objects FILE",
        )),
    }
}

/// One answer for each question, in order. A line that is no question gets an answer that says so.
fn bulk(
    rules: &Ruleset,
    state: &NodeState,
    questions: Box<dyn BufRead>,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let tracer = Tracer::new(rules, &state.host).doubting_marks();
    for line in questions.lines() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let reply = match query::question(&line) {
            Ok(question) => query::Reply::of(&tracer.walk(&question)),
            Err(why) => query::Reply::failed(why),
        };
        self::reply(&reply, out)?;
    }
    Ok(Exit::Fine)
}

fn reply(reply: &query::Reply, out: &mut dyn Write) -> std::io::Result<()> {
    print_line(reply, out)
}

/// As for a path: fine if every packet passes, broken if some do not, else undetermined.
fn exit(answer: &Answer) -> Exit {
    let broken = |fate: &Fate| matches!(fate, Fate::Drop | Fate::Reject(_));
    if !answer.is_certain() {
        Exit::Undetermined
    } else if answer.outcomes.iter().any(|one| broken(&one.fate)) {
        Exit::Broken
    } else {
        Exit::Fine
    }
}
