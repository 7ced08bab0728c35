//! What comes from outside acts nowhere: not on a terminal, not in a shell, not in a file, not on the clock.

mod bounds;
mod capture;
mod harmless;
mod taint;

use std::path::PathBuf;

use clap::Parser;
use netpath::cli::Cli;
use netpath::commands;
use netpath::visible::acts;

use crate::support::project;

/// A folder with hostile input beside the project.
fn hostile(name: &str) -> Option<PathBuf> {
    let path = project().join("../shared/hostile").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not there", path.display());
    None
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("netpath-outside-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Everything a command prints, errors as they are shown.
fn print(words: &[&str]) -> String {
    let words = std::iter::once("kubectl-netpath").chain(words.iter().copied());
    let cli = Cli::try_parse_from(words).expect("a command line");
    let mut out = Vec::new();
    let outcome = commands::run(cli, &mut out);
    let mut text = String::from_utf8(out).expect("UTF-8");
    if let Err(error) = outcome {
        let line = |text: &str| format!("{}\n", netpath::visible::visible(text));
        text += &line(&format!("error: {error}"));
        text += &error.hint().map(line).unwrap_or_default();
    }
    text
}

/// No character of a text acts but the ends of its lines.
fn assert_harmless(text: &str, what: &str) {
    // RFC 4180 ends lines so.
    let text = text.replace("\r\n", "\n");
    let line = text.lines().find(|line| line.contains(acts));
    assert_eq!(line, None, "{what}");
}
