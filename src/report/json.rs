//! JSON and YAML: for scripts.

use std::io::{self, Write};

use serde::Serialize;

/// Prints indented JSON with a final line end.
///
/// # Errors
/// When `out` does.
pub fn print<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Prints YAML.
///
/// # Errors
/// When `out` does.
pub fn print_yaml<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())
}
