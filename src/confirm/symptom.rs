//! What a probe saw where it was not predicted. Not yet a cause: `diagnose` finds that.

use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::core::v1::Service;

use super::Inside;
use crate::cluster::{ObjectRef, Pod};
use crate::observe::Attempts;
use crate::path::{Backend, Break, Denied};
use crate::resolve::Site;
use netpath_protocol::{DnsReply, HttpReply, MtuReply, TlsReply, TraceHop};

/// One thing seen.
#[derive(Debug, Clone)]
pub enum Symptom<'v> {
    /// The name does not come out as it should.
    Name {
        source: &'v Pod,
        name: String,
        kind: NameSymptom,
        /// The server that the pod's own resolver asks.
        resolver: IpAddr,
        /// Whether that one answers over TCP.
        by_tcp: Option<bool>,
        /// The answers, by server and name, in words.
        replies: Vec<String>,
        /// Who got them: the pod, or its node where policies keep the pod from asking.
        asker: ObjectRef,
        /// Those that were asked by themselves, beside that one.
        servers: Vec<Server>,
        /// Whether the resolver's server knows a name that every cluster has; none if it was not asked.
        control: Option<bool>,
        /// Whether another Service's address answers this pod.
        others_answer: Option<bool>,
    },
    /// A backend does not answer, or badly.
    Backend(Box<BackendSymptom<'v>>),
    /// The Service's address does not lead to backends that answer by themselves.
    Proxy {
        source: Site<'v>,
        service: Option<&'v Service>,
        address: SocketAddr,
        attempts: Attempts,
        /// Whether another Service's address answers this pod.
        others_answer: Option<bool>,
        /// Whether the pod is itself one of the backends.
        is_own_backend: bool,
        /// Whether only backends on the source's own node are behind the address.
        only_local: bool,
    },
    /// A port that opens, and then stays silent: always, or for what does not fit a packet.
    Stall {
        source: Site<'v>,
        backend: Backend<'v>,
        address: SocketAddr,
        only_large: bool,
        /// Whether a request was made that was too large for one packet, and stayed unanswered.
        large_hangs: bool,
        size: Option<MtuReply>,
        /// Whether it stays silent inside its own network namespace, too.
        stalls_inside: Option<bool>,
    },
    /// What a TLS server showed.
    Certificate {
        source: Site<'v>,
        address: SocketAddr,
        /// The name it was asked for.
        host: String,
        reply: TlsReply,
    },
    /// What an HTTP server said.
    Answer {
        source: Site<'v>,
        backend: Backend<'v>,
        address: SocketAddr,
        host: String,
        path: String,
        reply: HttpReply,
    },
    /// Something that a node or a pod holds ought to stop it, and it is open.
    WorksAnyway {
        source: Site<'v>,
        seen: Box<Break<'v>>,
        address: SocketAddr,
    },
    /// Policies deny it, and it is open.
    OpenThoughDenied {
        source: Site<'v>,
        denied: Box<Denied>,
        address: SocketAddr,
    },
}

/// A backend that does not answer, with everything seen around it.
#[derive(Debug, Clone)]
pub struct BackendSymptom<'v> {
    pub source: Site<'v>,
    pub backend: Backend<'v>,
    pub address: SocketAddr,
    pub attempts: Attempts,
    /// What its own network namespace says.
    pub inside: Option<Inside>,
    /// How its siblings do.
    pub others: Others,
    /// What its own node, and the source's node, reach of it.
    pub from_own_node: Option<Attempts>,
    pub from_source_node: Option<Attempts>,
    /// Whether the same pod answers by its address of the other family.
    pub by_other_family: Option<bool>,
    /// The routers on the way to it, as far as they tell.
    pub trace: Vec<TraceHop>,
    /// Whether the Service translates the port on the way here.
    pub service: Option<&'v Service>,
}

/// The siblings of a backend, as the same source sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Others {
    pub open: usize,
    /// That never answer.
    pub failing: usize,
    /// That answer, but not always or not at once.
    pub shaky: usize,
    /// Of those on the same node as the backend, how many answer as they should, and how many do not.
    pub fine_on_its_node: usize,
    pub ailing_on_its_node: usize,
    /// Of those on other nodes.
    pub fine_elsewhere: usize,
    pub ailing_elsewhere: usize,
}

/// A DNS server that was asked by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub address: IpAddr,
    /// Whether it is the address of the DNS Service.
    pub is_service: bool,
    /// The name of the DNS pod it is.
    pub pod: Option<String>,
    pub answers: bool,
}

/// How a lookup went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameSymptom {
    /// No answer.
    Silent,
    /// The server's address refuses.
    Refused,
    /// No such name.
    NoName,
    /// An error of the server.
    Error(String),
    /// Another address than the Service's.
    Wrong(String),
    /// A name outside the cluster was found under a search domain, as this one.
    Hijacked(String),
    /// It was found, but one of the servers does not answer.
    Sometimes,
    /// It was found, but not over TCP.
    NoTcp,
}

// === impl Symptom ===

impl Symptom<'_> {
    /// Whether something was measured that does not work as it should, whatever its cause.
    #[must_use]
    pub const fn is_harmful(&self) -> bool {
        !matches!(
            self,
            Self::OpenThoughDenied { .. } | Self::Certificate { .. } | Self::Answer { .. }
        )
    }
}

/// One reply in words: `10.96.0.10: NXDOMAIN for api.shop.svc.cluster.local, 0.6 ms`.
pub(super) fn reply_words(server: SocketAddr, name: &str, reply: &DnsReply) -> String {
    let time = crate::observe::time(reply.elapsed_us);
    let said = match (&reply.rcode, &reply.error) {
        (Some(rcode), _) if reply.answers.is_empty() => rcode.clone(),
        (Some(_), _) => reply.answers.join(", "),
        (None, Some(failure)) => failure.words().to_owned(),
        (None, None) => "no answer".to_owned(),
    };
    format!("{}: {said} for {name}, {time}", server.ip())
}
