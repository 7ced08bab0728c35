//! JSON and YAML: for scripts.
//!
//! ```text
//!  value ─► compact JSON ─► a line · indented JSON · YAML
//! ```
//!
//! The other forms are written anew from the first, so that the program holds the code that writes a
//! type once.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Deserializer, Serializer};
use serde_transcode::Transcoder;

/// Prints JSON on one line.
///
/// # Errors
/// When `out` does.
pub fn print_line<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let mut json = serde_json::to_string(value)?;
    json.push('\n');
    out.write_all(json.as_bytes())
}

/// Prints indented JSON with a final line end.
///
/// # Errors
/// When `out` does.
pub fn print<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    let mut reader = Deserializer::from_str(&json);
    let mut writer = Serializer::pretty(&mut *out);
    serde_transcode::transcode(&mut reader, &mut writer)?;
    writeln!(out)
}

/// Prints YAML.
///
/// # Errors
/// When `out` does.
pub fn print_yaml<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    let mut reader = Deserializer::from_str(&json);
    let anew = Transcoder::new(&mut reader);
    let text = serde_saphyr::to_string(&anew).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}
