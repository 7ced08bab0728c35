//! One scenario: a folder with what is another in a world, what is asked, and what the answer must be.
//!
//! ```text
//!  overlay.yaml, objects.yaml, nodes/, pods/   what is another in the world it stands on (`overlay`, `world`)
//!  observations.json, taps.json                what probes and taps saw, where some did
//!  expect.json                                 the question and its answer (`expectation`)
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use libtest_mimic::Trial;
use netpath::cluster::snapshot::{Capture, SnapshotError};
use netpath::cluster::{ClusterView, Provenance, Unread};
use netpath::observe::Observations;
use netpath::report::PathReport;
use serde::de::DeserializeOwned;

use super::answer::Answer;
use super::expectation::{Expectation, faults, told};
use super::findings::{Said, of_report};
use super::harness::{check, trial};
use super::overlay::Overlay;
use super::world::{Key, World};
use super::{broken, entries, folder, name_of};
use crate::support::{beside, place_beside};

/// Scenarios whose question is wrong in any world, and whose change only alters the words.
const WRONG_QUESTIONS: [&str; 1] = ["SVC-06-undeclared-port-nftables"];

/// The folders whose scenarios need no network.
pub const KINDS: [&str; 6] = ["api", "oddities", "recorded", "nodes", "field", "probe"];

/// A scenario, read.
#[derive(Clone)]
pub struct Scenario {
    pub name: String,
    pub expected: Expectation,
    pub overlay: Overlay,
    /// What it stands on.
    pub base: Arc<World>,
    seen: Observations,
}

/// The folders of a kind, `api` say, by name.
pub fn folders(kind: &str) -> Vec<PathBuf> {
    let mut all = entries(&folder(kind));
    all.retain(|path| path.join("expect.json").exists());
    all
}

/// A test of every scenario of a kind.
pub fn trials(kind: &str) -> Vec<Trial> {
    let of = |path: PathBuf| {
        trial(format!("{kind}/{}", name_of(&path)), move || {
            Scenario::read(&path).complaints()
        })
    };
    folders(kind).into_iter().map(of).collect()
}

/// A test of every recording of a collection beside the project; where it is not there, one that says so.
pub fn trials_beside(kind: &str, collection: &'static str) -> Vec<Trial> {
    let place = place_beside(collection);
    if !place.exists() {
        let is_there = move || drop(beside(collection));
        return vec![check(format!("{kind}/is-there"), is_there)];
    }
    let mut folders = entries(&place);
    folders.retain(|path| path.join("expect.json").exists());
    let of = |path: PathBuf| {
        trial(format!("{kind}/{}", name_of(&path)), move || {
            Scenario::read(&path).complaints()
        })
    };
    folders.into_iter().map(of).collect()
}

/// A second test of every scenario of a kind: what is found was not there before its change.
pub fn trials_without_change(kind: &str) -> Vec<Trial> {
    let of = |path: PathBuf| {
        let name = format!("{kind}/{}/without-its-change", name_of(&path));
        trial(name, move || {
            Scenario::read(&path).found_without_its_change()
        })
    };
    folders(kind).into_iter().map(of).collect()
}

/// The words of every scenario of a kind.
pub fn said(kind: &str) -> Vec<Said> {
    let said = |path: PathBuf| {
        let scenario = Scenario::read(&path);
        let findings = match scenario.ask() {
            Ok(report) => report.findings.iter().map(of_report).collect(),
            Err(error) => vec![format!("  {error}\n")],
        };
        Said {
            scenario: format!("{kind}/{}", scenario.name),
            findings,
        }
    };
    folders(kind).into_iter().map(said).collect()
}

// === impl Scenario ===

impl Scenario {
    pub fn read(folder: &Path) -> Self {
        let is_capture = folder.join("snapshot.json").exists();
        let overlay = if is_capture {
            Overlay::default()
        } else {
            Overlay::folder(folder)
        };
        let base = match &overlay.base {
            Some(name) => crate::folder("recorded").join(name),
            None if is_capture => folder.to_owned(),
            None => nearest_base(folder),
        };
        Self {
            name: name_of(folder),
            expected: Expectation::read(folder),
            overlay,
            base: World::at(&base),
            seen: Observations {
                seen: read(folder, "observations.json"),
                taps: read(folder, "taps.json"),
                failed: Vec::new(),
            },
        }
    }

    /// Its world, with its change.
    pub fn world(&self) -> World {
        self.base.with(&self.overlay)
    }

    /// What the program would read of it.
    pub fn view(&self) -> ClusterView {
        let mut view = self.world().view();
        // Where probes saw something, a cluster was running.
        if !self.seen.seen.is_empty() {
            view.provenance = Provenance::Live;
        }
        for what in &self.expected.unread {
            let (why, grant) = ("forbidden".to_owned(), format!("get,list {what}"));
            view.unread.push(Unread::recorded(what.clone(), why, grant));
        }
        view
    }

    /// Writes it as a snapshot that stands alone.
    pub fn write(&self, folder: &Path) -> Result<(), SnapshotError> {
        let view = self.view();
        let capture = Capture {
            objects: self.world().objects().cloned().collect(),
            anonymize: false,
            facts: view.facts,
            unread: view.unread,
            coverage: None,
            server_version: view.server_version,
            taken_at: view.taken_at.unwrap_or(Timestamp::UNIX_EPOCH),
        };
        capture.write(folder).map(drop)
    }

    /// Asks its question.
    pub fn ask(&self) -> Result<PathReport, String> {
        self.expected.ask_with(&self.view(), &self.seen)
    }

    /// What is wrong with its answer.
    pub fn complaints(&self) -> Vec<String> {
        match self.ask() {
            Ok(report) => self.expected.complaints(&Answer::from(&report)),
            Err(error) => vec![error],
        }
    }

    /// Its question, asked of the world it stands on: what is found there was not planted.
    pub fn found_without_its_change(&self) -> Vec<String> {
        let is_wrong_anyway = self.overlay.is_empty()
            || self.is_about_a_new_object()
            || self.is_about_a_cluster_set()
            || WRONG_QUESTIONS.contains(&self.name.as_str());
        match self.expected.ask(&self.base.view()) {
            Ok(report) if !is_wrong_anyway => faults(&report).into_iter().map(told).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether the question is about a cluster set, which the world alone does not belong to.
    fn is_about_a_cluster_set(&self) -> bool {
        let mut words = self.expected.args.iter();
        words.any(|word| word.contains(".clusterset.local"))
    }

    /// Whether the question names an object that only the change adds.
    fn is_about_a_new_object(&self) -> bool {
        let is_new = |key: &Key| !self.base.keys().any(|own| own == key);
        let words = &self.expected.args;
        let touched = self.overlay.touched();
        let mut new = touched.iter().filter(|key| is_new(key));
        new.any(|key| words.iter().any(|word| word.contains(&key.2)))
    }
}

/// A list in a file of a folder; an empty one, where there is no such file.
fn read<T: DeserializeOwned>(folder: &Path, file: &str) -> Vec<T> {
    let path = folder.join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Vec::new();
    };
    serde_json::from_str(&text).unwrap_or_else(|error| broken(&path, &error))
}

/// The nearest `base.yaml` above a folder.
fn nearest_base(folder: &Path) -> PathBuf {
    let above = folder.ancestors().map(|above| above.join("base.yaml"));
    let mut there = above.filter(|path| path.exists());
    there
        .next()
        .unwrap_or_else(|| panic!("{} stands on nothing", folder.display()))
}
