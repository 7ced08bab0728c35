//! One DNS server: its sockets, and how it answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hickory_resolver::net::runtime::Time;
use hickory_resolver::proto::op::{Edns, Header, HeaderCounts, Message, Metadata, ResponseCode};
use hickory_resolver::proto::rr::rdata::{PTR, SOA};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use hickory_server::Server;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use parking_lot::RwLock;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::corefile::{Corefile, Plugin, is_below};
use super::index::Source;
use super::zone::{self, Answer, alias, fqdn};
use super::{forward, reverse};
use crate::net::Ns;

/// What names of addresses end in.
const REVERSE: &str = ".arpa";

/// What one server knows.
#[derive(Clone)]
pub struct Resolver {
    pub source: Arc<Source>,
    /// Read again whenever the ConfigMap changes.
    pub corefile: Arc<RwLock<Corefile>>,
    /// What `/etc/resolv.conf` names where the server runs.
    pub upstream: IpAddr,
    pub ns: Ns,
}

/// A reply before it is written.
#[derive(Debug, Default)]
struct Reply {
    code: Option<ResponseCode>,
    authoritative: bool,
    recursive: bool,
    answers: Vec<Record>,
    soa: Vec<Record>,
    extra: Vec<Record>,
}

/// Serves on port 53 of a namespace, UDP and TCP, until the handle is aborted.
pub fn start(resolver: Resolver, runtime: &Handle) -> Result<JoinHandle<()>> {
    let _context = runtime.enter();
    let (udp, tcp) = resolver
        .ns
        .enter(|| -> Result<_> {
            let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 53));
            let four = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 53));
            let udp =
                std::net::UdpSocket::bind(any).or_else(|_| std::net::UdpSocket::bind(four))?;
            let tcp =
                std::net::TcpListener::bind(any).or_else(|_| std::net::TcpListener::bind(four))?;
            Ok((udp, tcp))
        })?
        .context("port 53")?;
    udp.set_nonblocking(true)?;
    tcp.set_nonblocking(true)?;
    let mut server = Server::new(resolver);
    server.register_socket(tokio::net::UdpSocket::from_std(udp)?);
    server.register_listener(
        tokio::net::TcpListener::from_std(tcp)?,
        Duration::from_secs(10),
        16,
    );
    Ok(runtime.spawn(async move {
        let _ = server.block_until_done().await;
    }))
}

#[async_trait::async_trait]
impl RequestHandler for Resolver {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut out: R,
    ) -> ResponseInfo {
        let reply = self.reply(request).await;
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.response_code = reply.code.unwrap_or(ResponseCode::NoError);
        metadata.authoritative = reply.authoritative;
        metadata.recursion_available = reply.recursive;
        let edns = request.edns.as_ref().map(|asked| {
            let mut own = Edns::new();
            own.set_max_payload(asked.max_payload().max(512))
                .set_version(0);
            own
        });
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &edns {
            builder.edns(edns);
        }
        let response = builder.build(
            metadata,
            reply.answers.iter(),
            [],
            reply.soa.iter(),
            reply.extra.iter(),
        );
        let counts = HeaderCounts::default();
        out.send_response(response)
            .await
            .unwrap_or_else(|_| Header { metadata, counts }.into())
    }
}

// === impl Resolver ===

impl Resolver {
    async fn reply(&self, request: &Request) -> Reply {
        let Ok(info) = request.request_info() else {
            return Reply::code(ResponseCode::FormErr);
        };
        let name = info
            .query
            .name()
            .to_string()
            .trim_end_matches('.')
            .to_lowercase();
        self.resolve(&name, info.query.query_type(), request.as_slice())
            .await
    }

    /// Goes through the plugins of the block that owns the name.
    async fn resolve(&self, name: &str, kind: RecordType, raw: &[u8]) -> Reply {
        let corefile = self.corefile.read().clone();
        let Some(block) = corefile.block(name) else {
            return Reply::code(ResponseCode::Refused);
        };
        let mut name = name.to_owned();
        for plugin in &block.plugins {
            match plugin {
                Plugin::Rewrite { from, to } if *from == name => name.clone_from(to),
                Plugin::Hosts { names, fallthrough } => {
                    if let Some(addresses) = names.get(&name) {
                        return Reply::addresses(&name, addresses, kind);
                    }
                    if !fallthrough && block.zones.iter().any(|zone| !zone.is_empty()) {
                        return Reply::code(ResponseCode::NXDomain);
                    }
                }
                Plugin::Template {
                    kind: of,
                    zone,
                    rcode,
                } => {
                    let fits = (of == "ANY" || *of == kind.to_string()) && is_below(&name, zone);
                    if fits {
                        return Reply::code(if rcode == "NXDOMAIN" {
                            ResponseCode::NXDomain
                        } else {
                            ResponseCode::NoError
                        });
                    }
                }
                Plugin::Kubernetes {
                    zones,
                    fallthrough,
                    ttl,
                } => {
                    if let Some(reply) = self
                        .cluster(&name, kind, zones, *fallthrough, *ttl, raw)
                        .await
                    {
                        return reply;
                    }
                }
                Plugin::Forward { from, to } if is_below(&name, from) => {
                    return self.forward(to, raw).await;
                }
                _ => {}
            }
        }
        Reply::code(ResponseCode::Refused)
    }

