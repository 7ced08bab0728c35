//! The registry holds what it promises: entries are whole, and marked by what the sources raise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Block, Code, causes, families};

#[test]
fn every_code_has_an_entry_and_every_entry_a_code() {
    let described: Vec<Code> = causes().map(|cause| cause.code).collect();
    assert_eq!(
        described,
        Code::ALL,
        "code.rs and the families' files, in order"
    );
    let headings = super::FILES.iter().flat_map(|text| text.lines());
    let headings = headings.filter(|line| line.starts_with("## ")).count();
    assert_eq!(
        headings,
        Code::ALL.len(),
        "a heading without a code of its own"
    );
    for family in families() {
        assert!(!family.about.is_empty(), "{}", family.name);
        for (index, cause) in family.causes.iter().enumerate() {
            let expected = format!("{}-{:02}", family.name, index + 1);
            assert_eq!(cause.code.as_str(), expected, "numbers have no gap");
        }
    }
}

#[test]
fn every_entry_has_all_its_parts() {
    for cause in causes() {
        let told = if cause.is_recognized() {
            "How netpath tells it apart"
        } else {
            "How to tell it apart"
        };
        let wanted = [
            "What you see",
            "Why it happens",
            told,
            "How to fix it",
            "Read more",
        ];
        let titles: Vec<&str> = cause.sections.iter().map(|section| section.title).collect();
        assert_eq!(titles, wanted, "{}", cause.code);
        assert!(
            !cause.title.is_empty() && !cause.title.ends_with('.'),
            "{}",
            cause.code
        );
        assert!(
            cause
                .sections
                .iter()
                .all(|section| !section.blocks.is_empty()),
            "{}",
            cause.code
        );
        let links = &cause.sections[4].blocks;
        let is_link = |block: &Block| matches!(block, Block::Item(link) if link.starts_with("https://") && !link.contains(' '));
        assert!(links.iter().all(is_link), "{}: {links:?}", cause.code);
    }
}

/// A text that sends the reader to a code that does not exist leads nowhere.
#[test]
fn codes_in_the_texts_exist() {
    for text in super::FILES {
        for word in
            text.split(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        {
            let is_family = |name: &str| families().iter().any(|family| family.name == name);
            if word.split_once('-').is_some_and(|(family, number)| {
                is_family(family) && number.bytes().all(|byte| byte.is_ascii_digit())
            }) {
                assert!(Code::parse(word).is_some(), "{word}");
            }
        }
    }
}

/// What a reader is told about where a cause shows is where the diagnosis raises it, and a cause that no
/// source raises is not told as one that netpath finds.
#[test]
fn entries_are_visible_where_the_sources_raise_them() {
    let raised = raised();
    let mut wrong = Vec::new();
    for cause in causes() {
        let places = raised.get(cause.code.as_str()).cloned().unwrap_or_default();
        let told: BTreeSet<String> = cause
            .visible
            .iter()
            .flat_map(|text| text.split(", "))
            .map(str::to_owned)
            .collect();
        if told != places {
            wrong.push(format!(
                "{}: {told:?} is told, {places:?} raise it",
                cause.code
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each code that the diagnosis raises, and the kinds of evidence it is raised from.
fn raised() -> BTreeMap<&'static str, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/diagnose");
    let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources(&root) {
        let place = place(path.strip_prefix(&root).expect("a file below"));
        for &code in Code::ALL {
            if text.contains(&format!("Code::{}", code.as_str().replace('-', "_"))) {
                found
                    .entry(code.as_str())
                    .or_default()
                    .insert(place.to_owned());
            }
        }
    }
    found
}

/// The kind of evidence, by the folder of a source file.
fn place(file: &Path) -> &'static str {
    let folder = file
        .components()
        .next()
        .and_then(|first| first.as_os_str().to_str());
    match folder {
        Some("hints") => "hints",
        Some("nodes") => "node state",
        Some("probes") => "a probe",
        _ => "API objects",
    }
}

/// Every Rust file below a folder, without what only tests see.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let text = text
                .split("#[cfg(test)]")
                .next()
                .unwrap_or_default()
                .to_owned();
            files.push((path, text));
        }
    }
    files
}
