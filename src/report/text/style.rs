//! Colour and symbols, as far as the terminal has them. Words carry the meaning; colour repeats it.

use owo_colors::OwoColorize;

use crate::diagnose::{Severity, Verdict};
use crate::path::Status;
use crate::terminal::Terminal;

/// How to show things on one terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    pub terminal: Terminal,
}

// === impl Style ===

impl Style {
    pub(crate) const fn new(terminal: Terminal) -> Self {
        Self { terminal }
    }

    /// The mark of a hop.
    pub(crate) const fn mark(self, status: Status) -> &'static str {
        match (status, self.terminal.unicode) {
            (Status::Pass, true) => "✔",
            (Status::Pass, false) => "+",
            (Status::Fail, true) => "✘",
            (Status::Fail, false) => "x",
            (Status::Warn, _) => "!",
            (Status::Unknown, _) => "?",
            (Status::NotReached, true) => "·",
            (Status::NotReached, false) => ".",
        }
    }

    /// The mark of a hop in its colour.
    pub(crate) fn colored_mark(self, status: Status) -> String {
        let mark = self.mark(status);
        if !self.terminal.color {
            return mark.to_owned();
        }
        match status {
            Status::Pass => mark.green().to_string(),
            Status::Fail => mark.red().to_string(),
            Status::Warn | Status::Unknown => mark.yellow().to_string(),
            Status::NotReached => mark.dimmed().to_string(),
        }
    }

    pub(crate) const fn arrow(self) -> &'static str {
        if self.terminal.unicode { "→" } else { "->" }
    }

    /// The arrow of a translation.
    pub(crate) const fn turns_into(self) -> &'static str {
        if self.terminal.unicode { "⇒" } else { "=>" }
    }

    /// Text that may hold symbols, for terminals without them.
    pub(crate) fn plain(self, text: &str) -> String {
        if self.terminal.unicode {
            return text.to_owned();
        }
        let replaced = text
            .replace('→', "->")
            .replace('⇒', "=>")
            .replace('…', "...")
            .replace('·', ".");
        replaced
            .chars()
            .map(|character| if character.is_ascii() { character } else { '?' })
            .collect()
    }

    pub(crate) fn strong(self, text: &str) -> String {
        let text = self.plain(text);
        if self.terminal.color {
            text.bold().to_string()
        } else {
            text
        }
    }

    pub(crate) fn faint(self, text: &str) -> String {
        let text = self.plain(text);
        if self.terminal.color {
            text.dimmed().to_string()
        } else {
            text
        }
    }

    /// A named paragraph, wrapped to the terminal and indented behind its name.
    pub(crate) fn wrapped(self, name: &str, text: &str) -> Vec<String> {
        let labels = std::iter::once(name).chain(std::iter::repeat(""));
        let named = labels
            .zip(self.lines(text, 12))
            .map(|(name, line)| format!("  {name:<9}{line}").trim_end().to_owned());
        named.collect()
    }

    /// A paragraph to read, indented: in a file as wide as in a terminal of 80 columns, never wider
    /// than 100.
    pub(crate) fn prose(self, indent: &str, text: &str) -> Vec<String> {
        let width = self.terminal.width.map_or(80, |width| width.min(100));
        let terminal = Terminal {
            width: Some(width),
            ..self.terminal
        };
        let lines = Self { terminal }.lines(text, indent.len());
        lines
            .into_iter()
            .map(|line| format!("{indent}{line}"))
            .collect()
    }

    /// A faint note below everything else, wrapped to the terminal.
    pub(crate) fn note(self, text: &str) -> Vec<String> {
        let indents = std::iter::once("  ").chain(std::iter::repeat("    "));
        let lines = indents.zip(self.lines(text, 5));
        lines
            .map(|(indent, line)| format!("{indent}{}", self.faint(&line)))
            .collect()
    }

    /// Text broken between words, with `margin` columns left for what stands beside it.
    pub(crate) fn lines(self, text: &str, margin: usize) -> Vec<String> {
        let text = self.plain(text);
        let room = self.terminal.width.map_or(usize::MAX, |width| {
            usize::from(width).saturating_sub(margin).max(20)
        });
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let last = lines.len() - 1;
            let length = lines[last].chars().count();
            if length > 0 && length + 1 + word.chars().count() > room {
                lines.push(word.to_owned());
            } else {
                if !lines[last].is_empty() || word.is_empty() {
                    lines[last].push(' ');
                }
                lines[last].push_str(word);
            }
        }
        lines
    }

    /// The verdict's own words in its color; what is only predicted is not as green as what was measured.
    pub(crate) fn verdict(self, verdict: Verdict, measured: bool, text: &str) -> String {
        if !self.terminal.color {
            return text.to_owned();
        }
        match verdict {
            Verdict::Reachable if measured => text.green().bold().to_string(),
            Verdict::Reachable => text.cyan().to_string(),
            Verdict::Degraded | Verdict::Undetermined => text.yellow().bold().to_string(),
            Verdict::Unreachable => text.red().bold().to_string(),
        }
    }

    pub(crate) fn code(self, code: &str, severity: Severity) -> String {
        if !self.terminal.color {
            return code.to_owned();
        }
        match severity {
            Severity::Broken => code.red().bold().to_string(),
            Severity::Degraded => code.yellow().bold().to_string(),
            Severity::Notice => code.cyan().to_string(),
        }
    }

    /// The colour of a hop's mark in a table.
    pub(crate) const fn color(self, status: Status) -> Option<comfy_table::Color> {
        use comfy_table::Color;
        if !self.terminal.color {
            return None;
        }
        match status {
            Status::Pass => Some(Color::Green),
            Status::Fail => Some(Color::Red),
            Status::Warn | Status::Unknown => Some(Color::Yellow),
            Status::NotReached => Some(Color::DarkGrey),
        }
    }
}
