//! Listens to an agent: what it says is read line by line, and no further than a bound.
//!
//! Whoever owns the container owns what comes out of it. An agent that says more than any plan asks for
//! is none of ours, and nothing of what it said counts.

use tokio::sync::mpsc::UnboundedSender;

use super::Line;
use crate::visible::LONGEST;

/// The most bytes of one stream: the rules of a large node, and as much again.
const BYTES: usize = 32 << 20;
/// The longest line: facts come in parts of 64 KiB, each byte at most six in JSON.
const LINE: usize = 512 << 10;
/// The most lines: parts of facts, and an answer for every question.
const LINES: usize = 20_000;

/// What was heard so far.
#[derive(Debug, Default)]
pub struct Listener {
    rest: Vec<u8>,
    bytes: usize,
    lines: Vec<Line>,
    /// Who wants each line at once, in place of all of them at the end.
    told: Option<UnboundedSender<Line>>,
    count: usize,
    is_agent: bool,
    is_done: bool,
    /// The first words that are no protocol: a shell's complaint, say.
    said: Option<String>,
}

// === impl Listener ===

impl Listener {
    /// One that passes on each line as it comes.
    pub(super) fn telling(told: UnboundedSender<Line>) -> Self {
        Self {
            told: Some(told),
            ..Self::default()
        }
    }

    /// Takes what came next.
    ///
    /// # Errors
    /// The bound that it went beyond.
    pub(super) fn hear(&mut self, mut chunk: &[u8]) -> Result<(), String> {
        self.bytes += chunk.len();
        if self.bytes > BYTES {
            return Err(format!("the agent says more than {} MiB", BYTES >> 20));
        }
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            let (line, further) = chunk.split_at(end);
            self.rest.extend_from_slice(line);
            let line = std::mem::take(&mut self.rest);
            self.line(&line)?;
            chunk = &further[1..];
        }
        self.rest.extend_from_slice(chunk);
        if self.rest.len() > LINE {
            return Err(format!(
                "a line of the agent is longer than {} KiB",
                LINE >> 10
            ));
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.len() > LINE {
            return Err(format!(
                "a line of the agent is longer than {} KiB",
                LINE >> 10
            ));
        }
        match serde_json::from_slice(line) {
            Ok(line) => self.take(line),
            Err(_) if self.said.is_none() => {
                let text = String::from_utf8_lossy(line);
                let text = text.trim();
                self.said = (!text.is_empty()).then(|| text.chars().take(LONGEST).collect());
            }
            Err(_) => {}
        }
        if self.count > LINES {
            return Err(format!("the agent says more than {LINES} lines"));
        }
        Ok(())
    }

    fn take(&mut self, line: Line) {
        self.count += 1;
        self.is_agent |= matches!(line, Line::Hello(_));
        self.is_done = matches!(line, Line::Done(_));
        match &self.told {
            // Nobody may want it any more.
            Some(told) => drop(told.send(line)),
            None => self.lines.push(line),
        }
    }

    /// Whether the agent has said its last.
    pub(super) const fn is_done(&self) -> bool {
        self.is_done
    }

    /// What it said; else the first words that came instead.
    pub(super) fn finish(mut self) -> Result<Vec<Line>, Option<String>> {
        let rest = std::mem::take(&mut self.rest);
        // A last line without an end counts if it is one.
        let _ = self.line(&rest);
        if self.is_agent {
            Ok(self.lines)
        } else {
            Err(self.said)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = br#"{"hello":{"version":1,"agent":"x","uid":0,"capabilities":[],"canPing":false,"hostname":"h"}}"#;

    #[test]
    fn lines_are_put_together_from_pieces() {
        let mut listener = Listener::default();
        for piece in HELLO.chunks(7).chain([
            &b"\n{\"done\":{\"elapsed"[..],
            b"Ms\":1,\"cutShort\":false}}\n",
        ]) {
            listener.hear(piece).expect("within bounds");
        }
        assert!(listener.is_done());
        assert_eq!(listener.finish().expect("an agent").len(), 2);
    }

    #[test]
    fn a_flood_ends() {
        let mut one_line = Listener::default();
        assert!((0..1_000).any(|_| one_line.hear(&[b'x'; 1 << 10]).is_err()));
        let mut garbage = Listener::default();
        assert!((0..1 << 16).any(|_| garbage.hear(&[b'\n'; 1 << 10]).is_err()));
        let mut lines = Listener::default();
        let done = b"{\"done\":{\"elapsedMs\":1,\"cutShort\":false}}\n";
        assert!((0..LINES + 2).any(|_| lines.hear(done).is_err()));
    }

    #[test]
    fn what_came_instead_is_told_in_short() {
        let mut listener = Listener::default();
        listener
            .hear(b"\nsh: not found\nmore\n")
            .expect("within bounds");
        assert_eq!(
            listener.finish().expect_err("no agent").as_deref(),
            Some("sh: not found")
        );
        let deep = format!("{{\"observation\":{}\n", "[".repeat(200_000));
        let mut listener = Listener::default();
        listener.hear(deep.as_bytes()).expect("within bounds");
        assert!(listener.finish().is_err());
    }
}
