//! Sends facts off as they come.

use std::io;

use tokio::sync::mpsc::Sender;

use crate::probe::protocol::{Fact, Line};

/// A long text is cut into parts of about this size, so that it need not lie in memory as a whole.
const PART: usize = 64 * 1024;

/// Where the facts of one task go.
pub(in crate::agent) struct Post<'a> {
    task: usize,
    lines: &'a Sender<Line>,
}

// === impl Post ===

impl<'a> Post<'a> {
    pub(in crate::agent) const fn new(task: usize, lines: &'a Sender<Line>) -> Self {
        Self { task, lines }
    }

    /// Sends a fact, or why there is none.
    pub(super) async fn send(&self, file: &str, text: Result<String, String>) {
        match text {
            Ok(text) => {
                let mut rest = text.as_str();
                loop {
                    let mut cut = PART.min(rest.len());
                    while !rest.is_char_boundary(cut) {
                        cut -= 1;
                    }
                    let (part, further) = rest.split_at(cut);
                    self.part(file, part.to_owned(), None).await;
                    rest = further;
                    if rest.is_empty() {
                        break;
                    }
                }
            }
            Err(why) => self.part(file, String::new(), Some(why)).await,
        }
    }

    /// Sends a part of a fact; `missing` makes all that was sent of it worthless.
    pub(super) async fn part(&self, file: &str, text: String, missing: Option<String>) {
        let fact = Fact {
            task: self.task,
            file: file.to_owned(),
            text,
            missing,
        };
        // Nobody reads any more: there is nobody to tell.
        let _ = self.lines.send(Line::Fact(fact)).await;
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
