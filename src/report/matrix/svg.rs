//! A picture: rows are sources, columns are destinations, a square for each pair.

use std::io::{self, BufWriter, Write};

use super::MatrixReport;
use super::grid::{Cell, Grid};

/// More lines than this would be thinner than a pixel's worth of use.
const MOST: usize = 400;

/// The side of a square, and the width of a letter.
const SIDE: usize = 18;
const LETTER: usize = 7;

/// What the marks mean, in their colours.
const KEY: [(&str, &str); 5] = [
    ("#2e9e5b", "everything"),
    ("#3a7bd5", "some ports"),
    ("#8fb8ee", "some pairs"),
    ("#e0a526", "not known"),
    ("#eeeeee", "nothing"),
];

pub(super) fn print(report: &MatrixReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let Some(grid) = Grid::within(report, MOST) else {
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"40\"><text x=\"8\" y=\"24\">more than {MOST} lines: draw one namespace (-n)</text></svg>"
        )?;
        return out.flush();
    };
    let longest = grid.names.iter().map(|name| name.chars().count()).max();
    let margin = longest.unwrap_or_default() * LETTER + 16;
    let across = margin + grid.names.len() * SIDE;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"monospace\" font-size=\"12\">",
        (across + 8).max(KEY.len() * 110 + 16),
        across + 40
    )?;
    for (at, name) in grid.names.iter().enumerate() {
        let (name, middle) = (escaped(name), margin + at * SIDE + 13);
        writeln!(
            out,
            "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>",
            margin - 8
        )?;
        writeln!(
            out,
            "<text transform=\"translate({middle},{}) rotate(-90)\">{name}</text>",
            margin - 8
        )?;
    }
    for (source, row) in grid.cells.iter().enumerate() {
        for (destination, cell) in row.iter().enumerate() {
            square(&grid, [source, destination], *cell, margin, &mut out)?;
        }
    }
    for (at, (color, meaning)) in KEY.iter().enumerate() {
        let x = 8 + at * 110;
        writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{color}\"/><text x=\"{}\" y=\"{}\">{meaning}</text>",
            across + 16,
            x + 18,
            across + 27
        )?;
    }
    writeln!(out, "</svg>")?;
    out.flush()
}

/// One pair, with the words in a tooltip.
fn square(
    grid: &Grid,
    [source, destination]: [usize; 2],
    cell: Cell,
    margin: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let [all, ports, share, unknown, nothing] = KEY.map(|(color, _)| color);
    let (color, words) = match cell {
        Cell::Blank => return Ok(()),
        Cell::All => (all, "everything".to_owned()),
        Cell::Ports(position) => (ports, grid.ports[position].clone()),
        Cell::Share(percent) => (share, format!("{percent} % of the pairs")),
        Cell::Unknown => (unknown, "not known".to_owned()),
        Cell::Nothing => (nothing, "nothing".to_owned()),
    };
    let names = [source, destination].map(|at| escaped(&grid.names[at]));
    writeln!(
        out,
        "<rect x=\"{}\" y=\"{}\" width=\"{side}\" height=\"{side}\" fill=\"{color}\"><title>{} → {}: {}</title></rect>",
        margin + destination * SIDE,
        margin + source * SIDE,
        names[0],
        names[1],
        escaped(&words),
        side = SIDE - 2,
    )
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
