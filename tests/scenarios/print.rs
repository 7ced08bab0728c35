//! One scenario, printed as a user would see it.

use std::io::Write;
use std::path::Path;

use clap::Parser;
use libtest_mimic::Trial;
use netpath::cli::Cli;
use netpath::report::Format;
use netpath::terminal::Terminal;

use super::harness::check;
use super::name_of;
use super::scenario::{KINDS, Scenario, folders};

/// For people: SCENARIO names what to print (`api/SVC-01`, `nodes/RTE`), all of them by default. With WRITE each is also
/// written to that folder, as a snapshot the program reads.
pub fn trials() -> Vec<Trial> {
    vec![check("print", print).with_ignored_flag(true)]
}

fn print() {
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let cli = Cli::try_parse_from(["kubectl-netpath", "a", "b"]).expect("a command line");
    let terminal = Terminal::detect(cli.color);
    let mut out = std::io::stdout().lock();
    for (kind, path) in KINDS
        .iter()
        .flat_map(|kind| folders(kind).into_iter().map(move |path| (kind, path)))
    {
        let name = format!("{kind}/{}", name_of(&path));
        if !name.contains(&wanted) {
            continue;
        }
        writeln!(out, "\n=== {name}").expect("stdout");
        let scenario = Scenario::read(&path);
        if let Some(folder) = std::env::var_os("WRITE") {
            let folder = Path::new(&folder).join(&name);
            scenario.write(&folder).expect("an empty folder");
            writeln!(out, "{}", folder.display()).expect("stdout");
        }
        match scenario.ask() {
            Ok(answer) => {
                netpath::report::print(&answer, Format::Text, terminal, &mut out).expect("stdout");
            }
            Err(error) => writeln!(out, "{error}").expect("stdout"),
        }
    }
}
