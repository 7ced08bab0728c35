//! Every pair of workloads as a line, for spreadsheets (RFC 4180).

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use super::{MatrixReport, names};
use crate::policy::matrix::{Line, Openness};

pub(super) fn print(report: &MatrixReport<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let lines = report.matrix.lines(report.namespace.as_deref());
    let members = |line: &Line| -> Vec<String> {
        let members = line.members.iter();
        members
            .map(|member| quoted(&names::member(report, *member)).into_owned())
            .collect()
    };
    let named: Vec<(&Line, Vec<String>)> = lines.iter().map(|line| (line, members(line))).collect();
    let texts: Vec<String> = report
        .matrix
        .matrix
        .sets()
        .iter()
        .map(|set| {
            let verdict = match set.openness(report.port) {
                Openness::All => "all",
                Openness::Some => "some",
                Openness::None => "none",
                Openness::Unknown => "unknown",
            };
            format!("{verdict},{}", quoted(&set.to_string()))
        })
        .collect();
    out.write_all(b"source,destination,verdict,ports\r\n")?;
    for (source, from) in &named {
        for (destination, to) in &named {
            if !source.is_focus && !destination.is_focus {
                continue;
            }
            let id = report
                .matrix
                .matrix
                .id_between(source.class, destination.class);
            for source in from {
                for destination in to {
                    write!(out, "{source},{destination},{}\r\n", texts[id as usize])?;
                }
            }
        }
    }
    out.flush()
}

/// A field, in quotes where it holds what would end it.
pub(super) fn quoted(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n']) {
        Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(text)
    }
}
