//! What the ports that are open speak.

use std::net::SocketAddr;

use super::{Asker, MAX_BACKENDS};

use super::speech::Speech;
use netpath_protocol::Task;

// === impl Asker ===

impl Asker<'_, '_> {
    /// Speaks to the ports that are open: HTTP where a port speaks it, small and too large for one
    /// packet; a handshake where TLS was asked; and the size of packets that passes between nodes.
    pub(super) fn applications(&mut self) {
        let speech = Speech::of(self.case);
        let mut sized = false;
        for path in self.case.paths() {
            let Some(source) = path.sources.first().copied() else {
                continue;
            };
            let Some(vantage) = self.vantage(source) else {
                continue;
            };
            for backend in path.backends.iter().take(MAX_BACKENDS) {
                let Some(to) = backend
                    .address
                    .map(|addr| SocketAddr::new(addr, backend.port))
                else {
                    continue;
                };
                if self
                    .seen
                    .attempts(&vantage, to)
                    .is_none_or(|attempts| attempts.open == 0)
                {
                    continue;
                }
                for task in speech.tasks(to, self.timeout_ms) {
                    self.ask(&vantage, task);
                }
                let crosses = backend.node.is_some() && backend.node != source.node_name();
                if crosses && !sized {
                    sized = true;
                    self.ask(
                        &vantage,
                        Task::PathMtu {
                            to,
                            timeout_ms: 1_000,
                        },
                    );
                }
            }
        }
    }
}
