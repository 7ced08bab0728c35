//! `kubectl netpath explain`.

use std::io::{self, Write};

use crate::cli::ExplainArgs;
use crate::diagnose::{Cause, FAMILIES, catalogue, cause};
use crate::error::{Error, Exit};
use crate::report::paragraph;
use crate::terminal::Terminal;
use crate::text::nearest;

pub(super) fn run(
    args: &ExplainArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let Some(code) = &args.code else {
        for (family, about) in FAMILIES {
            writeln!(out, "{family:<6} {about}")?;
        }
        writeln!(
            out,
            "\nList the causes of one with: kubectl netpath explain FAMILY"
        )?;
        return Ok(Exit::Fine);
    };
    if let Some(cause) = cause(code) {
        print(cause, terminal, out)?;
        return Ok(Exit::Fine);
    }
    let family = code.to_uppercase();
    let members: Vec<&Cause> = catalogue()
        .iter()
        .filter(|cause| cause.code.split('-').next() == Some(family.as_str()))
        .collect();
    if members.is_empty() {
        let near = nearest(&family, catalogue().iter().map(|cause| cause.code.as_str()));
        let hint = match near.first() {
            Some(near) => format!("did you mean {near}?"),
            None => "list the families with: kubectl netpath explain".to_owned(),
        };
        return Err(Error::usage(format!("there is no cause {code:?}"), hint));
    }
    for cause in members {
        writeln!(out, "{:<8} {}", cause.code, cause.title)?;
    }
    Ok(Exit::Fine)
}

fn print(cause: &Cause, terminal: Terminal, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}\n", cause.code, cause.title)?;
    let parts = [
        ("what", &cause.what),
        ("symptom", &cause.symptom),
        ("API", &cause.api),
        ("node", &cause.node),
        ("probe", &cause.probe),
        ("unlike", &cause.apart),
        ("fix", &cause.fix),
    ];
    for (name, text) in parts {
        if !text.is_empty() {
            for line in paragraph(terminal, name, text) {
                writeln!(out, "{line}")?;
            }
        }
    }
    let shown = match cause.visible.as_str() {
        "S" => "the API alone proves it",
        "P" => "only a probe shows it",
        "N" => "only a look at the node shows it",
        "N or P" => "a look at the node or a probe shows it",
        "s+P" => "the API hints at it, a probe confirms it",
        "s+N" => "the API hints at it, a look at the node confirms it",
        _ => "the API shows it, in part; a probe or the node shows the rest",
    };
    for line in paragraph(terminal, "shown by", shown) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
