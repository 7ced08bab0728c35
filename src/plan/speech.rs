//! What a port speaks, as far as anybody said so.

use std::net::SocketAddr;

use crate::cluster::Named;
use crate::cluster::access::ServicePortExt;
use crate::diagnose::Case;
use crate::net::Protocol;
use crate::resolve::Place;

use netpath_protocol::Task;

/// The protocol above TCP, with what a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Speech {
    Http {
        host: String,
        path: String,
    },
    Https {
        host: String,
        path: String,
    },
    /// Nobody said; nothing is sent to a server that may not like it.
    Unknown,
}

/// More than fits a packet of any usual network.
const PADDING: usize = 4_000;

// === impl Speech ===

impl Speech {
    /// The URL's scheme, the Service port's appProtocol or name (Kubernetes: `http`, `http-web`;
    /// KEP-1507), or the port that HTTP has everywhere.
    pub(super) fn of(case: &Case<'_, '_>) -> Self {
        if case.walk.protocol != Protocol::Tcp {
            return Self::Unknown;
        }
        let destination = &case.flow.destination;
        let path = |url: &crate::target::Url| {
            if url.path.is_empty() {
                "/".to_owned()
            } else {
                url.path.clone()
            }
        };
        if let Some(url) = &destination.url {
            let host = match &destination.place {
                Place::Name(name) => name.clone(),
                _ => destination.object.name.clone(),
            };
            return match url.scheme.as_str() {
                "http" | "ws" => Self::Http {
                    host,
                    path: path(url),
                },
                "https" | "wss" => Self::Https {
                    host,
                    path: path(url),
                },
                _ => Self::Unknown,
            };
        }
        let Place::Service { service, .. } = &destination.place else {
            return Self::Unknown;
        };
        let port = case.walk.port.and_then(|number| {
            let spec = service.spec.as_ref()?;
            spec.ports
                .iter()
                .flatten()
                .find(|port| port.number() == number)
        });
        let Some(port) = port else {
            return Self::Unknown;
        };
        let word = port
            .app_protocol
            .as_deref()
            .or(port.name.as_deref())
            .unwrap_or_default();
        let (host, path) = (
            format!("{}.{}", service.name(), service.namespace()),
            "/".to_owned(),
        );
        match word.split('-').next().unwrap_or_default() {
            "http" => Self::Http { host, path },
            "https" => Self::Https { host, path },
            "" if port.number() == 80 => Self::Http { host, path },
            _ => Self::Unknown,
        }
    }

    /// The questions for one address.
    pub(super) fn tasks(&self, to: SocketAddr, timeout_ms: u64) -> Vec<Task> {
        let http = |host: &str, path: &str, tls, padding| Task::Http {
            to,
            host: host.to_owned(),
            path: path.to_owned(),
            tls,
            padding,
            timeout_ms,
        };
        match self {
            Self::Http { host, path } => {
                vec![http(host, path, false, 0), http(host, path, false, PADDING)]
            }
            Self::Https { host, path } => vec![
                Task::Tls {
                    to,
                    server_name: host.clone(),
                    timeout_ms,
                },
                http(host, path, true, 0),
                http(host, path, true, PADDING),
            ],
            Self::Unknown => Vec::new(),
        }
    }
}
