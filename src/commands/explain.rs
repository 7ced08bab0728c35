//! `kubectl netpath explain`.

use std::io::Write;

use crate::causes::{Cause, Code, Family, families};
use crate::cli::ExplainArgs;
use crate::error::{Error, Exit};
use crate::report::print_cause;
use crate::terminal::Terminal;

pub(super) fn run(
    args: &ExplainArgs,
    terminal: Terminal,
    out: &mut dyn Write,
) -> Result<Exit, Error> {
    let Some(asked) = &args.code else {
        for family in families() {
            writeln!(out, "{:<6} {}", family.name, family.about)?;
        }
        writeln!(
            out,
            "\nList the causes of a family with: kubectl netpath explain FAMILY"
        )?;
        return Ok(Exit::Fine);
    };
    if let Some(cause) = Code::parse(asked).and_then(Code::cause) {
        print_cause(cause, terminal, out)?;
        return Ok(Exit::Fine);
    }
    let is_asked = |family: &&Family| family.name.eq_ignore_ascii_case(asked);
    let Some(family) = families().iter().find(is_asked) else {
        return Err(unknown(asked));
    };
    for cause in &family.causes {
        writeln!(out, "{:<8} {}{}", cause.code, cause.title, note(cause))?;
    }
    Ok(Exit::Fine)
}

/// What a list says behind the title of a cause.
const fn note(cause: &Cause) -> &'static str {
    if cause.is_recognized() {
        ""
    } else {
        " (not recognized yet)"
    }
}

fn unknown(asked: &str) -> Error {
    let hint = Code::nearest(asked).map_or_else(
        || "list the families with: kubectl netpath explain".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Error::usage(format!("there is no cause {asked:?}"), hint)
}
