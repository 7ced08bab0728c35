//! `kubectl-netpath`: parses the command line, runs it, and maps the outcome to an exit code.

use std::process::ExitCode;

use clap::Parser;
use netpath::cli::Cli;

fn main() -> ExitCode {
    // Alone, it says what it is for.
    let cli = match std::env::args_os().len() {
        0 | 1 => Cli::parse_from(["kubectl-netpath", "--help"]),
        _ => Cli::parse(),
    };
    match netpath::commands::run(cli, &mut std::io::stdout().lock()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            if !error.is_broken_pipe() {
                eprintln!("error: {error}");
                if let Some(hint) = error.hint() {
                    eprintln!("hint: {hint}");
                }
            }
            error.exit_code()
        }
    }
}
