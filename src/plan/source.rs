//! What the source is asked: its own facts, the Service's address, and every backend by itself.

use std::net::SocketAddr;

use super::{Asker, MAX_BACKENDS, backend_addresses, is_explained, sources};
use crate::net::Protocol;
use crate::path::service_address;
use crate::resolve::Site;
use netpath_protocol::Task;

/// Attempts at a Service's address: each may meet another backend. Few enough not to meet the
/// kernel's limit on ICMP errors (6 at once, then one a second).
const VIP_ATTEMPTS: u32 = 5;
/// Connects over a Service's address that tell what is lost: ten for every endpoint, within bounds. A fault of
/// one endpoint in five stays unmet in one of 70,000 runs of fifty.
const MIN_CONNECTS: u32 = 30;
const MAX_CONNECTS: u32 = 100;
/// Between two of them: a server with a short queue keeps up, so that none is lost for being one of many.
const SPACING_MS: u64 = 5;
/// Attempts at each backend to tell how much is lost.
const LOSS_ATTEMPTS: u32 = 5;

// === impl Asker ===

impl<'v> Asker<'_, 'v> {
    pub(super) fn source(&mut self, site: Site<'v>) {
        let Some(vantage) = self.vantage(site) else {
            return;
        };
        if let Some(pod) = site.pod() {
            self.ask(&vantage, Task::PodFacts);
            self.names(pod, site, &vantage);
        }
        let addresses: Vec<SocketAddr> =
            self.paths_from(site).filter_map(service_address).collect();
        for to in addresses {
            let attempts = VIP_ATTEMPTS;
            self.reach(&vantage, to, (attempts, 0), false);
        }
        let backends: Vec<(SocketAddr, bool)> = self
            .paths_from(site)
            .flat_map(|path| backend_addresses(path).map(move |to| (to, is_explained(path))))
            .take(MAX_BACKENDS)
            .collect();
        for (to, is_explained) in backends {
            // One attempt confirms what was predicted; what was not is asked again.
            let attempts = if is_explained { 1 } else { 3 };
            self.reach(&vantage, to, (attempts, 1_000), true);
        }
    }

    /// Where the first connects to a Service's address all succeeded, many more, since they are cheap: one bad
    /// backend of five is met, and what is lost is counted.
    pub(super) fn count(&mut self) {
        if self.case.walk.protocol == Protocol::Udp {
            return;
        }
        for site in sources(self.case) {
            let Some(vantage) = self.vantage(site) else {
                continue;
            };
            let all = self.paths_from(site).map(|path| path.backends.len());
            let backends = u32::try_from(all.sum::<usize>()).unwrap_or(u32::MAX);
            let wanted = backends
                .saturating_mul(10)
                .clamp(MIN_CONNECTS, MAX_CONNECTS);
            let addresses: Vec<SocketAddr> =
                self.paths_from(site).filter_map(service_address).collect();
            for to in addresses {
                let first = self.seen.attempts(&vantage, to);
                let is_cheap = first.is_some_and(|first| first.are_smooth());
                if is_cheap && backends > 0 {
                    self.reach(&vantage, to, (wanted - VIP_ATTEMPTS, SPACING_MS), false);
                }
            }
        }
    }

    /// Where anything failed or was slow, every backend again, a few times and a while apart: by which of
    /// them, and how much, is lost.
    pub(super) fn measure(&mut self) {
        for site in sources(self.case) {
            let Some(vantage) = self.vantage(site) else {
                continue;
            };
            let backends: Vec<SocketAddr> = self
                .paths_from(site)
                .filter(|path| !is_explained(path))
                .flat_map(backend_addresses)
                .take(MAX_BACKENDS)
                .collect();
            let services = self.paths_from(site).filter_map(service_address);
            let mut all = services.chain(backends.iter().copied());
            let is_ailing = |to| {
                let attempts = self.seen.attempts(&vantage, to);
                attempts.is_some_and(|attempts| attempts.open > 0 && !attempts.are_smooth())
            };
            if self.case.walk.protocol == Protocol::Udp || !all.any(is_ailing) {
                continue;
            }
            for to in backends {
                let is_dead = self
                    .seen
                    .attempts(&vantage, to)
                    .is_some_and(|own| own.none_open());
                if !is_dead {
                    self.reach(&vantage, to, (LOSS_ATTEMPTS, 1_000), false);
                }
            }
        }
    }
}
