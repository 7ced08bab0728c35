//! One packet's way, for people.
//!
//! ```text
//!  10.0.0.2:* > 172.30.0.41:80 TCP, in by pod0
//!
//!    nat     PREROUTING     -m comment … -j KUBE-SERVICES
//!    nat     KUBE-SERVICES  -d 172.30.0.41/32 … -j KUBE-SVC-…
//!    50 %  dnat to 10.180.0.1:80, out by pod0, source kept
//!      nat   KUBE-SVC-…     -m statistic … -j KUBE-SEP-…
//! ```

use std::io::{self, Write};

use crate::nat::eval::{Answer, DoubtKind, Fate, Outcome, Question, TrailStep};
use crate::report::Style;
use crate::terminal::Terminal;

/// Prints the rules that all outcomes share, then each outcome with its own.
pub(super) fn print(
    question: &Question,
    answer: &Answer,
    terminal: Terminal,
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = Style::new(terminal);
    let origin = question.in_interface.as_ref().map_or_else(
        || "created on this host".to_owned(),
        |name| format!("in by {name}"),
    );
    let packet = question.packet;
    writeln!(
        out,
        "{} {}, {origin}\n",
        style.strong(&packet.to_string()),
        packet.protocol
    )?;
    let shared = shared(&answer.outcomes);
    let all = answer.outcomes.iter().flat_map(|outcome| &outcome.trail);
    let width = |text: fn(&TrailStep) -> &str| {
        let widths = all.clone().map(|step| text(step).chars().count());
        widths.max().unwrap_or_default()
    };
    let columns = (width(|step| &step.table), width(|step| &step.chain).min(32));
    if let Some(first) = answer.outcomes.first() {
        for step in &first.trail[..shared] {
            line(step, columns, style, out)?;
        }
    }
    for outcome in &answer.outcomes {
        let share = outcome.probability.map_or_else(
            || "   ?  ".to_owned(),
            |share| format!("{:>4.0} %", share * 100.0),
        );
        let end = end(question, outcome);
        writeln!(out, "{share} {} {}", style.turns_into(), style.strong(&end))?;
        for step in &outcome.trail[shared..] {
            line(step, columns, style, out)?;
        }
        if let Some(condition) = condition(outcome, answer) {
            writeln!(out, "        if {condition}")?;
        }
    }
    if !answer.doubts.is_empty() {
        writeln!(out, "\nnot known:")?;
        for doubt in &answer.doubts {
            writeln!(out, "  {}", style.plain(&doubt.text))?;
        }
        if answer
            .doubts
            .iter()
            .any(|doubt| doubt.kind == DoubtKind::Route)
        {
            let hint = "the host's addresses and routes settle it: --addr FILE or --local ADDR, --route FILE";
            writeln!(out, "  {}", style.faint(hint))?;
        }
    }
    Ok(())
}

/// How many steps from the beginning all outcomes have in common.
fn shared(outcomes: &[Outcome]) -> usize {
    let Some((first, rest)) = outcomes.split_first() else {
        return 0;
    };
    rest.iter().fold(first.trail.len(), |length, other| {
        let same = first.trail.iter().zip(&other.trail);
        length.min(same.take_while(|(a, b)| a == b).count())
    })
}

fn line(
    step: &TrailStep,
    (tables, chains): (usize, usize),
    style: Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    // `-A CHAIN` says again what the column says.
    let text = step
        .text
        .strip_prefix("-A ")
        .and_then(|rest| rest.strip_prefix(step.chain.as_str()))
        .map_or(&*step.text, str::trim_start);
    let packets = step
        .packets
        .map(|packets| style.faint(&format!("  [{packets} packets]")))
        .unwrap_or_default();
    writeln!(
        out,
        "        {:tables$}  {:chains$}  {}{packets}",
        step.table,
        step.chain,
        style.plain(text)
    )
}

fn end(question: &Question, outcome: &Outcome) -> String {
    let packet = outcome.packet;
    let to = if outcome.translated {
        let endpoint = std::net::SocketAddr::new(packet.dst, packet.dport);
        format!("to {endpoint}")
    } else {
        "unchanged".to_owned()
    };
    let source = if packet.src != question.packet.src {
        format!("source now {}", packet.src)
    } else if !outcome.source_kept {
        "source masqueraded".to_owned()
    } else if outcome.masqueraded {
        "source masqueraded as itself".to_owned()
    } else {
        "source kept".to_owned()
    };
    match &outcome.fate {
        Fate::Forward(Some(hop)) => {
            let via = hop.gateway.map(|gateway| format!(" via {gateway}"));
            format!(
                "{to}, out by {}{}, {source}",
                hop.device,
                via.unwrap_or_default()
            )
        }
        Fate::Forward(None) => format!("{to}, forwarded, {source}"),
        Fate::Deliver => format!("{to}, to this host itself, {source}"),
        Fate::Drop => "dropped".to_owned(),
        Fate::Reject(with) => format!("rejected with {with}"),
        Fate::Unknown(why) => format!("unknown: {why}"),
    }
}

/// What must hold for an outcome to be the one.
fn condition(outcome: &Outcome, answer: &Answer) -> Option<String> {
    let parts = outcome.depends.iter().filter_map(|(position, holds)| {
        let doubt = answer.doubts.get(*position)?;
        let not = if *holds { "" } else { "not: " };
        Some(format!("{not}{}", doubt.text))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("; and "))
}
