//! The plain checks: every test file is a module here, so that the program is linked once. Scenarios as data
//! are in the other test program, `scenarios/main.rs`.

mod agent;
mod architecture;
mod gateway;
mod generated;
mod hostile;
mod lab_api;
mod lab_fuzz;
mod lab_life;
mod lab_probe;
mod lab_rules;
mod lab_tap;
mod listings;
mod live;
mod mesh;
mod nat_cli;
mod nat_corpus;
mod nat_expected;
mod outside;
mod policy;
mod probe;
mod properties;
mod readme;
mod report;
mod rules;
mod schema;
mod suite;
mod support;
mod usage;
mod watch;
mod world;

/// The inside of a lab: `Lab::start` runs this program once more, in namespaces of its own.
#[test]
#[ignore = "Lab::start runs it"]
fn supervisor_of_a_lab() {
    netpath_lab::supervisor::run_if_told();
}

/// A file beside this one that is no module here would never run.
#[test]
fn no_test_file_is_forgotten() {
    let folder = support::project().join("tests");
    let listed = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).expect("tests/ can be read") {
        let path = entry.expect("an entry of tests/").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let is_module =
            path.extension().is_some_and(|ending| ending == "rs") || path.join("mod.rs").exists();
        assert!(
            !is_module
                || ["main", "scenarios"].contains(&&*name)
                || listed.contains(&format!("mod {name};")),
            "tests/{name} is not listed in tests/main.rs"
        );
    }
}
