//! Sends facts off as they come.

use std::io;

use tokio::sync::mpsc::Sender;

use netpath_protocol::{Fact, Line};

/// A long text is cut into parts of about this size, so that it need not lie in memory as a whole.
pub(super) const PART: usize = 64 * 1024;

/// Where the facts of one task go; what is sent waits for its reader.
pub(crate) struct Post {
    task: usize,
    lines: Sender<Line>,
}

// === impl Post ===

impl Post {
    pub(crate) fn new(task: usize, lines: &Sender<Line>) -> Self {
        let lines = lines.clone();
        Self { task, lines }
    }

    /// Sends a whole fact, or why there is none.
    pub(super) fn send(&self, file: &str, text: Result<String, String>) {
        match text {
            Ok(text) => {
                let mut rest = text.as_str();
                loop {
                    let mut cut = PART.min(rest.len());
                    while !rest.is_char_boundary(cut) {
                        cut -= 1;
                    }
                    let (part, further) = rest.split_at(cut);
                    self.part(file, part.to_owned(), None);
                    rest = further;
                    if rest.is_empty() {
                        break;
                    }
                }
            }
            Err(why) => self.missing(file, why),
        }
    }

    /// Sends those lines of a part that are to be kept.
    pub(super) fn text(&self, file: &str, part: &str, keep: impl Fn(&str) -> bool) {
        let kept: String = part
            .split_inclusive('\n')
            .filter(|line| keep(line))
            .collect();
        self.part(file, kept, None);
    }

    /// Says why a fact, or the rest of it, is missing; what was sent of it is then worthless.
    pub(super) fn missing(&self, file: &str, why: String) {
        self.part(file, String::new(), Some(why));
    }

    fn part(&self, file: &str, text: String, missing: Option<String>) {
        let fact = Fact {
            task: self.task,
            file: file.to_owned(),
            text,
            missing,
        };
        // Nobody reads any more: there is nobody to tell.
        let _ = self.lines.blocking_send(Line::Fact(fact));
    }
}

/// A file's text, or why there is none.
pub(super) fn file(path: &str) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| why(path, &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn why(what: &str, error: &io::Error) -> String {
    format!("{what}: {error}")
}
