//! Text from outside, made harmless to look at.
//!
//! Event messages, refusals of webhooks, names in certificates, rule comments: anybody may have
//! written them. Whatever reaches a terminal passes here; a character that would move the cursor, end
//! the line, turn the direction of writing or not be seen at all is shown as what it is.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write;

/// How many characters of one field are shown: nobody reads more of it at a terminal.
pub const LONGEST: usize = 500;

/// Whether a character does something else than being read: controls (C0 with line ends, DEL, C1),
/// line and paragraph separators, marks and overrides of direction (UAX #9), and what has no width.
#[must_use]
pub const fn acts(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The text on one line, with what acts as escapes: `\n`, `\u{1b}`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if acts(character) {
            // Rust's own escapes: `\t`, `\r`, `\n`, else `\u{…}`; no more than these are met here.
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The same, cut where a field becomes longer than anybody reads.
#[must_use]
pub fn field(text: &str) -> Cow<'_, str> {
    // One character may become up to ten: only what can be shown is looked at.
    let Some((cut, _)) = text.char_indices().nth(LONGEST) else {
        return visible(text);
    };
    Cow::Owned(format!("{}…", visible(&text[..cut])))
}

/// Tells the user something on standard error, on one line. A closed one takes nothing from the answer.
pub fn say(line: impl Display) {
    let line = line.to_string();
    let _ = writeln!(std::io::stderr(), "{}", visible(&line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_shown_and_what_is_read_stays() {
        for (text, shown) in [
            ("web → api", "web → api"),
            ("a\nfix: b\r", r"a\nfix: b\r"),
            ("\u{1b}[2J\u{7}", r"\u{1b}[2J\u{7}"),
            ("\u{9b}31m\u{7f}", r"\u{9b}31m\u{7f}"),
            ("exe.\u{202e}gnp", r"exe.\u{202e}gnp"),
            ("a\u{200b}b\u{feff}", r"a\u{200b}b\u{feff}"),
            ("日本語 é", "日本語 é"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn a_field_ends_somewhere() {
        assert_eq!(field(&"é".repeat(LONGEST)).chars().count(), LONGEST);
        let cut = field(&"é".repeat(LONGEST + 1)).into_owned();
        assert!(cut.ends_with("é…") && cut.chars().count() == LONGEST + 1);
        assert!(field(&"\u{1b}".repeat(1 << 20)).len() < 10 * LONGEST);
    }
}
