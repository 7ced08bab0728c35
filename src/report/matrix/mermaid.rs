//! A flow chart in Mermaid's language: what is closed is left out.

use std::io::{self, Write};

use super::MatrixReport;
use super::grid::{Cell, Grid};
use crate::visible::field;

/// More nodes than this nobody can follow.
const MOST: usize = 40;

pub(super) fn print(report: &MatrixReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "flowchart LR")?;
    let Some(grid) = Grid::within(report, MOST) else {
        return writeln!(
            out,
            "  %% more than {MOST} nodes: draw one namespace (-n), or a picture (-o svg)"
        );
    };
    for (at, name) in grid.names.iter().enumerate() {
        writeln!(out, "  n{at}[\"{}\"]", label(name))?;
    }
    for (source, row) in grid.cells.iter().enumerate() {
        for (destination, cell) in row.iter().enumerate() {
            let back = grid.cells[destination][source];
            // What is the same both ways is one line; a workload's pods among each other are none.
            let arrow = match source.cmp(&destination) {
                std::cmp::Ordering::Equal => continue,
                std::cmp::Ordering::Greater if back == *cell => continue,
                std::cmp::Ordering::Less if back == *cell => "<-->",
                _ => "-->",
            };
            let label = match cell {
                Cell::Nothing | Cell::Blank => continue,
                Cell::All => String::new(),
                Cell::Unknown => "|\"not known\"|".to_owned(),
                Cell::Ports(position) => format!("|\"{}\"|", label(&grid.ports[*position])),
                Cell::Share(percent) => format!("|\"{percent} % of the pairs\"|"),
            };
            writeln!(out, "  n{source} {arrow}{label} n{destination}")?;
        }
    }
    Ok(())
}

/// Text between quotes: what could end them, begin markup or an entity, or is Markdown to Mermaid
/// (a backtick) is written as its number.
fn label(text: &str) -> String {
    let mut label = String::new();
    for character in field(text).chars() {
        match character {
            '"' => label.push_str("#quot;"),
            '#' | '<' | '>' | '&' | '`' | ';' | '\\' | '{' | '}' | '|' | '[' | ']' | '%' => {
                label.push_str(&format!("#{};", u32::from(character)));
            }
            other => label.push(other),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_label_adds_no_statement() {
        let hostile = "a\"]\n  click n0 \"javascript:x\"\n%%{init: {}}%%";
        let shown = label(hostile);
        assert!(!shown.contains(['"', '\n', ']', '%', '{']), "{shown}");
        assert_eq!(
            label("deploy/web (2 of 3 pods)"),
            "deploy/web (2 of 3 pods)"
        );
    }
}
