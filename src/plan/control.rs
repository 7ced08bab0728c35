//! Other Services: is it the proxy?

use std::net::SocketAddr;

use super::{Asker, sources};
use crate::cluster::access::ServiceExt;
use crate::net::Protocol;
use crate::path::service_address;
use netpath_protocol::Task;

// === impl Asker ===

impl Asker<'_, '_> {
    /// Other Services, where this one's address fails and its backends answer: is it the proxy?
    pub(super) fn control(&mut self) {
        for site in sources(self.case) {
            let Some(vantage) = self.vantage(site) else {
                continue;
            };
            let addresses: Vec<SocketAddr> =
                self.paths_from(site).filter_map(service_address).collect();
            let fails = |to: &SocketAddr| {
                self.seen
                    .attempts(&vantage, *to)
                    .is_some_and(|attempts| !attempts.all_open())
            };
            let no_dns = self
                .seen
                .dns(&vantage)
                .any(|(_, reply)| reply.rcode.is_none());
            if !addresses.iter().any(fails) && !no_dns {
                continue;
            }
            let others = [("default", "kubernetes"), ("kube-system", "kube-dns")];
            for (namespace, name) in others {
                let service = self.view().services.get(namespace, name);
                let to = service.and_then(|service| {
                    let port = service
                        .ports()
                        .iter()
                        .find(|port| port.protocol.as_deref() != Some("UDP"))?;
                    let address = service.cluster_ips().into_iter().next()?;
                    Some(SocketAddr::new(address, u16::try_from(port.port).ok()?))
                });
                if let Some(to) = to.filter(|to| !addresses.contains(to)) {
                    let timeout_ms = self.timeout_ms;
                    self.ask(
                        &vantage,
                        Task::Connect {
                            to,
                            protocol: Protocol::Tcp,
                            attempts: 1,
                            spacing_ms: 0,
                            timeout_ms,
                            until_open: true,
                            exchange: None,
                        },
                    );
                }
            }
        }
    }
}
