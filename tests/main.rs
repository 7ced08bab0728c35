//! The one integration binary: every test file is a module here, so that the program is linked once.

mod agent;
mod architecture;
mod field;
mod findings;
mod gateway;
mod generated;
mod hostile;
mod lab_api;
mod lab_life;
mod lab_probe;
mod lab_rules;
mod lab_scenarios;
mod live;
mod mesh;
mod nat_cli;
mod nat_corpus;
mod nat_expected;
mod nodes;
mod policy;
mod probe;
mod properties;
mod report;
mod rules;
mod scenarios;
mod schema;
mod support;
mod usage;
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
            !is_module || name == "main" || listed.contains(&format!("mod {name};")),
            "tests/{name} is not listed in tests/main.rs"
        );
    }
}
