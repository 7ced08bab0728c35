//! What is generated from the command line's definition: completions and manual pages.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, causes_page};

/// Prints the completion script of a shell.
pub fn completion(shell: Shell, out: &mut dyn Write) {
    let mut script = Vec::new();
    let mut command = without_hidden(&Cli::command());
    clap_complete::generate(shell, &mut command, "kubectl-netpath", &mut script);
    // A reader that went away is no error of ours.
    let _ = out.write_all(&script);
}

/// The commands that people type. Those that only programs call (the probe, what kubectl asks at the
/// cursor) are hidden, and clap_complete would offer them in bash and zsh all the same.
fn without_hidden(command: &Command) -> Command {
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    let mut rest = Command::new(command.get_name().to_owned())
        .disable_help_subcommand(command.is_disable_help_subcommand_set())
        .args(command.get_arguments().cloned())
        .subcommands(shown.map(without_hidden));
    if let Some(about) = command.get_about() {
        rest = rest.about(about.clone());
    }
    if let Some(version) = command.get_version() {
        rest = rest.version(version.to_owned());
    }
    rest
}

/// The help of the program, or of one of its commands; none if there is no such command.
#[must_use]
pub fn help(of: Option<&str>) -> Option<String> {
    let mut root = Cli::command();
    root.build();
    let command = match of {
        Some(name) => root.find_subcommand_mut(name)?,
        None => &mut root,
    };
    Some(command.render_long_help().to_string())
}

/// Every manual page with its file name: one per command, and the causes.
///
/// # Errors
/// Never in practice: the pages are written to memory.
pub fn manual() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = Cli::command();
    command.build();
    let mut pages = vec![("kubectl-netpath.1".to_owned(), page(&command)?)];
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = sub.get_display_name().unwrap_or_else(|| sub.get_name());
        pages.push((format!("{name}.1"), page(sub)?));
    }
    pages.push(("kubectl-netpath-causes.7".to_owned(), causes_page::render()));
    Ok(pages)
}

fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    Ok(text)
}
