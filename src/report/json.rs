//! JSON and YAML: for scripts.
//!
//! ```text
//!  value ─► compact JSON ─► a line · indented JSON · YAML
//! ```
//!
//! The other forms are written anew from the first, so that the program holds the code that writes a
//! type once.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Deserializer, Serializer};
use serde_transcode::Transcoder;

use crate::visible::acts;

/// Prints JSON on one line.
///
/// # Errors
/// When `out` does.
pub fn print_line<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    let mut line = escaped(&json).into_owned();
    line.push('\n');
    out.write_all(line.as_bytes())
}

/// Prints indented JSON with a final line end.
///
/// # Errors
/// When `out` does.
pub fn print<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    let json = escaped(&json);
    let mut reader = Deserializer::from_str(&json);
    let mut pretty = Vec::with_capacity(2 * json.len());
    serde_transcode::transcode(&mut reader, &mut Serializer::pretty(&mut pretty))?;
    // Reading it took the escapes away again.
    let pretty = String::from_utf8(pretty).map_err(io::Error::other)?;
    out.write_all(escaped(&pretty).as_bytes())?;
    writeln!(out)
}

/// Prints YAML. A text of several lines stays on one: a line of its own could be taken for a field.
///
/// # Errors
/// When `out` does.
pub fn print_yaml<T: Serialize>(value: &T, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    let marked = marked(&json);
    let mut reader = Deserializer::from_str(&marked);
    let anew = Transcoder::new(&mut reader);
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let text = serde_saphyr::to_string_with_options(&anew, options).map_err(io::Error::other)?;
    let text = match marked {
        Cow::Borrowed(_) => text,
        Cow::Owned(_) => text.replace("\\uFFFE", "\\U"),
    };
    out.write_all(text.as_bytes())
}

/// JSON with every character that acts as an escape; line ends stand between values only.
fn escaped(json: &str) -> Cow<'_, str> {
    replaced(json, |character, escaped| {
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    })
}

/// JSON with every character that acts as a mark before its number: a text that holds the mark is
/// put between double quotes, where its escape `\uFFFE` becomes YAML's `\U` with eight digits.
fn marked(json: &str) -> Cow<'_, str> {
    replaced(json, |character, marked| {
        let _ = write!(marked, "\u{fffe}{:08X}", u32::from(character));
    })
}

fn replaced(json: &str, replace: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let is_meant = |character| character != '\n' && acts(character);
    if !json.contains(is_meant) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 64);
    for character in json.chars() {
        if is_meant(character) {
            replace(character, &mut text);
        } else {
            text.push(character);
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str =
        "a\nb\u{1b}[2J\u{9b}1m\u{7f}\u{202e}x\u{200b}\u{e0041}\u{feff} 'q' \"d\" \\ é";

    /// What is printed comes back as it was, and nothing of it acts.
    #[test]
    fn every_form_is_harmless_and_whole() {
        let value = serde_json::json!({"text": HOSTILE, HOSTILE: [HOSTILE]});
        let print_as = |print: fn(&serde_json::Value, &mut dyn Write) -> io::Result<()>| {
            let mut out = Vec::new();
            print(&value, &mut out).expect("a Vec takes everything");
            String::from_utf8(out).expect("UTF-8")
        };
        let forms = [print_as(print_line), print_as(print), print_as(print_yaml)];
        for (text, lines) in forms.iter().zip([1, 6, 3]) {
            let acting = text.chars().find(|one| *one != '\n' && acts(*one));
            assert_eq!(acting, None, "{text}");
            assert_eq!(text.lines().count(), lines, "{text}");
            let read: serde_json::Value = crate::cluster::snapshot::document(text).expect("YAML");
            assert_eq!(read, value, "{text}");
        }
    }
}
