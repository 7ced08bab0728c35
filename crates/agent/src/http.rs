//! HTTP/1.1, with or without TLS: what the server says, and how far the request came.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Protocol as Transport;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use super::connect::dial;
use super::failure::{failure, other};
use super::{diag, micros, tls};
use netpath_protocol::{Failure, HttpReply, Outcome};

/// Bytes of an answer that are read at most.
const MAX_ANSWER: usize = 256 * 1024;
/// A head that is larger is not understood.
const MAX_HEAD: usize = 64 * 1024;
/// Padding of a request at most.
const MAX_PADDING: usize = 64 * 1024;
/// Servers refuse single headers of more than 8 KiB or even 4 KiB.
const HEADER: usize = 3900;

/// What is asked of whom.
pub(super) struct Request<'a> {
    pub(super) to: SocketAddr,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) tls: bool,
    pub(super) padding: usize,
}

// === impl Request ===

impl Request<'_> {
    /// Sends the request once, over a connection of its own.
    pub(super) async fn send(&self, patience: Duration) -> Outcome {
        let Some(bytes) = self.bytes() else {
            return Outcome::Unsupported {
                why: "host and path must be one word each".to_owned(),
            };
        };
        let started = Instant::now();
        let until = started + patience;
        let mut reply = nothing(bytes.len());
        let dialled = dial(self.to, Transport::TCP, patience).await;
        reply.local = dialled.local;
        match dialled.stream {
            Err(error) => reply.error = Some(error),
            Ok(mut stream) => {
                reply.connect_us = Some(micros(started));
                let talk = self.talk(&mut reply, &mut stream, &bytes, started);
                let ended = timeout_at(until.into(), talk).await;
                reply.error = ended.unwrap_or(Err(Failure::Timeout)).err();
                reply.unacknowledged = reply
                    .local
                    .and_then(|local| diag::unacknowledged(local, self.to));
            }
        }
        reply.elapsed_us = micros(started);
        Outcome::Http(reply)
    }

    async fn talk(
        &self,
        reply: &mut HttpReply,
        stream: &mut TcpStream,
        request: &[u8],
        started: Instant,
    ) -> Result<(), Failure> {
        if !self.tls {
            return converse(reply, stream, request, started).await;
        }
        let name = tls::name(self.host).ok_or_else(|| other("the host is no name for TLS"))?;
        let shaken = tls::handshake(stream, name, &Arc::default()).await;
        let mut stream = shaken.map_err(tls::Refusal::into_failure)?;
        converse(reply, &mut stream, request, started).await
    }

    /// None when host or path would break out of their line.
    fn bytes(&self) -> Option<Vec<u8>> {
        let is_word = |text: &str| !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
        if !is_word(self.host) || !is_word(self.path) || self.path.is_empty() {
            return None;
        }
        let mut text = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: kubectl-netpath/{}\r\nAccept: */*\r\n\
             Connection: close\r\n",
            self.path,
            self.host,
            env!("CARGO_PKG_VERSION")
        );
        let mut left = self.padding.min(MAX_PADDING);
        while left > 0 {
            let length = left.min(HEADER);
            text.push_str("X-Netpath-Padding: ");
            text.extend(std::iter::repeat_n('x', length));
            text.push_str("\r\n");
            left -= length;
        }
        text.push_str("\r\n");
        Some(text.into_bytes())
    }
}

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Where the body of an answer ends (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyEnd {
    AfterBytes(usize),
    /// The empty chunk.
    Chunk,
    Close,
}

/// Sends the request and reads the answer; `reply` keeps how far that came.
async fn converse(
    reply: &mut HttpReply,
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &[u8],
    started: Instant,
) -> Result<(), Failure> {
    let io = |error: std::io::Error| failure(&error);
    stream.write_all(request).await.map_err(io)?;
    let mut room = vec![0; 16 * 1024];
    let mut head = Vec::new();
    let mut end = None;
    let mut tail = Vec::new();
    loop {
        let length = match stream.read(&mut room).await {
            Ok(length) => length,
            // TLS servers like to close without saying goodbye.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(io(error)),
        };
        let got = &room[..length];
        reply.first_byte_us.get_or_insert_with(|| micros(started));
        reply.received += length;
        tail.extend_from_slice(&got[length.saturating_sub(LAST_CHUNK.len())..]);
        tail.drain(..tail.len().saturating_sub(LAST_CHUNK.len()));
        if end.is_none() {
            head.extend_from_slice(got);
            end = read_head(&head, reply)?;
        }
        let Some((body_end, head_length)) = end else {
            if length == 0 {
                return Err(Failure::Closed);
            }
            if head.len() > MAX_HEAD {
                return Err(other("the head is too large"));
            }
            continue;
        };
        let is_complete = match body_end {
            BodyEnd::AfterBytes(body) => reply.received >= head_length + body,
            BodyEnd::Chunk => tail.ends_with(LAST_CHUNK),
            BodyEnd::Close => length == 0,
        };
        if is_complete || reply.received >= MAX_ANSWER {
            return Ok(());
        }
        if length == 0 {
            return Err(Failure::Closed);
        }
    }
}

/// Reads a whole head, or none yet: where the body ends, and how long the head is.
fn read_head(bytes: &[u8], reply: &mut HttpReply) -> Result<Option<(BodyEnd, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        // RFC 8446, 5.1: an alert or a handshake, where HTTP was expected.
        Err(_) if matches!(bytes, [0x15 | 0x16, 3, ..]) => {
            return Err(other("no HTTP but TLS"));
        }
        Err(error) => return Err(other(&format!("no HTTP: {error}"))),
    };
    let header = |name: &str| {
        let mut named = head
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        let value = named.next()?.value;
        Some(String::from_utf8_lossy(value).trim().to_owned())
    };
    reply.status = head.code;
    reply.server = header("server");
    reply.location = header("location");
    let is_chunked = header("transfer-encoding").is_some_and(|coding| coding.ends_with("chunked"));
    let end = match (head.code, header("content-length")) {
        (Some(100..200 | 204 | 304), _) => BodyEnd::AfterBytes(0),
        _ if is_chunked => BodyEnd::Chunk,
        (_, Some(body)) => body.parse().map_or(BodyEnd::Close, BodyEnd::AfterBytes),
        (_, None) => BodyEnd::Close,
    };
    Ok(Some((end, length)))
}

const fn nothing(sent: usize) -> HttpReply {
    HttpReply {
        status: None,
        server: None,
        location: None,
        received: 0,
        sent,
        unacknowledged: None,
        local: None,
        connect_us: None,
        first_byte_us: None,
        elapsed_us: 0,
        error: None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    const fn request(host: &str, padding: usize) -> Request<'_> {
        Request {
            to: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1),
            host,
            path: "/x",
            tls: false,
            padding,
        }
    }

    /// What is made of an answer that comes in pieces of `step` bytes, after which the server closes
    /// or stays silent.
    async fn hear(answer: &str, step: usize, closes: bool) -> (HttpReply, Option<Failure>) {
        let (mut near, mut far) = duplex(1 << 20);
        let mut reply = nothing(0);
        let server = async {
            for piece in answer.as_bytes().chunks(step) {
                far.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            if closes {
                drop(far);
            } else {
                std::future::pending::<()>().await;
            }
        };
        let client = converse(&mut reply, &mut near, b"GET", Instant::now());
        let client = tokio::time::timeout(Duration::from_millis(100), client);
        let error = tokio::select! {
            ended = client => ended.unwrap_or(Err(Failure::Timeout)).err(),
            () = async { server.await; std::future::pending().await } => None,
        };
        (reply, error)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn answers_end_where_they_say() {
        let complete = [
            (
                "HTTP/1.1 200 OK\r\nServer: x y\r\nContent-Length: 3\r\n\r\nabc",
                false,
            ),
            (
                "HTTP/1.1 301 -\r\nlocation: /b\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
                false,
            ),
            ("HTTP/1.1 204 None\r\n\r\n", false),
            ("HTTP/1.0 200 OK\r\n\r\nabc", true),
        ];
        for (answer, closes) in complete {
            for step in [1, 7, 1000] {
                let (reply, error) = hear(answer, step, closes).await;
                assert_eq!(error, None, "{answer} in steps of {step}");
                assert_eq!(reply.received, answer.len());
            }
        }
        let (reply, _) = hear(complete[0].0, 9, false).await;
        assert_eq!(
            (reply.status, reply.server.as_deref()),
            (Some(200), Some("x y"))
        );
        assert!(reply.first_byte_us.is_some());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_missing_is_said() {
        let cases = [
            ("", true, Failure::Closed),
            ("HTTP/1.1 200 OK\r\nConte", true, Failure::Closed),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                true,
                Failure::Closed,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                false,
                Failure::Timeout,
            ),
            ("\x15\x03\x01\0\x02\x02F", true, other("no HTTP but TLS")),
        ];
        for (answer, closes, expected) in cases {
            assert_eq!(
                hear(answer, 1000, closes).await.1,
                Some(expected),
                "{answer:?}"
            );
        }
        let (_, error) = hear("SSH-2.0-OpenSSH_9.2\r\n", 1000, false).await;
        assert!(error.unwrap().words().starts_with("no HTTP"));
    }

    #[test]
    fn a_request_cannot_break_out_of_its_lines() {
        assert!(request("a\r\nX: y", 0).bytes().is_none());
        assert!(request("a b", 0).bytes().is_none());
        let small = request("a", 0).bytes().unwrap().len();
        let padded = request("a", 8000).bytes().unwrap();
        assert!(padded.len() >= small + 8000);
        assert!(
            padded
                .split(|&byte| byte == b'\n')
                .all(|line| line.len() < 4096)
        );
    }
}
