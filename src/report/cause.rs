//! One cause, explained to a person at a terminal.

use std::io::{self, Write};

use super::text::Style;
use crate::causes::{Block, Cause};
use crate::terminal::Terminal;

/// Prints the whole entry.
///
/// # Errors
/// When `out` does.
pub fn print_cause(cause: &Cause, terminal: Terminal, out: &mut dyn Write) -> io::Result<()> {
    let style = Style::new(terminal);
    writeln!(
        out,
        "{}  {}",
        style.strong(cause.code.as_str()),
        cause.title
    )?;
    writeln!(out, "{}", style.faint(&visible(cause)))?;
    for section in &cause.sections {
        writeln!(out, "\n{}", style.strong(section.title))?;
        let mut is_first = true;
        for block in &section.blocks {
            // Paragraphs and commands are set apart; entries of a list follow one another.
            if !is_first && !matches!(block, Block::Item(_)) {
                writeln!(out)?;
            }
            is_first = false;
            match block {
                Block::Text(text) => {
                    for line in style.prose("  ", text) {
                        writeln!(out, "{line}")?;
                    }
                }
                Block::Item(item) => writeln!(out, "  {item}")?,
                Block::Verbatim(lines) => {
                    for line in lines {
                        writeln!(out, "{}", format!("    {line}").trim_end())?;
                    }
                }
            }
        }
    }
    Ok(())
}

fn visible(cause: &Cause) -> String {
    cause.visible.map_or_else(
        || "Not recognized yet: netpath does not report this cause.".to_owned(),
        |places| format!("Visible in: {places}"),
    )
}