    /// The `kubernetes` plugin; `None` falls through to the next one.
    async fn cluster(
        &self,
        name: &str,
        kind: RecordType,
        zones: &[String],
        fallthrough: bool,
        ttl: u32,
        raw: &[u8],
    ) -> Option<Reply> {
        let forward_zone = zones.iter().find(|zone| !zone.ends_with(REVERSE))?;
        let zone = zones.iter().find(|zone| is_below(name, zone))?;
        let index = self.source.index();
        if zone.ends_with(REVERSE) {
            let found = reverse::address_of(name)
                .and_then(|address| reverse::name_of(&index, address, forward_zone))?;
            let record = Record::from_rdata(fqdn(name), ttl, RData::PTR(PTR(fqdn(&found))));
            return Some(Reply::found(vec![record], Vec::new()));
        }
        match zone::answer(&index, name, zone, kind, ttl) {
            Answer::Records { answers, extra } => Some(Reply::found(answers, extra)),
            Answer::Alias(target) => {
                let mut answers = vec![alias(name, &target, ttl)];
                if let Ok(query) = Message::from_vec(raw) {
                    answers.extend(self.follow(query, &target, kind).await);
                }
                Some(Reply::found(answers, Vec::new()))
            }
            Answer::NoData => Some(Reply::empty(ResponseCode::NoError, zone, ttl)),
            Answer::NoSuchName if fallthrough => None,
            Answer::NoSuchName => Some(Reply::empty(ResponseCode::NXDomain, zone, ttl)),
        }
    }

    /// Resolves the target of an alias as any other name.
    async fn follow(
        &self,
        mut query: Message,
        target: &hickory_resolver::proto::rr::Name,
        kind: RecordType,
    ) -> Vec<Record> {
        for one in &mut query.queries {
            one.set_name(target.clone());
        }
        let Ok(raw) = query.to_vec() else {
            return Vec::new();
        };
        let name = target.to_string().trim_end_matches('.').to_lowercase();
        Box::pin(self.resolve(&name, kind, &raw)).await.answers
    }

    async fn forward(&self, to: &[String], raw: &[u8]) -> Reply {
        let server = |text: &String| match text.parse::<SocketAddr>() {
            Ok(address) => Some(address),
            Err(_) if text == "/etc/resolv.conf" => Some(SocketAddr::new(self.upstream, 53)),
            Err(_) => text
                .parse()
                .ok()
                .map(|address: IpAddr| SocketAddr::new(address, 53)),
        };
        let upstreams: Vec<SocketAddr> = to.iter().filter_map(server).collect();
        match forward::forward(&self.ns, raw, &upstreams).await {
            Ok(message) => Reply {
                code: Some(message.metadata.response_code),
                authoritative: message.metadata.authoritative,
                recursive: true,
                soa: message.authorities,
                answers: message.answers,
                extra: Vec::new(),
            },
            Err(_) => Reply::code(ResponseCode::ServFail),
        }
    }
}

// === impl Reply ===

impl Reply {
    fn code(code: ResponseCode) -> Self {
        Self {
            code: Some(code),
            ..Self::default()
        }
    }

    fn found(answers: Vec<Record>, extra: Vec<Record>) -> Self {
        Self {
            authoritative: true,
            answers,
            extra,
            ..Self::default()
        }
    }

    /// Nothing, with the zone's SOA as CoreDNS writes it.
    fn empty(code: ResponseCode, zone: &str, ttl: u32) -> Self {
        let (server, contact) = (
            fqdn(&format!("ns.dns.{zone}")),
            fqdn(&format!("hostmaster.{zone}")),
        );
        let serial = u32::try_from(jiff::Timestamp::now().as_second()).unwrap_or(u32::MAX);
        let soa = RData::SOA(SOA::new(server, contact, serial, 7200, 1800, 86_400, ttl));
        Self {
            code: Some(code),
            authoritative: true,
            soa: vec![Record::from_rdata(fqdn(zone), ttl, soa)],
            ..Self::default()
        }
    }

    fn addresses(name: &str, addresses: &[IpAddr], kind: RecordType) -> Self {
        let records = addresses.iter().map(|address| {
            let data = match address {
                IpAddr::V4(address) => RData::A((*address).into()),
                IpAddr::V6(address) => RData::AAAA((*address).into()),
            };
            Record::from_rdata(fqdn(name), 3600, data)
        });
        Self::found(
            records
                .filter(|record| record.record_type() == kind)
                .collect(),
            Vec::new(),
        )
    }
}
