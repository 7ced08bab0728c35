//! A disagreement as a scenario: the folder that the tests read, and a person.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::ground::Outcome;
use super::spec::Case;
use super::truth::Truth;

/// Where a seed is kept.
pub fn folder(keep: &Path, case: &Case) -> PathBuf {
    keep.join(format!("fuzz-{}", case.seed))
}

/// Writes `FOLDER/fuzz-SEED/inject.yaml`. What it should say is for a person to fill in: the verdict is the
/// kernel's.
pub fn write(keep: &Path, case: &Case, outcome: &Outcome) -> Result<()> {
    let folder = folder(keep, case);
    std::fs::create_dir_all(&folder)?;
    let mut text = format!("# {case}\n");
    for (answer, judgement) in &outcome.answers {
        let cause = answer.cause.as_deref().unwrap_or("nothing");
        writeln!(
            text,
            "# {}: {} {cause} ({judgement:?})",
            answer.way.word(),
            answer.verdict
        )?;
    }
    let verdict = match outcome.truth {
        Truth::Works => "Reachable",
        Truth::Partly => "Degraded",
        Truth::Fails => "Unreachable",
    };
    let world = case.world;
    text += "base: ../fuzz-world\n";
    writeln!(
        text,
        "lab: {}",
        json!({"proxy": world.proxy, "iptables": world.iptables, "transport": world.transport})
    )?;
    writeln!(text, "ask: {}", json!(case.question.ask))?;
    writeln!(text, "namespace: {}", case.question.namespace)?;
    writeln!(text, "verdict: {verdict}")?;
    text += "inject:\n";
    for step in case.does() {
        writeln!(text, "- {}", serde_json::to_string(&step)?)?;
    }
    std::fs::write(folder.join("inject.yaml"), text)?;
    Ok(())
}
