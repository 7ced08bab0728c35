//! Changes and the summary for people.

use std::io::{self, Write};

use super::{Change, Kind, Track, WatchReport};
use crate::observe::time;
use crate::path::Status;
use crate::report::Style;
use crate::report::text::left_behind;
use crate::text::count;

/// `20:51:03Z  ✘ POL-02 at ingress-policy: …`, and whom to blame below it.
pub(super) fn change(change: &Change, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let time = style.faint(clock(&change.at));
    let mark = style.colored_mark(match change.change {
        Kind::Broke => Status::Fail,
        Kind::Healed => Status::Pass,
        Kind::NotAsked => Status::Warn,
        Kind::Began | Kind::Verdict | Kind::Added | Kind::Removed => Status::NotReached,
    });
    let (head, plain) = head(change);
    let lines = style.lines(&format!("{plain}{}", change.summary), 13);
    let mut lines = lines.iter();
    if let Some(first) = lines.next() {
        let colored = match (change.verdict, first.strip_prefix(head.as_str())) {
            (Some(verdict), Some(rest)) => {
                let verdict = style.verdict(verdict, change.measured, &head);
                format!("{verdict}{rest}")
            }
            _ => first.clone(),
        };
        writeln!(out, "{time}  {mark} {colored}")?;
    }
    for line in lines {
        writeln!(out, "{:13}{line}", "")?;
    }
    if let (Kind::Broke, Some(blame)) = (change.change, &change.object) {
        let field = blame.field.as_deref().unwrap_or_default();
        let blame = format!("blame {} {field}", blame.object);
        writeln!(out, "{:13}{}", "", style.faint(blame.trim_end()))?;
    }
    Ok(())
}

/// What is emphasized at the beginning, and all that stands before the summary.
fn head(change: &Change) -> (String, String) {
    if let Some(verdict) = change.verdict {
        let head = match (verdict, change.measured) {
            (crate::diagnose::Verdict::Reachable, true) => "Reachable (measured)".to_owned(),
            (crate::diagnose::Verdict::Reachable, false) => "Reachable (predicted)".to_owned(),
            (other, _) => format!("{other:?}"),
        };
        return (head.clone(), format!("{head}: "));
    }
    let word = match change.change {
        Kind::Healed if change.code.is_some() => "healed ",
        Kind::NotAsked => "could not ask: ",
        _ => "",
    };
    let place = change
        .stage
        .map_or_else(String::new, |stage| format!(" at {}", stage.name()));
    let code = change.code.as_ref();
    let code = code.map_or_else(String::new, |code| format!("{code}{place}: "));
    (String::new(), format!("{word}{code}"))
}

/// The time of day in UTC, as logs have it.
fn clock(at: &str) -> &str {
    at.get(11..19).unwrap_or(at)
}

/// How often each verdict was given, and a line for every backend.
pub(super) fn summary(report: &WatchReport, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let tally = report.verdicts;
    let parts = [
        (tally.reachable, "Reachable"),
        (tally.degraded, "Degraded"),
        (tally.unreachable, "Unreachable"),
        (tally.undetermined, "Undetermined"),
        (tally.not_asked, "could not be asked"),
    ];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, word)| format!("{number} {word}"))
        .collect();
    let rounds = count(report.rounds, "round");
    let from = format!(
        "{rounds} from {} to {} UTC",
        clock(&report.began),
        clock(&report.at)
    );
    writeln!(out, "\n{}: {}", style.strong(&from), parts.join(", "))?;
    let width = report
        .tracks
        .iter()
        .map(|track| track.name().chars().count());
    let width = width.max().unwrap_or_default();
    for track in &report.tracks {
        let marks = track.history.iter();
        let marks: String = marks.map(|status| style.colored_mark(*status)).collect();
        let line = format!("  {:width$}  {marks}  {}", track.name(), numbers(track));
        writeln!(out, "{}", line.trim_end())?;
    }
    let left = left_behind(&report.left);
    let mut lines = left.iter().flat_map(|left| style.note(left));
    lines.try_for_each(|line| writeln!(out, "{line}"))
}

/// `2 of 240 lost, slowest 0.9 ms`; nothing where nothing was measured.
fn numbers(track: &Track) -> String {
    if track.tries == 0 {
        return String::new();
    }
    let slowest = track.slowest_us.map(time);
    let slowest = slowest.map_or_else(String::new, |slowest| format!(", slowest {slowest}"));
    format!("{} of {} lost{slowest}", track.lost, track.tries)
}
