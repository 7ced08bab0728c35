//! What a container wrote, kept for `kubectl logs` and for whoever is attached.

use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{broadcast, watch};

/// One line.
#[derive(Debug, Clone)]
pub struct LogEntry {
    pub time: Timestamp,
    /// With its newline, if it had one.
    pub bytes: Vec<u8>,
}

/// A container's output. Clones share it.
#[derive(Debug, Clone)]
pub struct Log {
    entries: Arc<Mutex<Vec<LogEntry>>>,
    /// How many lines there are, and whether more can come.
    grown: watch::Sender<(usize, bool)>,
    /// Chunks as they come, with the stream they came on (1 or 2).
    live: broadcast::Sender<(u8, Vec<u8>)>,
}

// === impl Log ===

impl Log {
    pub fn new() -> Self {
        Self {
            entries: Arc::default(),
            grown: watch::Sender::new((0, true)),
            live: broadcast::Sender::new(1024),
        }
    }

    /// Takes in what came on a stream.
    pub fn write(&self, stream: u8, bytes: &[u8]) {
        let _ = self.live.send((stream, bytes.to_vec()));
        let mut entries = self.entries.lock();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match entries.last_mut() {
                Some(last) if last.bytes.last() != Some(&b'\n') => {
                    last.bytes.extend_from_slice(line);
                }
                _ => entries.push(LogEntry {
                    time: Timestamp::now(),
                    bytes: line.to_vec(),
                }),
            }
        }
        let count = entries.len();
        drop(entries);
        self.grown.send_replace((count, true));
    }

    /// Nothing more will come.
    pub fn close(&self) {
        self.grown.send_modify(|state| state.1 = false);
    }

    /// The lines from a position on.
    pub fn from(&self, position: usize) -> Vec<LogEntry> {
        self.entries
            .lock()
            .get(position..)
            .unwrap_or_default()
            .to_vec()
    }

    /// Tells of growth and of the end.
    pub fn watch(&self) -> watch::Receiver<(usize, bool)> {
        self.grown.subscribe()
    }

    /// What comes from now on.
    pub fn follow(&self) -> broadcast::Receiver<(u8, Vec<u8>)> {
        self.live.subscribe()
    }
}
