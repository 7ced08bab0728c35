//! The pods at the other end.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::speech::Speech;
use super::{Asker, is_explained};
use crate::net::Protocol;
use crate::observe::Depth;
use crate::observe::Vantage;
use crate::path::service_address;
use crate::path::{Mode, Path};
use netpath_protocol::Task;

/// Pods at the other end that are looked into.
const MAX_DESTINATIONS: usize = 3;
/// More routers than this lie between no two pods.
const MAX_HOPS: u8 = 6;

// === impl Asker ===

impl<'v> Asker<'_, 'v> {
    /// Looks into the pods at the other end that do not answer.
    pub(super) fn destinations(&mut self) {
        let speech = Speech::of(self.case);
        let mut looked = 0;
        let failing: Vec<(&Path<'v>, usize)> = self
            .case
            .paths()
            .flat_map(|path| (0..path.backends.len()).map(move |index| (path, index)))
            .collect();
        for (path, index) in failing {
            let backend = &path.backends[index];
            let source = path.sources.first().copied();
            let (Some(pod), Some(addr), Some(from_source)) = (
                backend.pod,
                backend.address,
                source.and_then(|site| self.vantage(site)),
            ) else {
                continue;
            };
            let to = SocketAddr::new(addr, backend.port);
            let is_failing = self
                .seen
                .attempts(&from_source, to)
                .is_some_and(|attempts| !attempts.are_fine() && !attempts.say_nothing());
            let mut replies = self.seen.http(&from_source, to);
            let is_mute =
                replies.any(|(_, reply)| reply.connect_us.is_some() && reply.received == 0);
            // What a policy explains needs no container in somebody else's pod.
            let is_settled = is_explained(path) || path.mode == Mode::ContainerToContainer;
            // The Service's address fails, and this backend is on the source's own node: whether its
            // answers pass that node's rules depends on its own routes.
            let is_near = self.depth == Depth::Deep
                && backend.node.is_some()
                && backend.node == source.and_then(|site| site.node_name())
                && service_address(path)
                    .and_then(|vip| self.seen.attempts(&from_source, vip))
                    .is_some_and(|attempts| !attempts.are_fine());
            if !(is_failing || is_mute || is_near) || is_settled || pod.ips().is_empty() {
                continue;
            }
            let vantage = Vantage::of_pod(pod);
            if !self.seen.has_seen(&vantage) && looked >= MAX_DESTINATIONS {
                continue;
            }
            looked += 1;
            let loopback = match addr {
                IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
                IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            };
            self.ask(&vantage, Task::PodFacts);
            if is_failing {
                self.ask(
                    &from_source,
                    Task::Trace {
                        to,
                        tcp: self.case.walk.protocol != Protocol::Udp,
                        max_hops: MAX_HOPS,
                        timeout_ms: 1_000,
                    },
                );
            }
            self.reach(&vantage, to, (1, 0), true);
            let loopback = SocketAddr::new(loopback, backend.port);
            self.reach(&vantage, loopback, (1, 0), true);
            for task in speech
                .tasks(to, self.timeout_ms)
                .into_iter()
                .filter(|_| is_mute)
            {
                self.ask(&vantage, task);
            }
        }
    }
}
