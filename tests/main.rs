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

/// A file beside the root of a test program that is no module there would never run.
#[test]
fn no_test_file_is_forgotten() {
    let programs = [
        ("tests", include_str!("main.rs")),
        ("tests/scenarios", include_str!("scenarios/main.rs")),
    ];
    for (folder, listed) in programs {
        let entries = std::fs::read_dir(support::project().join(folder)).expect("tests");
        for entry in entries {
            let path = entry.expect("an entry of tests").path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let is_module = path.extension().is_some_and(|ending| ending == "rs")
                || path.join("mod.rs").exists();
            let is_listed = name == "main" || listed.contains(&format!("mod {name};"));
            assert!(
                !is_module || is_listed,
                "{folder}/{name} is not listed in {folder}/main.rs"
            );
        }
    }
}
