//! The kernel's word against netpath's, in worlds by chance: sixty fixed seeds of the fuzzer, of captures and of
//! objects alone. `lab fuzz --live` asks live and with `--deep`, too, and takes any number of seeds.

use std::path::PathBuf;

use netpath_lab::fuzz::answer::Judgement;
use netpath_lab::fuzz::grammar::GRAMMAR;
use netpath_lab::fuzz::spec::Node;
use netpath_lab::fuzz::{Programs, Settings, Way, run};

#[test]
fn sixty_seeds_agree_with_the_kernel() {
    let settings = Settings {
        seeds: 0..60,
        ways: vec![Way::Capture, Way::Objects],
        shrink: false,
        keep: None,
        side_by_side: 2,
    };
    let programs = Programs {
        netpath: PathBuf::from(env!("CARGO_BIN_EXE_kubectl-netpath")),
        agent: PathBuf::from(env!("NETPATH_AGENT")),
    };
    let tally = run(&settings, &programs).expect("the fuzzer runs");
    println!("{tally}");
    if tally.skipped == tally.seeds {
        return;
    }
    assert!(tally.failed.is_empty(), "{}", tally.failed.join("\n"));
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    let open = tally.count(Way::Capture, Judgement::Undetermined);
    assert!(open * 20 < tally.seeds, "{open} are undetermined");
    let tried = tally.repaired + tally.unrepaired;
    assert!(
        tally.unrepaired * 20 < tried,
        "{}",
        tally.bad_fixes.join("\n")
    );
}

/// A typo in the table would make an edit that does nothing.
#[test]
fn every_edit_of_the_grammar_does_something() {
    for question in &GRAMMAR.questions {
        for edit in &GRAMMAR.edits {
            for node in Node::ALL {
                let (does, undo) = (
                    question.fill(&edit.does, node),
                    question.fill(&edit.undo, node),
                );
                assert!(!does.is_empty(), "{} of {}", edit.name, question.name);
                assert_eq!(undo.is_empty(), edit.undo.is_null(), "{}", edit.name);
                let text = format!("{does:?}{undo:?}");
                let variables = [
                    "$svc", "$app", "$ns", "$port", "$target", "$source", "$node", "$peer", "$from",
                ];
                assert!(variables.iter().all(|word| !text.contains(word)), "{text}");
            }
        }
        for only in GRAMMAR.edits.iter().flat_map(|edit| &edit.only) {
            assert!(
                GRAMMAR.questions.iter().any(|one| one.name == *only),
                "{only}"
            );
        }
    }
}
