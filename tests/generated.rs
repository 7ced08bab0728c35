//! What is generated from the definition of the command line lies in man/ and completions/: so that it is
//! packaged and read without building anything, and never differs from the program.
//!
//! After a change: `UPDATE=1 cargo test --test integration generated`.

use std::collections::BTreeSet;
use std::fs;

use clap::ValueEnum;
use clap_complete::{Generator, Shell};

use crate::support::{golden, project};

#[test]
fn manual_pages_are_current() {
    let pages = netpath::cli::manual().expect("pages are written to memory");
    let mut expected = BTreeSet::new();
    for (name, page) in pages {
        let text = String::from_utf8(page).expect("pages are UTF-8");
        golden(&format!("man/{name}"), &text);
        expected.insert(name);
    }
    let entries = fs::read_dir(project().join("man")).expect("man/ can be read");
    let found = entries.map(|entry| entry.expect("an entry").file_name());
    let found: BTreeSet<String> = found
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    assert_eq!(found, expected, "pages of commands that are gone");
}

#[test]
fn completions_are_current() {
    for shell in Shell::value_variants() {
        let mut script = Vec::new();
        netpath::cli::completion(*shell, &mut script);
        let script = String::from_utf8(script).expect("scripts are UTF-8");
        if *shell != Shell::Elvish {
            golden(
                &format!("completions/{}", shell.file_name("kubectl-netpath")),
                &script,
            );
        }
    }
}
