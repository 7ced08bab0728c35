//! `kubectl netpath demo`.

use std::io::Write;
use std::time::Duration;

use super::known::{Known, Question};
use super::trace;
use crate::cli::DemoArgs;
use crate::demo::{DEMOS, NAMESPACE, find};
use crate::error::{Error, Exit};
use crate::report::Format;
use crate::terminal::Terminal;
use crate::text::nearest;

pub(super) fn run(args: &DemoArgs, terminal: Terminal, out: &mut dyn Write) -> Result<Exit, Error> {
    if args.list {
        for demo in DEMOS {
            writeln!(out, "{:<15} {}", demo.name, demo.about)?;
        }
        return Ok(Exit::Fine);
    }
    let name = args.name.as_deref().unwrap_or(DEMOS[0].name);
    let demo = find(name).ok_or_else(|| {
        let near = nearest(name, DEMOS.iter().map(|demo| demo.name));
        let hint = match near.first() {
            Some(near) => format!("did you mean {near}?"),
            None => "list them with: kubectl netpath demo --list".to_owned(),
        };
        Error::usage(format!("there is no demo {name:?}"), hint)
    })?;
    if args.output == Format::Text {
        writeln!(
            out,
            "$ kubectl netpath {} {} -n {NAMESPACE}\n",
            demo.source, demo.destination
        )?;
    }
    let request = trace::request(demo.source, demo.destination, NAMESPACE, None)?;
    let view = demo.view();
    let known = Known::of(vec![Question::new(request, Duration::ZERO)], &view);
    trace::answer(&known, args.output, terminal, out)?;
    if args.output == Format::Text && args.name.is_none() {
        let others: Vec<&str> = DEMOS.iter().skip(1).map(|demo| demo.name).collect();
        writeln!(
            out,
            "\nMore: kubectl netpath demo NAME, with NAME one of {}",
            others.join(", ")
        )?;
    }
    // A demonstration that shows a broken path has done its work.
    Ok(Exit::Fine)
}
