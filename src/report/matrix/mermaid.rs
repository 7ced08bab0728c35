//! A flow chart in Mermaid's language: what is closed is left out.

use std::io::{self, Write};

use super::MatrixReport;
use super::grid::{Cell, Grid};

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
        writeln!(out, "  n{at}[\"{}\"]", name.replace('"', "#quot;"))?;
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
                Cell::Ports(position) => format!("|\"{}\"|", grid.ports[*position]),
                Cell::Share(percent) => format!("|\"{percent} % of the pairs\"|"),
            };
            writeln!(out, "  n{source} {arrow}{label} n{destination}")?;
        }
    }
    Ok(())
}
