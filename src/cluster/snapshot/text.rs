//! YAML and JSON text to objects, with bounded work for hostile input.

use std::borrow::Cow;
use std::num::NonZero;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Serializer, Value};

/// Text that is not the YAML or JSON of Kubernetes objects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct BadText {
    /// The line in the whole text, from 1.
    pub line: u64,
    pub message: String,
}

/// Every document of a YAML stream, or one JSON document, as JSON text. Empty documents are left out.
///
/// What is made of a document is read from that text straight into its type: a tree of values in between would
/// take more time and memory than all that comes after it.
///
/// The work is bounded by the length of the text: aliases that would blow up ("YAML bombs") and
/// nesting beyond 64 levels are refused.
///
/// # Errors
/// The first document that cannot be read, with its line.
pub fn documents(text: &str) -> Result<Vec<Cow<'_, str>>, BadText> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{')
        && let Ok(document) = serde_json::from_str::<&RawValue>(text)
    {
        return Ok(vec![document.get().into()]);
    }
    let parts = parts(text);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = parts.len().div_ceil(threads).max(LEAST);
    if parts.len() <= share {
        return converted(&parts);
    }
    let mut documents = Vec::new();
    // Reading YAML is the longest part of looking at a large snapshot.
    std::thread::scope(|scope| {
        let shares = parts.chunks(share);
        // All start before one is waited for.
        let shares: Vec<_> = shares
            .map(|share| scope.spawn(|| converted(share)))
            .collect();
        for share in shares {
            match share.join() {
                Ok(share) => documents.append(&mut share?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(documents)
    })
}

/// The same as values, for a few small documents.
///
/// # Errors
/// As [`documents`].
pub fn objects(text: &str) -> Result<Vec<Value>, BadText> {
    let documents = documents(text)?.into_iter();
    documents
        .map(|document| {
            serde_json::from_str(&document).map_err(|error| BadText {
                line: 1,
                message: error.to_string(),
            })
        })
        .collect()
}

/// Fewer documents than this are not worth a thread.
const LEAST: usize = 256;

fn converted(parts: &[(u64, &str)]) -> Result<Vec<Cow<'static, str>>, BadText> {
    let mut documents = Vec::new();
    for (first_line, text) in parts {
        let Json(document) = document(text).map_err(|mut bad| {
            bad.line += first_line;
            bad
        })?;
        if document != "null" {
            documents.push(document.into());
        }
    }
    Ok(documents)
}

/// Reads one YAML document into a type, with the same bounds.
///
/// # Errors
/// What cannot be read, with its line.
pub fn document<T: DeserializeOwned>(text: &str) -> Result<T, BadText> {
    let options = serde_saphyr::options! {
        budget: budget(text.len()),
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| BadText {
        line: error.location().map_or(1, |at| at.line()),
        message: message(&error.to_string()),
    })
}

/// The first line of what the parser says, without the places that it appends once more at every level.
fn message(said: &str) -> String {
    let line = said.lines().next().unwrap_or_default();
    let end = line.find(" at line ").unwrap_or(line.len());
    line[..end].to_owned()
}

/// Whatever a deserializer holds, as JSON text.
struct Json(String);

// === impl Json ===

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut text = Vec::new();
        serde_transcode::transcode(deserializer, &mut Serializer::new(&mut text))
            .map_err(D::Error::custom)?;
        String::from_utf8(text).map(Self).map_err(D::Error::custom)
    }
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
fn parts(text: &str) -> Vec<(u64, &str)> {
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
