//! What the terminal can show.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal;

use clap::ValueEnum;

/// `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise.
    #[default]
    Auto,
    Always,
    Never,
}

/// What standard output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    pub color: bool,
    /// Whether symbols beyond ASCII may be used.
    pub unicode: bool,
    /// Columns; none when output is no terminal.
    pub width: Option<u16>,
}

// === impl Terminal ===

impl Terminal {
    /// A file or pipe without any terminal's abilities: what tests and golden files see.
    pub const PLAIN: Self = Self {
        color: false,
        unicode: true,
        width: None,
    };

    /// Asks the environment and standard output.
    ///
    /// `NO_COLOR` counts when set to anything but the empty string (no-color.org); `CLICOLOR=0` and
    /// `TERM=dumb` turn colour off, `CLICOLOR_FORCE` turns it on also into a pipe.
    #[must_use]
    pub fn detect(choice: ColorChoice) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let width = is_terminal.then(comfy_table_width).flatten();
        Self {
            color: wants_color(choice, is_terminal, |name| env::var_os(name)),
            unicode: is_utf8_locale(|name| env::var_os(name)),
            width,
        }
    }
}

fn comfy_table_width() -> Option<u16> {
    comfy_table::Table::new().width()
}

fn wants_color(
    choice: ColorChoice,
    is_terminal: bool,
    variable: impl Fn(&str) -> Option<OsString>,
) -> bool {
    let set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let equals = |name, wanted: &str| variable(name).is_some_and(|value| value == wanted);
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") || equals("CLICOLOR", "0") => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE") && !equals("CLICOLOR_FORCE", "0") => true,
        ColorChoice::Auto => is_terminal && !equals("TERM", "dumb"),
    }
}

/// The first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set decides (POSIX); with none set, a UTF-8
/// terminal is today's norm.
fn is_utf8_locale(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(variable)
        .find(|value| !value.is_empty())
        .is_none_or(|value| {
            let value = value.to_string_lossy().to_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).into())
        }
    }

    #[test]
    fn colour_follows_the_conventions() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, is_terminal, pairs, expected) in [
            (Auto, true, &[][..], true),
            (Auto, false, &[], false),
            (Auto, true, &[("NO_COLOR", "1")], false),
            (Auto, true, &[("NO_COLOR", "")], true),
            (Auto, true, &[("TERM", "dumb")], false),
            (Auto, true, &[("CLICOLOR", "0")], false),
            (Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (
                Auto,
                false,
                &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
                false,
            ),
            (Always, false, &[("NO_COLOR", "1")], true),
            (Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ] {
            assert_eq!(
                wants_color(choice, is_terminal, env(pairs)),
                expected,
                "{choice:?} {pairs:?}"
            );
        }
    }

    #[test]
    fn locales_without_utf8_get_ascii() {
        for (pairs, expected) in [
            (&[][..], true),
            (&[("LANG", "C")], false),
            (&[("LANG", "en_GB.UTF-8")], true),
            (&[("LC_ALL", "POSIX"), ("LANG", "en_GB.UTF-8")], false),
            (&[("LC_ALL", ""), ("LANG", "de_DE.utf8")], true),
        ] {
            assert_eq!(is_utf8_locale(env(pairs)), expected, "{pairs:?}");
        }
    }
}
