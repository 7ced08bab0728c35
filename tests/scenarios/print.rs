//! One scenario, printed as a user would see it.

use std::io::Write;

use clap::Parser;
use netpath::cli::Cli;
use netpath::report::Format;
use netpath::terminal::Terminal;

use super::api::scenarios;
use super::world::World;

#[test]
#[ignore = "for people: SCENARIO names what to print, all of them by default"]
fn print() {
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let cli = Cli::try_parse_from(["kubectl-netpath", "a", "b"]).expect("a command line");
    let terminal = Terminal::detect(cli.color);
    let mut out = std::io::stdout().lock();
    for scenario in scenarios() {
        if !scenario.name.contains(&wanted) {
            continue;
        }
        writeln!(out, "\n=== {}", scenario.name).expect("stdout");
        let view = World::base().with(&scenario.overlay).view();
        match scenario.expected.ask(&view) {
            Ok(answer) => {
                netpath::report::print(&answer, Format::Text, terminal, &mut out).expect("stdout");
            }
            Err(error) => writeln!(out, "{error}").expect("stdout"),
        }
    }
}
