//! DNS: one question to one server. No stub resolver: which server said what is the point.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use socket2::Protocol as Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connect::dial;
use super::failure::{failure, other};
use super::{datagram, micros};
use netpath_protocol::{DnsReply, Failure, Record};

/// What a modern resolver announces (DNS flag day 2020).
const EDNS_ROOM: u16 = 1232;

/// A question to a server.
pub(super) struct Question<'a> {
    pub(super) server: SocketAddr,
    /// Absolute, with or without the final dot.
    pub(super) name: &'a str,
    pub(super) record: Record,
    pub(super) over_tcp: bool,
    pub(super) edns: bool,
}

// === impl Question ===

impl Question<'_> {
    /// Asks once.
    pub(super) async fn ask(&self, patience: Duration) -> DnsReply {
        let started = Instant::now();
        let mut reply = match self.message() {
            Err(text) => no_answer(Failure::Other { text }),
            Ok((query, bytes)) => {
                let answer = if self.over_tcp {
                    over_tcp(self.server, &query, &bytes, patience).await
                } else {
                    over_udp(self.server, &query, &bytes, patience).await
                };
                answer.map_or_else(no_answer, |answer| reply(&answer))
            }
        };
        reply.elapsed_us = micros(started);
        reply
    }

    fn message(&self) -> Result<(Message, Vec<u8>), String> {
        let name = Name::from_ascii(self.name)
            .map_err(|error| format!("{:?} is no DNS name: {error}", self.name))?;
        let record = match self.record {
            Record::A => RecordType::A,
            Record::Aaaa => RecordType::AAAA,
            Record::Srv => RecordType::SRV,
        };
        let mut query = Message::query();
        query.metadata.recursion_desired = true;
        let mut question = Query::query(name, record);
        // Search lists make names absolute; what the plan says is the whole name.
        let mut absolute = question.name().clone();
        absolute.set_fqdn(true);
        question.set_name(absolute);
        query.add_query(question);
        if self.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(EDNS_ROOM);
            query.set_edns(edns);
        }
        let bytes = query.to_vec().map_err(|error| error.to_string())?;
        Ok((query, bytes))
    }
}

async fn over_udp(
    server: SocketAddr,
    query: &Message,
    bytes: &[u8],
    patience: Duration,
) -> Result<Message, Failure> {
    // Whatever else arrives is no answer to this question: a late one, or a forged one.
    let accept = |answer: &[u8]| Message::from_vec(answer).is_ok_and(|got| answers(query, &got));
    let answer = datagram::exchange(server, bytes, patience, accept)
        .await
        .answer?;
    read(&answer)
}

async fn over_tcp(
    server: SocketAddr,
    query: &Message,
    bytes: &[u8],
    patience: Duration,
) -> Result<Message, Failure> {
    let asking = async {
        let mut stream = dial(server, Transport::TCP, patience).await.stream?;
        let answer = exchange(&mut stream, bytes).await;
        read(&answer.map_err(|error| failure(&error))?)
    };
    let answer = timeout(patience, asking)
        .await
        .unwrap_or(Err(Failure::Timeout))?;
    if answers(query, &answer) {
        Ok(answer)
    } else {
        Err(other("an answer to another question"))
    }
}

/// Messages over TCP have their length before them (RFC 1035, 4.2.2).
async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend(bytes);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn read(bytes: &[u8]) -> Result<Message, Failure> {
    Message::from_vec(bytes).map_err(|error| other(&format!("no DNS message: {error}")))
}

fn answers(query: &Message, got: &Message) -> bool {
    // A server that cannot read the question need not repeat it.
    let same_question =
        got.queries == query.queries || got.queries.is_empty() && got.answers.is_empty();
    got.metadata.message_type == MessageType::Response
        && got.metadata.id == query.metadata.id
        && same_question
}

fn reply(answer: &Message) -> DnsReply {
    let authority = answer.authorities.iter();
    DnsReply {
        rcode: Some(rcode(answer.metadata.response_code)),
        authoritative: answer.metadata.authoritative,
        truncated: answer.metadata.truncation,
        answers: answer
            .answers
            .iter()
            .filter_map(|record| data(&record.data))
            .collect(),
        authority: authority
            .map(|record| record.name.to_string())
            .next()
            .map(|zone| {
                if zone.is_empty() {
                    ".".to_owned()
                } else {
                    zone
                }
            }),
        error: None,
        elapsed_us: 0,
    }
}

const fn no_answer(error: Failure) -> DnsReply {
    DnsReply {
        rcode: None,
        authoritative: false,
        truncated: false,
        answers: Vec::new(),
        authority: None,
        error: Some(error),
        elapsed_us: 0,
    }
}

fn data(data: &RData) -> Option<String> {
    match data {
        RData::A(address) => Some(address.to_string()),
        RData::AAAA(address) => Some(address.to_string()),
        RData::CNAME(alias) => Some(format!("CNAME {alias}")),
        RData::SRV(service) => Some(format!("SRV {} {}", service.port, service.target)),
        _ => None,
    }
}

/// The names of the IANA registry, as `dig` prints them.
fn rcode(code: ResponseCode) -> String {
    match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::NotZone => "NOTZONE",
        ResponseCode::BADVERS => "BADVERS",
        other => return format!("RCODE{}", u16::from(other)),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::OpCode;
    use hickory_resolver::proto::rr::Record as Row;
    use hickory_resolver::proto::rr::rdata::{A, CNAME, SOA};

    use super::*;

    fn question(name: &str) -> Result<(Message, Vec<u8>), String> {
        let question = Question {
            server: "127.0.0.1:53".parse().unwrap(),
            name,
            record: Record::A,
            over_tcp: false,
            edns: true,
        };
        question.message()
    }

    fn name(name: &str) -> Name {
        Name::from_ascii(name).unwrap()
    }

    #[test]
    fn a_question_is_absolute_and_announces_room() {
        let (_, bytes) = question("db.data.svc.cluster.local").unwrap();
        let sent = Message::from_vec(&bytes).unwrap();
        assert_eq!(
            sent.queries[0].name().to_string(),
            "db.data.svc.cluster.local."
        );
        assert_eq!(sent.max_payload(), EDNS_ROOM);
        assert!(sent.metadata.recursion_desired);
        assert!(question(&"x".repeat(70)).is_err());
    }

    #[test]
    fn an_answer_keeps_its_order_and_says_who_denies() {
        let (query, _) = question("a.example").unwrap();
        let mut answer = Message::response(query.metadata.id, OpCode::Query);
        answer.add_queries(query.queries.clone());
        answer.metadata.response_code = ResponseCode::NXDomain;
        answer.metadata.authoritative = true;
        let alias = RData::CNAME(CNAME(name("b.example.")));
        answer.add_answer(Row::from_rdata(name("a.example."), 5, alias));
        let address = RData::A(A::new(10, 0, 0, 1));
        answer.add_answer(Row::from_rdata(name("b.example."), 5, address));
        let start = SOA::new(name("ns."), name("root."), 1, 2, 3, 4, 5);
        answer.add_authority(Row::from_rdata(Name::root(), 5, RData::SOA(start)));
        let got = reply(&read(&answer.to_vec().unwrap()).unwrap());
        assert_eq!(got.answers, ["CNAME b.example.", "10.0.0.1"]);
        assert_eq!(got.rcode.as_deref(), Some("NXDOMAIN"));
        assert_eq!(got.authority.as_deref(), Some("."));
        assert!(got.authoritative && answers(&query, &answer));
        answer.metadata.id ^= 1;
        assert!(!answers(&query, &answer));
    }
}
