//! YAML and JSON text to objects, with bounded work for hostile input.

use std::num::NonZero;

use serde_json::Value;

/// Text that is not the YAML or JSON of Kubernetes objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct BadText {
    /// The line in the whole text, from 1.
    pub line: u64,
    pub message: String,
}

/// Reads every document of a YAML stream, or one JSON document. Empty documents are left out.
///
/// The work is bounded by the length of the text: aliases that would blow up ("YAML bombs") and
/// nesting beyond 64 levels are refused.
///
/// # Errors
/// The first document that cannot be read, with its line.
pub fn objects(text: &str) -> Result<Vec<Value>, BadText> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(vec![value]);
    }
    let documents = documents(text);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = documents.len().div_ceil(threads).max(LEAST);
    if documents.len() <= share {
        return values(&documents);
    }
    let mut objects = Vec::new();
    // Reading YAML is the longest part of looking at a large snapshot.
    std::thread::scope(|scope| {
        let parts = documents.chunks(share);
        // All start before one is waited for.
        let parts: Vec<_> = parts.map(|part| scope.spawn(|| values(part))).collect();
        for part in parts {
            match part.join() {
                Ok(part) => objects.append(&mut part?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(objects)
    })
}

/// Fewer documents than this are not worth a thread.
const LEAST: usize = 256;

fn values(documents: &[(u64, &str)]) -> Result<Vec<Value>, BadText> {
    let mut values = Vec::new();
    for (first_line, text) in documents {
        let value = document(text).map_err(|mut bad| {
            bad.line += first_line;
            bad
        })?;
        if !value.is_null() {
            values.push(value);
        }
    }
    Ok(values)
}

/// Reads one YAML document, with the same bounds. What is made of it is made of the [`Value`], so that
/// the program holds the code that reads a type once.
///
/// # Errors
/// What cannot be read, with its line.
pub fn document(text: &str) -> Result<Value, BadText> {
    let options = serde_saphyr::options! {
        budget: budget(text.len()),
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| BadText {
        line: error.location().map_or(1, |at| at.line()),
        message: error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Room for every node the text itself can hold, and little for what aliases multiply.
fn budget(length: usize) -> Option<serde_saphyr::Budget> {
    let base = serde_saphyr::Budget::default();
    serde_saphyr::budget! {
        max_events: base.max_events.max(length),
        max_nodes: base.max_nodes.max(length),
        max_total_scalar_bytes: base.max_total_scalar_bytes.max(2 * length),
        max_aliases: 1_000,
    }
}

/// The documents of a stream with the number of lines before each.
fn documents(text: &str) -> Vec<(u64, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut position, mut line) = (0, 0, 0, 0);
    for content in text.split_inclusive('\n') {
        let marker = content.trim_end();
        if marker == "---" || marker.starts_with("--- ") {
            documents.push((start_line, &text[start..position]));
            // `--- # comment` and `--- {…}` may go on behind the marker.
            start = position + 3;
            start_line = line;
        }
        position += content.len();
        line += 1;
    }
    documents.push((start_line, &text[start..]));
    documents.retain(|(_, document)| !document.trim().is_empty());
    documents
}
